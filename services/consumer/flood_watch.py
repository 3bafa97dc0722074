"""Stops a reader at a flood of unreadable records, however small its batches and however often it starts again.

Nothing is kept for that: what was before the position is on Kafka, and is read once more when the first unreadable
record comes. So a reader that was mended finds its past readable, and goes on by itself.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

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
    _flood: Flood = field(default_factory=Flood)
    _recalled: bool = False

    async def look(self, found: Found, poison: Sequence[Poison]) -> None:
        """Note a batch and what was unreadable in it. Raises TapewatchError at a flood; KafkaError, UnknownSchema."""
        # Each unreadable record makes readable ones on the topic of dead letters: they say nothing of the tape.
        records = sum(len(some) for partition, some in found.items() if partition.topic != DEAD_LETTERS.name)
        counted = [one for one in poison if self._counts(one.topic, one.taken_at_ms)]
        if counted and not self._recalled:
            self._recalled = True
            if not self._flood.knows_enough:
                self._flood.recall(await self._past())
        if self._flood.see(records, len(counted)) and counted:
            raise TapewatchError(self._verdict(counted[-1]))

    def _counts(self, topic: str, taken_at_ms: int) -> bool:
        return topic != DEAD_LETTERS.name and taken_at_ms >= self.through_ms

    def _verdict(self, last: Poison) -> str:
        until = datetime.fromtimestamp(self.now() / 1_000_000, UTC) + timedelta(minutes=1)
        return (
            "more than half of the last thousand records could not be read: likelier this program is wrong than all "
            f"of them. The position has not moved; the last reason was: {last.reason}. With a program that reads them "
            "it goes on by itself; to keep them as dead letters all the same, set "
            f"TAPEWATCH_DEAD_LETTERS__FLOOD_UNTIL={until:%Y-%m-%dT%H:%MZ}"
        )

    async def _past(self) -> list[bool]:
        """Of the last thousand records before the start, as Kafka took them, whether each is unreadable.

        Fewer where Kafka does not send them in time, or deletes them meanwhile.
        """
        seen: list[tuple[int, bool]] = []
        reader = PartitionReader(self.kafka, f"{self.name}-flood")
        try:
            async with asyncio.timeout(_PAST_WITHIN_S):
                await self._read_past(reader, seen)
        except (TimeoutError, OffsetOutOfRangeError) as error:
            log.warning("of what was read before the start not all counts", records=len(seen), reason=repr(error))
        finally:
            await reader.close()
        return [is_bad for _, is_bad in sorted(seen, key=lambda one: one[0])[-WINDOW_RECORDS:]]

    async def _read_past(self, reader: PartitionReader, seen: list[tuple[int, bool]]) -> None:
        """Add to `seen` when Kafka took each record before the start, and whether it is unreadable."""
        stops = {p: at for p, at in self.started_at.items() if p.topic != DEAD_LETTERS.name}
        await reader.connect()
        starts = await reader.log_starts(list(stops))
        left = {p: max(starts[p], at - WINDOW_RECORDS) for p, at in stops.items()}
        left = {p: at for p, at in left.items() if at < stops[p]}
        if left:
            await reader.start(left)
        while left:
            for partition, records in (await reader.batch(_WAIT_MS, _RECORDS_AT_ONCE, only=list(left))).items():
                bad = self._unreadable(partition, records)
                seen += [(one.timestamp, one.offset in bad) for one in records if one.offset < stops[partition]]
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
