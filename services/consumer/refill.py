"""A store that lost everything is live first: what is newest now comes before what was newest a while ago.

Trades are read in order from `refill_s` ago, because their order is kept. Tickers and order books, of which the newest
wins, are read from `LIVE_S` ago, before the trades. What came before, and is all that a quiet market has, is read
beside the loop and written without moving a position. A process that ends meanwhile leaves that part undone: such a
market then has a ticker again with its next one.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

from aiokafka.structs import TopicPartition

from services.consumer.batch import Batch, Slice
from services.consumer.dead_letters import DeadLetterPublisher
from services.consumer.decode import Refuses, read_batch
from shared.kafka import PartitionReader
from shared.settings import KafkaSettings

LIVE_S = 2
"""A market that is alive sends a ticker or a book about once a second."""
Offsets = Mapping[TopicPartition, int]
Ranges = Mapping[TopicPartition, range]
_WAITING_BATCHES = 4
_WAIT_MS = 250


def beginning(since: Offsets) -> Batch:
    """A batch without events that stores where the partitions begin, before the first one of them has a record.

    Whoever is killed until then, or hands partitions on, would leave them as if nobody had begun.
    """
    return Batch("beginning", tuple(Slice(p.topic, p.partition, at, at, [], []) for p, at in sorted(since.items())))


def left_out(since: Offsets, live: Offsets) -> dict[TopicPartition, range]:
    """What is left out by starting at `live` instead of at `since`."""
    return {partition: range(since[partition], to) for partition, to in live.items() if since[partition] < to}


def within(batch: Batch, ranges: Ranges) -> Batch:
    """The batch without what lies behind the ranges."""
    slices = []
    for piece in batch.slices:
        end = ranges[TopicPartition(piece.topic, piece.partition)].stop
        kept = [(offset, event) for offset, event in zip(piece.offsets, piece.events, strict=True) if offset < end]
        slices.append(replace(piece, offsets=[o for o, _ in kept], events=[e for _, e in kept]))
    return Batch(batch.id, tuple(slices))


def in_place(batch: Batch, positions: Offsets) -> Batch:
    """The batch as one that leaves the stored `positions` where they are."""
    slices = []
    for piece in batch.slices:
        here = positions[TopicPartition(piece.topic, piece.partition)]
        slices.append(replace(piece, first_offset=here, next_offset=here))
    return Batch(f"older {batch.id}", tuple(slices))


class Refill:
    """Reads what is `older` beside the loop, which takes what waits here, and tells the loop what comes `first`.

    `level_at`: offsets by partition; the others that reached them are level with what came first.
    """

    def __init__(
        self, first: Sequence[TopicPartition] = (), older: Ranges | None = None, level_at: Offsets | None = None
    ) -> None:
        self.first = tuple(first)
        self._older, self._level_at = older or {}, level_at or {}
        self._waiting: asyncio.Queue[Batch] = asyncio.Queue(_WAITING_BATCHES)

    def see(self, positions: Offsets) -> None:
        """Nothing comes first any more when all partitions are level."""
        if self.first and all(positions[partition] >= at for partition, at in self._level_at.items()):
            self.first = ()

    @property
    def is_waiting(self) -> bool:
        """Whether there is a batch to take."""
        return not self._waiting.empty()

    def take(self) -> Batch | None:
        """The next batch to write, if one waits."""
        return None if self._waiting.empty() else self._waiting.get_nowait()

    async def run(
        self, kafka: KafkaSettings, client_id: str, refuses: Refuses, letters: DeadLetterPublisher, batch_records: int
    ) -> None:
        """Read everything once. Raises KafkaError, and UnknownSchema."""
        missing = {partition: found.start for partition, found in self._older.items()}
        if not missing:
            return
        reader = PartitionReader(kafka, client_id)
        try:
            await reader.start(missing)
            while missing:
                found = await reader.batch(_WAIT_MS, batch_records, only=list(missing))
                if found:
                    batch, poison = read_batch(found, missing, refuses)
                    await letters.publish(poison, batch.id)
                    await self._waiting.put(within(batch, self._older))
                missing = {p: await reader.position(p) for p in missing}
                missing = {p: at for p, at in missing.items() if at < self._older[p].stop}
        finally:
            await reader.close()
