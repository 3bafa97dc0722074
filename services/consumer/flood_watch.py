"""Stops a reader at a flood of unreadable records, however small its batches and however often it starts again.

Nothing is kept for that: what was before the position is on Kafka, and is read once more when the first unreadable
record comes. So a reader that was mended finds its past readable, and goes on by itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from aiokafka.structs import ConsumerRecord, TopicPartition

from services.consumer.decode import Poison, Refuses, read_batch
from services.consumer.flood import WINDOW_RECORDS, Flood
from shared.clock import NowMicros, now_us
from shared.errors import TapewatchError
from shared.kafka import PartitionReader
from shared.settings import KafkaSettings
from shared.topics import DEAD_LETTERS

_WAIT_MS = 250
_RECORDS_AT_ONCE = 5_000
Found = Mapping[TopicPartition, Sequence[ConsumerRecord]]


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
        """Of the last thousand records before the start, as Kafka took them, whether each is unreadable."""
        stops = {p: at for p, at in self.started_at.items() if p.topic != DEAD_LETTERS.name}
        seen: list[tuple[int, bool]] = []
        reader = PartitionReader(self.kafka, f"{self.name}-flood")
        try:
            await reader.connect()
            starts = await reader.log_starts(list(stops))
            left = {p: max(starts[p], at - WINDOW_RECORDS) for p, at in stops.items()}
            left = {p: at for p, at in left.items() if at < stops[p]}
            if left:
                await reader.start(left)
            while left:
                found = await reader.batch(_WAIT_MS, _RECORDS_AT_ONCE, only=list(left))
                if found:
                    seen += self._judged(found, left, stops)
                left = {p: await reader.position(p) for p in left}
                left = {p: at for p, at in left.items() if at < stops[p]}
        finally:
            await reader.close()
        return [is_bad for _, is_bad in sorted(seen, key=lambda one: one[0])[-WINDOW_RECORDS:]]

    def _judged(
        self, found: Found, positions: Mapping[TopicPartition, int], stops: Mapping[TopicPartition, int]
    ) -> list[tuple[int, bool]]:
        _, poison = read_batch(found, positions, self.refuses)
        bad = {(one.topic, one.partition, one.offset) for one in poison if self._counts(one.topic, one.taken_at_ms)}
        return [
            (record.timestamp, (*partition, record.offset) in bad)
            for partition, records in found.items()
            for record in records
            if record.offset < stops[partition]
        ]
