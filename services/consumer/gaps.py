"""Records that Kafka deleted before this reader came to them: told on the feed topic, never passed over in silence."""

from collections.abc import Mapping, Sequence

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.structs import TopicPartition
from msgspec.structs import replace

from services.consumer.batch import Batch, Slice
from services.consumer.decode import TopicAndPartition
from services.consumer.feed import EVERY_EXCHANGE, publish
from services.consumer.positions import Outside
from services.consumer.sinks.base import Kept, Sink
from shared import metrics
from shared.events import FeedEvent

LATE_US = 60_000_000
"""Markets of one partition come in with different delays: the first lost event may be older than the newest stored."""
log = structlog.get_logger(__name__)


def gap_event(outside: Outside, reader: str, kept: Kept | None, at_us: int) -> FeedEvent:
    """What people are told of; a gap, of which there will be a row, only where a store lacks what it keeps for good.

    It may hold any exchange's symbols, all received before now. The same loss told again is the same gap.
    """
    event = FeedEvent(
        kind="degraded",
        exchange=EVERY_EXCHANGE,
        reason=f"{reader}: {outside.reason}",
        at_us=at_us,
        connection=f"{outside.topic}/{outside.partition}@{outside.stored}",
    )
    if kept is None:
        return event
    from_us = None if kept.newest_us is None else max(0, min(kept.newest_us, at_us) - LATE_US)
    return replace(event, kind="gap", channel=kept.channel, from_us=from_us, to_us=at_us)


def jump(outside: Outside) -> Batch:
    """A batch without events that moves the store's position to the log's start."""
    piece = Slice(outside.topic, outside.partition, outside.stored, outside.bounds.start, [], [])
    return Batch(f"jump of {outside.topic}-{outside.partition} to {outside.bounds.start}", (piece,))


async def tell_went_back(
    producer: AIOKafkaProducer, records: Mapping[TopicAndPartition, int], reader: str, at_us: int
) -> None:
    """Log and publish that the store is back at an earlier state, if it is; what follows is read again.

    Returns when Kafka acknowledged it. Raises KafkaError.
    """
    if not records:
        return
    reason = (
        f"the store stands {sum(records.values())} records before what it had acknowledged, in {len(records)} "
        "partitions: it was emptied, restored from a back-up, or lost its last writes. They are read again"
    )
    log.warning("the store went back", reason=reason)
    event = FeedEvent(kind="degraded", exchange=EVERY_EXCHANGE, reason=f"{reader}: {reason}", at_us=at_us)
    await publish(producer, event)


async def tell(producer: AIOKafkaProducer, outside: Sequence[Outside], sink: Sink, at_us: int) -> None:
    """Log and publish each loss; returns when Kafka acknowledged them. Raises KafkaError."""
    for one in outside:
        log.error("gap: the position lies outside the log", reason=one.reason)
        kept = await sink.kept(TopicPartition(one.topic, one.partition))
        await publish(producer, gap_event(one, f"consumer-{sink.name}", kept, at_us))
        metrics.GAPS.labels(EVERY_EXCHANGE).inc()
