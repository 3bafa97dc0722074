"""Dead letters from their topic, oldest first, up to its end as it was at the beginning."""

from base64 import b64encode
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from aiokafka.errors import OffsetOutOfRangeError
from aiokafka.structs import ConsumerRecord, TopicPartition

from services.cli.asking_kafka import answering
from services.cli.dead_letters.choice import Choice, Kept
from shared.errors import TapewatchError
from shared.events import DeadLetter, Event
from shared.kafka import PartitionReader, wait_until_reachable
from shared.settings import Settings
from shared.topic_ids import wait_for_topic_ids
from shared.topics import DEAD_LETTERS, Topic
from shared.wire import InvalidRecord, UnknownSchema, read_record

_WAIT_S = 2
_RECORDS_AT_ONCE = 1_000
_CLOCKS_DIFFER_MS = 600_000
Progress = Callable[[int, int], None]
"""Called now and then with how many records were looked at, and how many there are."""


def silent(_done: int, _all: int) -> None:
    """Tell nobody."""


async def chosen(settings: Settings, choice: Choice, progress: Progress = silent) -> AsyncGenerator[Kept, None]:
    """Every dead letter that is meant. Raises Unreachable, or TapewatchError for a version that is not known."""
    since_ms = None if choice.since_us is None else max(0, choice.since_us // 1000 - _CLOCKS_DIFFER_MS)
    first = min(choice.numbers, default=0)
    async with aclosing(records(settings, DEAD_LETTERS, since_ms, progress, from_offset=first)) as found:
        async for record in found:
            kept = Kept(record.offset, _letter(record))
            if choice.holds(kept):
                yield kept


async def records(
    settings: Settings,
    topic: Topic,
    since_ms: int | None = None,
    progress: Progress = silent,
    *,
    from_offset: int = 0,
) -> AsyncGenerator[ConsumerRecord, None]:
    """The records of a topic of one partition, from an offset and from the broker's time `since_ms` on.

    Raises Unreachable, also where Kafka falls silent midway; WrongUse for a topic that is not ours to read.
    """
    await wait_until_reachable(settings.kafka, min(_WAIT_S, settings.start.wait_s))
    await wait_for_topic_ids(settings.kafka, [topic], 0)
    place = TopicPartition(topic.name, 0)
    reader = PartitionReader(settings.kafka, "dead-letters")
    try:
        async with answering():
            start, end = await _begin(reader, place, from_offset, since_ms)
        here = start
        while here < end:
            async with answering():
                found, here = await _next(reader, place, here)
            for record in found:
                if record.offset < end:
                    yield record
            progress(min(here, end) - start, end - start)
    finally:
        await reader.close()


async def _begin(
    reader: PartitionReader, place: TopicPartition, from_offset: int, since_ms: int | None
) -> tuple[int, int]:
    """Stand at the first record that is meant; its offset, and that of the log's end."""
    await reader.connect()
    start, end = (await reader.log_starts([place]))[place], (await reader.log_ends([place]))[place]
    start = max(start, from_offset)
    if since_ms is not None:
        start = max(start, (await reader.offsets_since([place], since_ms))[place])
    if start < end:
        await reader.start({place: start})
    return start, end


async def _next(reader: PartitionReader, place: TopicPartition, here: int) -> tuple[list[ConsumerRecord], int]:
    """The next records once there are some, and where to go on; what Kafka deleted meanwhile is passed over."""
    while True:
        try:
            found = (await reader.batch(1_000, _RECORDS_AT_ONCE)).get(place, [])
        except OffsetOutOfRangeError:
            start = (await reader.log_starts([place]))[place]
            await reader.start({place: start})
            return [], start
        after = await reader.position(place)
        if after > here:
            return found, after


async def one(settings: Settings, number: int) -> Kept | None:
    """The letter of this number, None when it was deleted or never was."""
    async with aclosing(records(settings, DEAD_LETTERS, from_offset=number)) as found:
        async for record in found:
            return Kept(number, _letter(record)) if record.offset == number else None
    return None


def _letter(record: ConsumerRecord) -> DeadLetter:
    """The letter; one that cannot be read itself is shown as such, and not passed over."""
    try:
        return read_record(DeadLetter, record)
    except InvalidRecord as error:
        value = record.value or b""
        return DeadLetter(
            reason=f"this dead letter cannot be read itself: {error}",
            at_us=record.timestamp * 1000,
            payload=b64encode(value).decode(),
            payload_bytes=len(value),
            reader="unknown",
            topic=DEAD_LETTERS.name,
            partition=record.partition,
            offset=record.offset,
        )
    except UnknownSchema as error:
        raise TapewatchError(f"{DEAD_LETTERS.name} offset {record.offset}: {error}") from None


async def events(settings: Settings, topic: Topic) -> AsyncGenerator[Event, None]:
    """What a topic of one partition holds, without what cannot be read."""
    async with aclosing(records(settings, topic)) as found:
        async for record in found:
            try:
                yield read_record(topic.event, record)
            except InvalidRecord:
                continue
