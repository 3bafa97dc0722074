"""How commands ask Kafka: what does not answer, fails or is refused is told in one line."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaProducer
from aiokafka.errors import ClusterAuthorizationFailedError, KafkaError, TopicAuthorizationFailedError

from shared.errors import Unreachable, WrongUse
from shared.kafka import check_rights, discard, make_producer
from shared.settings import KafkaSettings

WITHIN_S = 30.0
"""A broker that is started anew is back within 17 s."""


@asynccontextmanager
async def answering() -> AsyncIterator[None]:
    """What is asked within must be answered in `WITHIN_S`. Raises Unreachable, or WrongUse for what is not ours to do.

    Who reads and Kafka's clients themselves would wait without end.
    """
    try:
        async with asyncio.timeout(WITHIN_S):
            yield
    except TimeoutError:
        raise Unreachable(f"Kafka did not answer within {WITHIN_S:g} s: is it running?") from None
    except (TopicAuthorizationFailedError, ClusterAuthorizationFailedError) as error:
        raise WrongUse(
            f"Kafka refuses us: {error!r}. `tapewatch topics grant --help` says how rights are given"
        ) from None
    except KafkaError as error:
        raise Unreachable(f"Kafka: {error!r}; is TAPEWATCH_KAFKA__BOOTSTRAP_SERVERS right?") from None


@asynccontextmanager
async def operators_producer(settings: KafkaSettings, client_id: str) -> AsyncIterator[AIOKafkaProducer]:
    """A producer that is started, for who may do all that an operator does. Raises WrongUse, Unreachable."""
    await check_rights(settings, "operator")
    producer = make_producer(settings, client_id)
    try:
        async with answering():
            await producer.start()
        yield producer
    finally:
        await discard(producer)
