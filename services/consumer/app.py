"""A consumer put together: one sink, its partitions, and the loop between Kafka and the store."""

import asyncio
from collections.abc import Collection, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial

import structlog
from aiokafka.structs import TopicPartition

from services.consumer.advice import advise_kafka
from services.consumer.dead_letters import DeadLetterPublisher
from services.consumer.feed import EVERY_EXCHANGE
from services.consumer.flood_watch import FloodWatch
from services.consumer.journal import Journal
from services.consumer.loop import Consumer
from services.consumer.membership import Membership
from services.consumer.progress import tell_progress
from services.consumer.retention_watch import RetentionWatch
from services.consumer.sinks import SINKS
from services.consumer.sinks.base import StoreFailed
from services.consumer.start import BEGINS_WITHIN_S, find_starts, open_sink, plan_refill, until_made_anew
from shared import lifecycle, metrics
from shared.clock import now_us
from shared.errors import Unreachable, WrongUse
from shared.kafka import PartitionReader, check_rights, discard, make_producer, wait_until_reachable
from shared.liveness import Liveness
from shared.partitioning import Shard
from shared.settings import Settings
from shared.topic_ids import wait_for_topic_ids
from shared.topics import Topic

_GIVES_UP_WITHIN_S = 60.0
"""PostgreSQL takes up to 35 s for the last statement and 5 s for the end of each session, Kafka's clients some more."""
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Duty:
    """Which sink, and which partitions: those of a shard, or those that the consumer group `group` gives us."""

    sink: str
    shard: Shard = field(default_factory=Shard)
    group: str | None = None


def run(sink: str, shard: Shard, group: str | None = None) -> int:
    """Serve one sink until stopped; returns the exit code."""
    return lifecycle.run(f"consumer-{sink}", partial(consume, Duty(sink, shard, group)))


async def consume(duty: Duty, settings: Settings, stop: asyncio.Event, liveness: Liveness) -> None:
    """Serve the duty until `stop` is set."""
    sink, shard, group = duty.sink, duty.shard, duty.group
    if sink not in SINKS:
        raise WrongUse(f"there is no sink {sink!r}: there are {', '.join(SINKS)}")
    if group in (name := advice_group(sink), ""):
        raise WrongUse(f"--group: {group!r} cannot be used, {name} is where lag monitors look: take another name")
    if group is not None and shard != Shard():
        raise WrongUse("--group and --shard both say which partitions are owned: give one of them")
    topics = SINKS[sink].make(settings).topics  # a client that is not installed is told before anything is waited for
    await wait_until_reachable(settings.kafka, settings.start.wait_s, stop, liveness.tells)
    rights = check_rights(settings.kafka, SINKS[sink].role, [group or advice_group(sink)])
    await lifecycle.unless_stopped(stop, rights)
    if group is None:
        await serve(sink, partitions_of(topics, shard), settings, stop, liveness)
    else:
        await lifecycle.unless_stopped(stop, wait_for_topic_ids(settings.kafka, topics, settings.start.wait_s))
        membership = Membership(settings.kafka, group, [topic.name for topic in topics], liveness)
        await membership.serve(lambda owned, until: serve(sink, owned, settings, until, liveness), stop)


def advice_group(sink: str) -> str:
    """The group under which stored positions are committed, for lag monitors alone."""
    return f"tapewatch-{sink}"


def partitions_of(topics: Sequence[Topic], shard: Shard) -> list[TopicPartition]:
    """The partitions of `topics` that the shard owns. Raises WrongUse when there are none."""
    owned = [TopicPartition(topic.name, p) for topic in topics for p in shard.partitions(topic.partitions)]
    if not owned:
        raise WrongUse(f"shard {shard} owns nothing: no topic has that many partitions")
    return owned


async def serve(
    sink_name: str, owned: Collection[TopicPartition], settings: Settings, stop: asyncio.Event, liveness: Liveness
) -> None:
    """Own the partitions in the store, find where to start, and run the loop until `stop` is set.

    Raises Stopped when that was before the loop began, and whatever ended the loop.
    """
    row, name = SINKS[sink_name], f"consumer-{sink_name}"
    sink = row.make(settings)
    letters = [(metrics.DEAD_LETTERS, (name, topic.name)) for topic in sink.topics]
    metrics.count_from_zero(*letters, (metrics.GAPS, (EVERY_EXCHANGE,)))
    async with AsyncExitStack() as at_end:
        at_end.push_async_callback(sink.close)
        watch = RetentionWatch(settings.kafka, sink, advice_group(sink_name), owned)
        liveness.waits("taking its partitions over", BEGINS_WITHIN_S)
        watching = asyncio.create_task(watch.run(), name="retention watch")
        at_end.callback(watching.cancel)
        ids = await lifecycle.unless_stopped(
            stop, wait_for_topic_ids(settings.kafka, sink.topics, settings.start.wait_s)
        )
        same_topics = asyncio.create_task(until_made_anew(settings.kafka, sink.topics, ids), name="topics watch")
        at_end.callback(same_topics.cancel)
        of_partitions = {partition: ids[partition.topic] for partition in owned}
        try:
            stored = await open_sink(sink, of_partitions, stop, liveness, watching, same_topics)
        except (WrongUse, Unreachable, StoreFailed):  # at once, and again after each restart
            await lifecycle.unless_stopped(stop, watch.looked(), watching)
            raise
        reader = PartitionReader(settings.kafka, name, group_id=advice_group(sink_name))
        at_end.push_async_callback(reader.close)
        await reader.connect()
        producer = make_producer(settings.kafka, name)
        at_end.push_async_callback(discard, producer)
        await producer.start()
        since, refill = await plan_refill(reader, sink, stored, row, settings)
        positions = await find_starts(sink, reader, producer, stored, since)
        await reader.start(positions)
        journal = at_end.enter_context(Journal(settings.log.batch_journal, sink_name))
        dead_letters = DeadLetterPublisher(producer, name, now_us)
        through_ms = settings.dead_letters.flood_until_ms
        flood = FloodWatch(settings.kafka, name, sink.refuses, dict(positions), through_ms)
        consumer = Consumer(sink, reader, dead_letters, journal, flood, now_us, row.batch_records, positions, refill)
        at_end.callback(liveness.waits, "giving its partitions up", _GIVES_UP_WITHIN_S)
        log.info("consuming", partitions=len(positions))
        async with asyncio.TaskGroup() as tasks:
            watch.consumer = consumer
            works = (
                tell_progress(consumer, liveness),
                advise_kafka(consumer, watch, stored, producer),
                asyncio.wait_for(watching, None),
                asyncio.wait_for(same_topics, None),
                refill.run(settings.kafka, name, sink.refuses, dead_letters, row.batch_records),
            )
            beside = [tasks.create_task(one) for one in works]
            await consumer.run(stop)
            for one in beside:
                one.cancel()
