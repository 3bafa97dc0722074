"""Once a second: the stored positions committed to Kafka as advice.

The commit is for lag monitors, of which one is our own, for the time when the store is away; and it shows at the next
start whether the store still has what it had. No reading starts there, so a commit that fails is logged and changes
nothing; whether we may commit at all was asked at the start.
"""

import asyncio
from collections.abc import Iterable, Mapping

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from services.consumer import gaps
from services.consumer.loop import Consumer
from services.consumer.positions import went_back
from services.consumer.retention_watch import RetentionWatch
from shared import failpoints
from shared.clock import now_us

_EVERY_S = 1.0
_TELL_WITHIN_S = 5.0
log = structlog.get_logger(__name__)


async def advise_kafka(
    consumer: Consumer,
    watch: RetentionWatch,
    stored: Mapping[TopicPartition, int | None],
    producer: AIOKafkaProducer,
) -> None:
    """Go on until cancelled. First, a store that had more than is `stored` at the start is told (see `went_back`)."""
    begun = consumer.started_at if consumer.sink.is_record and not consumer.sink.is_made_anew else {}
    records = went_back(stored, await _advised(consumer, stored), begun)
    await gaps.tell_went_back(producer, records, f"consumer-{consumer.sink.name}", now_us())
    told: dict[TopicPartition, OffsetAndMetadata] = {}
    while True:
        await asyncio.sleep(_EVERY_S)
        news = dict(watch.advice().items() - told.items())
        if not news:
            continue
        try:
            await consumer.reader.advise(news)
            failpoints.reach("advised")
            told |= news
        except KafkaError as error:
            log.warning("Kafka did not take the positions, which are advice only", reason=repr(error))


async def _advised(consumer: Consumer, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
    """What was committed before; nothing when Kafka does not tell soon, for the advice of now is due."""
    try:
        async with asyncio.timeout(_TELL_WITHIN_S):
            return await consumer.reader.advised(partitions)
    except (KafkaError, TimeoutError) as error:
        log.warning("Kafka does not tell what was committed: a store that went back is not told", reason=repr(error))
        return {}
