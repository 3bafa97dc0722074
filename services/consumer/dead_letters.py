"""Unreadable records are kept on their own topic, acknowledged by Kafka, before the reader's position passes them."""

import asyncio
from base64 import b64encode
from collections.abc import Sequence

import structlog
from aiokafka import AIOKafkaProducer
from structlog.contextvars import bound_contextvars

from services.consumer.decode import Poison
from shared import failpoints, metrics
from shared.clock import NowMicros
from shared.events import DeadLetter
from shared.topics import DEAD_LETTERS
from shared.wire import HEADERS_OF_EVENT, encode

MAX_PAYLOAD_BYTES = 64 << 10
_LOGGED_PER_BATCH = 3
log = structlog.get_logger(__name__)


def dead_letter(poison: Poison, reader: str, at_us: int) -> DeadLetter:
    """The record to keep. Topic, partition, offset and reader together are its identity."""
    value = poison.value or b""
    return DeadLetter(
        reason=poison.reason[:2000],
        at_us=at_us,
        payload=b64encode(value[:MAX_PAYLOAD_BYTES]).decode(),
        payload_bytes=len(value),
        reader=reader,
        topic=poison.topic,
        partition=poison.partition,
        offset=poison.offset,
        schema=poison.schema,
    )


class DeadLetterPublisher:
    """Publishes the dead letters of one reader."""

    def __init__(self, producer: AIOKafkaProducer, reader: str, now_us: NowMicros) -> None:
        self._producer = producer
        self._reader = reader
        self._now_us = now_us

    async def publish(self, poison: Sequence[Poison], batch_id: str) -> None:
        """Return when Kafka acknowledged all of them. Raises KafkaError, and then the position must not move.

        `batch_id` names in the log the batch of which they were a part.
        """
        if not poison:
            return
        with bound_contextvars(batch=batch_id):
            await self._publish(poison)

    async def _publish(self, poison: Sequence[Poison]) -> None:
        headers = HEADERS_OF_EVENT[DeadLetter]
        sent = []
        for one in poison:
            value = encode(dead_letter(one, self._reader, self._now_us()))
            sent.append(await self._producer.send(DEAD_LETTERS.name, value, headers=headers))
        await asyncio.gather(*sent)
        failpoints.reach("dead-letters-kept")
        for one in poison:
            metrics.DEAD_LETTERS.labels(self._reader, one.topic).inc()
        for one in poison[:_LOGGED_PER_BATCH]:
            where = {"topic": one.topic, "partition": one.partition, "offset": one.offset}
            log.warning("kept as dead letter", reason=one.reason, in_batch=len(poison), **where)
