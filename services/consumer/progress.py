"""Once a second: how far behind we are, as a metric, and the stored positions committed to Kafka as advice.

The commit is for lag monitors alone. Nothing reads it back, so its failure is logged and changes nothing.
"""

import asyncio

import structlog
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from services.consumer.loop import Consumer
from shared import failpoints, metrics

_EVERY_S = 1.0
log = structlog.get_logger(__name__)


async def tell_progress(consumer: Consumer) -> None:
    """Go on until cancelled."""
    told: dict[TopicPartition, int] = {}
    while True:
        await asyncio.sleep(_EVERY_S)
        _tell_lag(consumer)
        news = dict(consumer.stored.items() - told.items())
        if not news:
            continue
        try:
            await consumer.reader.advise(news)
            failpoints.reach("advised")
            told |= news
        except KafkaError as error:
            log.warning("Kafka did not take the positions, which are advice only", reason=repr(error))


def _tell_lag(consumer: Consumer) -> None:
    lags: dict[str, int] = {}
    for partition, position in consumer.positions.items():
        lags[partition.topic] = lags.get(partition.topic, 0) + consumer.reader.lag(partition, position)
    for topic, lag in lags.items():
        metrics.LAG_RECORDS.labels(consumer.sink.name, topic).set(lag)
