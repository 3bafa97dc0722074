"""Before the loop: own the partitions in the store, and find where to start reading them."""

import asyncio
from collections.abc import Mapping

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from services.consumer import gaps
from services.consumer.positions import Bounds, starts
from services.consumer.refill import LIVE_S, Refill, beginning, left_out
from services.consumer.sinks import SinkRow
from services.consumer.sinks.base import Sink
from shared import lifecycle
from shared.clock import now_us
from shared.errors import TapewatchError
from shared.kafka import PartitionReader
from shared.liveness import Liveness
from shared.settings import KafkaSettings, Settings
from shared.topic_ids import MissingTopic, read_topic_ids
from shared.topics import Topic

_TOPIC_CHECK_S = 5.0
_SAY_STANDBY_S = 1.0
BEGINS_WITHIN_S = 60.0
"""So long a process that is ready may take from owning other partitions to its first batch: it asks both servers."""
log = structlog.get_logger(__name__)


async def open_sink(
    sink: Sink,
    topic_ids: Mapping[TopicPartition, str],
    stop: asyncio.Event,
    liveness: Liveness,
    *beside: "asyncio.Task[None]",
) -> Mapping[TopicPartition, int | None]:
    """Own the partitions in the store, once no other copy does; returns the positions that are stored.

    Raises Stopped, Unreachable, and what one of `beside` raises meanwhile.
    """
    standing_by = asyncio.create_task(_say_standby(sink, liveness))
    try:
        return await lifecycle.unless_stopped(stop, sink.open(topic_ids), *beside)
    finally:
        standing_by.cancel()


async def _say_standby(sink: Sink, liveness: Liveness) -> None:
    """A copy that stands by is well: it has nothing to do for as long as the other one lives."""
    while True:
        if sink.is_standby:
            liveness.moved("standby: another copy owns these partitions", BEGINS_WITHIN_S)
        await asyncio.sleep(_SAY_STANDBY_S)


async def until_made_anew(kafka: KafkaSettings, topics: tuple[Topic, ...], ids: Mapping[str, str]) -> None:
    """Look at the topics until cancelled. Raises TapewatchError when one is not the one of `ids` any more.

    The log of a topic made anew soon reaches beyond the old position, where reading would go on without a word.
    """
    while True:
        await asyncio.sleep(_TOPIC_CHECK_S)
        try:
            same = await read_topic_ids(kafka, topics) == ids
        except MissingTopic:
            same = False
        except KafkaError as error:
            log.warning("Kafka does not tell its topics for now", reason=repr(error))
            continue
        if not same:
            raise TapewatchError("a topic was deleted or made anew: starting over")


async def find_starts(
    sink: Sink,
    reader: PartitionReader,
    producer: AIOKafkaProducer,
    stored: Mapping[TopicPartition, int | None],
    since: Mapping[TopicPartition, int],
) -> dict[TopicPartition, int]:
    """Offset to start at by partition, `since` for those without a stored one; these are stored at once.

    What Kafka no longer has is told before the position passes it. A record (`Sink.is_record`) stores where each
    partition begins: what is deleted before it has the first record of one is then missed like any other.
    """
    partitions = list(stored)
    first, last = await reader.log_starts(partitions), await reader.log_ends(partitions)
    bounds = {p: Bounds(first[p], last[p]) for p in partitions}
    new = [p for p in partitions if sink.is_record and stored[p] is None]
    cut = [] if sink.is_made_anew else [p for p in new if first[p]]
    advised = await reader.advised(cut)
    found = starts(stored, bounds, since, advised)
    if unknown := [p for p in cut if p not in advised]:
        log.warning("the store is new, and lacks what Kafka had deleted before", partitions=len(unknown))
    await gaps.tell(producer, found.outside, sink, now_us())
    for one in found.outside:
        await sink.write(gaps.jump(one))
    positions = {TopicPartition(*key): offset for key, offset in found.offsets.items()}
    if begun := since or {p: positions[p] for p in new}:
        await sink.write(beginning(begun))
    return positions


async def plan_refill(
    reader: PartitionReader, sink: Sink, stored: Mapping[TopicPartition, int | None], row: SinkRow, settings: Settings
) -> tuple[Mapping[TopicPartition, int], Refill]:
    """Where partitions start of which a store remembers nothing, and what is filled besides; nothing for any other.

    Mostly that is all or none; of a store that was emptied other members of a group may have begun some already.
    One whose topics were made anew lost nothing: it reads the new logs from their start.
    """
    refill_s, lost = row.refill_s(settings), [partition for partition, at in stored.items() if at is None]
    if refill_s is None or not lost or sink.is_made_anew:
        return {}, Refill()
    log.warning("the store remembers nothing: live first, and filled from shortly before now", refill_s=refill_s)
    now_ms, newest_wins = now_us() // 1000, {topic.name for topic in row.newest_wins}
    since = await reader.offsets_since(lost, now_ms - refill_s * 1000)
    first = [partition for partition in lost if partition.topic in newest_wins]
    live = await reader.offsets_since(first, now_ms - min(refill_s, LIVE_S) * 1000)
    ends = await reader.log_ends([partition for partition in stored if partition not in live])
    return since | live, Refill(first, left_out(since, live), ends)
