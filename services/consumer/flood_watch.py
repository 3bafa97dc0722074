"""Stops a reader at a flood of unreadable records, however small its batches and however often it starts again.

Each topic counts by itself: a version that is too old cannot read one topic at all, and others may outnumber it.
Nothing is kept for that: what was before the position is on Kafka, and is read once more when the first unreadable
record comes. So a reader that was mended finds its past readable, and goes on by itself.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from operator import itemgetter

import structlog
from aiokafka.errors import OffsetOutOfRangeError
from aiokafka.structs import ConsumerRecord, TopicPartition

from services.consumer.decode import Poison, Refuses, read_batch
from services.consumer.flood import WINDOW_RECORDS, Flood
from shared.clock import NowMicros, now_us
from shared.errors import TapewatchError
from shared.kafka import PartitionReader
from shared.settings import KafkaSettings
from shared.topics import DEAD_LETTERS
from shared.wire import UnknownSchema

_WAIT_MS = 250
_PAST_WITHIN_S = 5.0
"""Half of what a consumer may go without progress: what is not read by then does not count."""
_RECORDS_AT_ONCE = 5_000
Found = Mapping[TopicPartition, Sequence[ConsumerRecord]]
Seen = dict[str, list[tuple[int, bool]]]
"""By topic: when Kafka took a record, and whether it is unreadable."""
log = structlog.get_logger(__name__)


@dataclass
class FloodWatch:
    """Of one reader that began at `started_at`. What Kafka took before `through_ms` is let through, however much."""

    kafka: KafkaSettings
    name: str
    refuses: Refuses
    started_at: Mapping[TopicPartition, int]
    through_ms: int = 0
    now: NowMicros = now_us
    _floods: dict[str, Flood] = field(default_factory=lambda: defaultdict(Flood))
    _recalled: set[str] = field(default_factory=set)

    async def look(self, found: Found, poison: Sequence[Poison]) -> None:
        """Note a batch and what was unreadable in it. Raises TapewatchError at a flood; KafkaError, UnknownSchema."""
        counted: defaultdict[str, list[Poison]] = defaultdict(list)
        for one in poison:
            if self._counts(one.topic, one.taken_at_ms):
                counted[one.topic].append(one)
        await self._recall(counted.keys() - self._recalled)
        for topic, records in _records_of_topics(found).items():
            unreadable = counted[topic]
            if self._floods[topic].see(records, len(unreadable)) and unreadable:
                raise TapewatchError(self._verdict(unreadable[-1]))

    async def _recall(self, topics: Set[str]) -> None:
        """Count what was before the start on these topics, each once: all in one reading, for its time is bounded."""
        self._recalled |= topics
        unsure = {topic for topic in topics if not self._floods[topic].knows_enough}
        if unsure:
            for topic, unreadable in (await self._past(unsure)).items():
                self._floods[topic].recall(unreadable)

    def _counts(self, topic: str, taken_at_ms: int) -> bool:
        return topic != DEAD_LETTERS.name and taken_at_ms >= self.through_ms

    def _verdict(self, last: Poison) -> str:
        until = datetime.fromtimestamp(self.now() / 1_000_000, UTC) + timedelta(minutes=1)
        return (
            f"more than half of the last thousand records of {last.topic} could not be read: likelier this program is "
            f"wrong than all of them. The position has not moved; the last reason was: {last.reason}. With a program "
            "that reads them it goes on by itself; to keep them as dead letters all the same, set "
            f"TAPEWATCH_DEAD_LETTERS__FLOOD_UNTIL={until:%Y-%m-%dT%H:%MZ}"
        )

    async def _past(self, topics: Set[str]) -> dict[str, list[bool]]:
        """Of each topic's last thousand records before the start, as Kafka took them, whether each is unreadable.

        Fewer where Kafka does not send them in time, or deletes them meanwhile.
        """
        seen: Seen = {topic: [] for topic in topics}
        reader = PartitionReader(self.kafka, f"{self.name}-flood")
        try:
            async with asyncio.timeout(_PAST_WITHIN_S):
                await self._read_past(reader, seen)
        except (TimeoutError, OffsetOutOfRangeError) as error:
            read = sum(map(len, seen.values()))
            log.warning("of what was read before the start not all counts", records=read, reason=repr(error))
        finally:
            await reader.close()
        return {
            topic: [is_bad for _, is_bad in sorted(some, key=itemgetter(0))[-WINDOW_RECORDS:]]
            for topic, some in seen.items()
        }

    async def _read_past(self, reader: PartitionReader, seen: Seen) -> None:
        """Add to `seen` when Kafka took each record of its topics before the start, and whether it is unreadable."""
        stops = {p: at for p, at in self.started_at.items() if p.topic in seen}
        await reader.connect()
        starts = await reader.log_starts(list(stops))
        left = {p: max(starts[p], at - WINDOW_RECORDS) for p, at in stops.items()}
        left = {p: at for p, at in left.items() if at < stops[p]}
        if left:
            await reader.start(left)
        while left:
            for partition, records in (await reader.batch(_WAIT_MS, _RECORDS_AT_ONCE, only=list(left))).items():
                bad = self._unreadable(partition, records)
                before = [one for one in records if one.offset < stops[partition]]
                seen[partition.topic] += [(one.timestamp, one.offset in bad) for one in before]
            left = {p: await reader.position(p) for p in left}
            left = {p: at for p, at in left.items() if at < stops[p]}

    def _unreadable(self, partition: TopicPartition, records: Sequence[ConsumerRecord]) -> set[int]:
        """Offsets of those that count. One of another version is behind us, for weeks perhaps: no reason to stop."""
        try:
            _, poison = read_batch({partition: records}, {partition: records[0].offset}, self.refuses)
        except UnknownSchema:
            if len(records) == 1:
                return set()
            return {offset for record in records for offset in self._unreadable(partition, [record])}
        return {one.offset for one in poison if self._counts(one.topic, one.taken_at_ms)}


def _records_of_topics(found: Found) -> Counter[str]:
    records: Counter[str] = Counter()
    for partition, some in found.items():
        records[partition.topic] += len(some)
    return records
