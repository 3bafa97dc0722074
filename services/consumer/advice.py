"""Once a second: the stored positions committed to Kafka as advice.

The commit is for lag monitors alone, of which one is our own, for the time when the store is away. No reading starts
there, so its failure is logged and changes nothing.
"""

import asyncio

import structlog
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from services.consumer.loop import Consumer
from services.consumer.retention_watch import RetentionWatch
from shared import failpoints

_EVERY_S = 1.0
log = structlog.get_logger(__name__)


async def advise_kafka(consumer: Consumer, watch: RetentionWatch) -> None:
    """Go on until cancelled."""
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
