"""A consumer put together: one sink, its partitions, and the loop between Kafka and the store."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import TypeVar

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.structs import TopicPartition

from services.consumer import gaps
from services.consumer.dead_letters import DeadLetterPublisher
from services.consumer.journal import Journal
from services.consumer.loop import Consumer
from services.consumer.positions import Bounds, lost_everything, starts
from services.consumer.progress import tell_progress
from services.consumer.sinks import SINKS
from services.consumer.sinks.base import Sink
from shared import lifecycle, metrics
from shared.clock import now_us
from shared.errors import Stopped, TapewatchError, WrongUse
from shared.kafka import PartitionReader, make_producer, wait_until_reachable
from shared.partitioning import Shard
from shared.settings import KafkaSettings, Settings
from shared.topic_ids import read_topic_ids, wait_for_topic_ids
from shared.topics import Topic

T = TypeVar("T")
_TOPIC_CHECK_S = 5.0
log = structlog.get_logger(__name__)


def run(sink: str, shard: Shard, group: str | None = None) -> int:
    """Serve one sink until stopped; returns the exit code."""
    return lifecycle.run(f"consumer-{sink}", partial(consume, sink, shard, group))


async def consume(sink_name: str, shard: Shard, group: str | None, settings: Settings, stop: asyncio.Event) -> None:
    """Open the store, find where to start, and run the loop until `stop` is set. Raises what ended it."""
    if sink_name not in SINKS:
        raise WrongUse(f"there is no sink {sink_name!r}: there are {', '.join(SINKS)}")
    if group is not None:
        raise WrongUse("--group is not there yet: use --shard k/n, which restarts faster")
    sink = SINKS[sink_name].make(settings)
    metrics.serve(settings.metrics.port)
    await wait_until_reachable(settings.kafka, settings.start.wait_s, stop)
    topic_ids = await wait_for_topic_ids(settings.kafka, sink.topics, settings.start.wait_s)
    owned = partitions_of(sink.topics, shard)
    async with AsyncExitStack() as at_end:
        at_end.push_async_callback(sink.close)
        opening = sink.open({partition: topic_ids[partition.topic] for partition in owned})
        stored = await _until(stop, opening, settings.kafka, sink.topics, topic_ids)
        await _serve(sink, stored, settings, stop)


def partitions_of(topics: Sequence[Topic], shard: Shard) -> list[TopicPartition]:
    """The partitions of `topics` that the shard owns. Raises WrongUse when there are none."""
    owned = [TopicPartition(topic.name, p) for topic in topics for p in shard.partitions(topic.partitions)]
    if not owned:
        raise WrongUse(f"shard {shard} owns nothing: no topic has that many partitions")
    return owned


async def _until(
    stop: asyncio.Event,
    opening: Awaitable[T],
    kafka: KafkaSettings,
    topics: Sequence[Topic],
    topic_ids: Mapping[str, str],
) -> T:
    """Wait for `opening`, which lasts as long as another copy lives. Raises Stopped, or when a topic is made anew."""
    opened, stopped = asyncio.ensure_future(opening), asyncio.create_task(stop.wait())
    try:
        while not opened.done():
            await asyncio.wait({opened, stopped}, timeout=_TOPIC_CHECK_S, return_when=asyncio.FIRST_COMPLETED)
            if stopped.done():
                raise Stopped("stopped before it owned anything")
            if not opened.done() and await read_topic_ids(kafka, topics) != topic_ids:
                raise TapewatchError("a topic was made anew while this copy was in standby: starting over")
        return opened.result()
    finally:
        stopped.cancel()
        opened.cancel()


async def _serve(
    sink: Sink, stored: Mapping[TopicPartition, int | None], settings: Settings, stop: asyncio.Event
) -> None:
    row, name = SINKS[sink.name], f"consumer-{sink.name}"
    async with AsyncExitStack() as at_end:
        reader = PartitionReader(settings.kafka, name, group_id=f"tapewatch-{sink.name}")
        at_end.push_async_callback(reader.close)
        await reader.connect()
        producer = make_producer(settings.kafka, name)
        await producer.start()
        at_end.push_async_callback(producer.stop)
        offsets = await find_starts(sink, reader, producer, stored, row.refill_s(settings))
        await reader.start(offsets)
        journal = at_end.enter_context(Journal(settings.log.batch_journal, sink.name))
        dead_letters = DeadLetterPublisher(producer, name, now_us)
        consumer = Consumer(sink, reader, dead_letters, journal, now_us, row.batch_records, offsets)
        log.info("consuming", partitions=len(offsets))
        async with asyncio.TaskGroup() as tasks:
            telling = tasks.create_task(tell_progress(consumer))
            await consumer.run(stop)
            telling.cancel()


async def find_starts(
    sink: Sink,
    reader: PartitionReader,
    producer: AIOKafkaProducer,
    stored: Mapping[TopicPartition, int | None],
    refill_s: int | None,
) -> dict[TopicPartition, int]:
    """Offset to start at by partition. What Kafka no longer has is told as a gap before the position passes it."""
    partitions = list(stored)
    first, last = await reader.log_starts(partitions), await reader.log_ends(partitions)
    bounds = {p: Bounds(first[p], last[p]) for p in partitions}
    refill: Mapping[TopicPartition, int] = {}
    if refill_s is not None and lost_everything(stored):
        refill = await reader.offsets_since(partitions, now_us() // 1000 - refill_s * 1000)
        log.warning("the store remembers nothing: live first, from shortly before now", refill_s=refill_s)
    found = starts(stored, bounds, refill)
    await gaps.tell(producer, found.outside, f"consumer-{sink.name}", now_us())
    for one in found.outside:
        await sink.write(gaps.jump(one))
    return {TopicPartition(*key): offset for key, offset in found.offsets.items()}
