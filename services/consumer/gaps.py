"""Records that Kafka deleted before this reader came to them: told on the feed topic, never passed over in silence."""

from collections.abc import Sequence

import structlog
from aiokafka import AIOKafkaProducer

from services.consumer.batch import Batch, Slice
from services.consumer.feed import EVERY_EXCHANGE, publish
from services.consumer.positions import Outside
from shared import metrics
from shared.events import FeedEvent

log = structlog.get_logger(__name__)


def gap_event(outside: Outside, reader: str, at_us: int) -> FeedEvent:
    """The gap that people and the store are told of. It may hold any exchange's symbols, all received before now."""
    return FeedEvent(
        kind="gap",
        exchange=EVERY_EXCHANGE,
        reason=f"{reader}: {outside.reason}",
        at_us=at_us,
        to_us=at_us,
    )


def jump(outside: Outside) -> Batch:
    """A batch without events that moves the store's position to the log's start."""
    piece = Slice(outside.topic, outside.partition, outside.stored, outside.bounds.start, [], [])
    return Batch(f"jump of {outside.topic}-{outside.partition} to {outside.bounds.start}", (piece,))


async def tell(producer: AIOKafkaProducer, outside: Sequence[Outside], reader: str, at_us: int) -> None:
    """Log and publish each gap; returns when Kafka acknowledged them. Raises KafkaError."""
    for one in outside:
        log.error("gap: the position lies outside the log", reason=one.reason)
        await publish(producer, gap_event(one, reader, at_us))
        metrics.GAPS.labels(EVERY_EXCHANGE).inc()
