"""Reads what a topic holds right now, and what a record says."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TypeVar

import structlog
from aiokafka.structs import ConsumerRecord, TopicPartition

from shared.events import Event
from shared.kafka import PartitionReader
from shared.metrics import DEAD_LETTERS
from shared.settings import KafkaSettings
from shared.topics import Topic
from shared.wire import HEADERS_OF_EVENT, InvalidRecord, decode_all, read_record

log = structlog.get_logger(__name__)
_BATCH = 5_000


def partitions_of(topic: Topic) -> list[TopicPartition]:
    """All partitions of a topic."""
    return [TopicPartition(topic.name, number) for number in range(topic.partitions)]


async def read_topic(
    settings: KafkaSettings, topic: Topic, since_ms: int | None = None
) -> AsyncIterator[ConsumerRecord]:
    """Every record up to the ends as they are now; with `since_ms`, only those the broker stamped from then on."""
    async for record in read_partitions(settings, partitions_of(topic), since_ms):
        yield record


async def read_partitions(
    settings: KafkaSettings, partitions: Sequence[TopicPartition], since_ms: int | None = None, most: int | None = None
) -> AsyncIterator[ConsumerRecord]:
    """Like `read_topic`, of some partitions; with `most`, only so many of the newest of each."""
    reader = PartitionReader(settings, "alert-worker-start")
    try:
        await reader.connect()
        ends = await reader.log_ends(partitions)
        starts = await reader.log_starts(partitions)
        if since_ms is not None:
            starts |= await reader.offsets_since(partitions, since_ms)
        if most is not None:
            starts = {partition: max(start, ends[partition] - most) for partition, start in starts.items()}
        await reader.start(starts)
        while not await _has_reached(reader, ends):
            for records in (await reader.batch(timeout_ms=200, max_records=_BATCH)).values():
                for record in records:
                    yield record
    finally:
        await reader.close()


async def _has_reached(reader: PartitionReader, ends: Mapping[TopicPartition, int]) -> bool:
    for partition, end in ends.items():
        if await reader.position(partition) < end:
            return False
    return True


E = TypeVar("E", bound=Event)


def read_event(event: type[E], record: ConsumerRecord) -> E | None:
    """The record's event; None when it cannot be read, which is counted (those who store the topic keep the bytes).

    Raises UnknownSchema.
    """
    try:
        return read_record(event, record)
    except InvalidRecord as error:
        DEAD_LETTERS.labels("alert-worker", record.topic).inc()
        log.warning("unreadable record", topic=record.topic, offset=record.offset, reason=str(error))
        return None


def read_events(event: type[E], records: Sequence[ConsumerRecord]) -> list[E | None]:
    """`read_event` of each record, for half of what one alone costs where all are as usual."""
    headers = tuple(HEADERS_OF_EVENT[event])
    if all([record.headers == headers for record in records]):  # noqa: C419  # a generator costs twice as much
        events = decode_all(event, [record.value for record in records])
        if events is not None:
            return [*events]
    return [read_event(event, record) for record in records]
