"""Reads records, hands them to the sink batch by batch, and keeps the position: the heart of a consumer.

Whatever fails ends the loop, and with it the process.
"""

import asyncio
from dataclasses import dataclass, field

import structlog
from aiokafka.errors import OffsetOutOfRangeError
from aiokafka.structs import ConsumerRecord, TopicPartition

from services.consumer.batch import Batch
from services.consumer.batch_log import being_written
from services.consumer.dead_letters import DeadLetterPublisher
from services.consumer.decode import read_batch
from services.consumer.flood_watch import FloodWatch
from services.consumer.journal import Journal
from services.consumer.refill import Refill, in_place
from services.consumer.sinks.base import Sink, Written
from shared import failpoints, metrics
from shared.clock import NowMicros
from shared.errors import TapewatchError
from shared.events import OrderBook, Ticker, Trade
from shared.kafka import PartitionReader

_WAIT_MS = 250
_REFRESH_S = 1.0
log = structlog.get_logger(__name__)


@dataclass
class Consumer:
    """One sink's loop.

    `positions` are the offsets to read next, `started_at` what they were at first, `stored` those that the store
    acknowledged since, by partition. `newest_trade_us` is when the newest trade among those was received, 0 before any.
    `in_hand` is the batch that the store has and did not acknowledge yet.
    """

    sink: Sink
    reader: PartitionReader
    dead_letters: DeadLetterPublisher
    journal: Journal
    flood: FloodWatch
    now_us: NowMicros
    batch_records: int
    positions: dict[TopicPartition, int]
    refill: Refill = field(default_factory=Refill)
    stored: dict[TopicPartition, int] = field(default_factory=dict)
    newest_trade_us: int = 0
    started_at: dict[TopicPartition, int] = field(init=False)
    in_hand: Batch | None = None
    _refreshed_at: float = 0.0

    def __post_init__(self) -> None:
        self.started_at = dict(self.positions)

    async def run(self, stop: asyncio.Event) -> None:
        """Go on until `stop` is set; the batch in hand is written first. Raises what ended it.

        With a backlog the next batch is fetched and decoded while the store writes one. Without, the store is waited
        for first: what arrives meanwhile then goes with the next batch instead of the one after it.
        """
        writing: asyncio.Task[None] | None = None
        try:
            while not stop.is_set():
                if (older := self.refill.take()) is not None:  # one at a time: what is live does not wait for all of it
                    if writing is not None:
                        await writing
                        writing = None
                    await self._write(in_place(older, self.positions))
                records, batch = await self._next_batch()
                if writing is not None:
                    await writing
                writing = None if batch is None else asyncio.create_task(self._write(batch))
                if writing is None:
                    await self._refresh_when_due()
                elif records < self.batch_records:
                    await writing
            if writing is not None:
                await writing
        finally:
            if writing is not None:
                writing.cancel()

    async def _next_batch(self) -> tuple[int, Batch | None]:
        """How many records there were, and their batch; after a quarter of a second of silence (0, None)."""
        try:
            found = await self._fetch()
        except OffsetOutOfRangeError as error:
            raise TapewatchError(f"Kafka no longer has the records to be read next, starting over: {error}") from None
        if not found:
            return 0, None
        batch, poison = read_batch(found, self.positions, self.sink.refuses)
        records = sum(map(len, found.values()))
        await self.flood.look(found, poison)
        await self.dead_letters.publish(poison, batch.id)
        self.positions |= _ends(batch)
        return records, batch

    async def _fetch(self) -> dict[TopicPartition, list[ConsumerRecord]]:
        """The next records. While others are filled again, those that are live first come first, up to half of all."""
        self.refill.see(self.positions)
        first, wait_ms = self.refill.first, 0 if self.refill.is_waiting else _WAIT_MS
        if not first:
            return await self.reader.batch(wait_ms, self.batch_records)
        found = await self.reader.batch(0, self.batch_records // 2, only=first)
        rest = [partition for partition in self.positions if partition not in first]
        room = self.batch_records - sum(map(len, found.values()))
        return found | await self.reader.batch(0 if found else wait_ms, room, only=rest)

    async def _write(self, batch: Batch) -> None:
        metrics.BATCHES_TRIED.labels(self.sink.name).inc()
        self.in_hand = batch
        with being_written(batch):
            written = await self.sink.write(batch)
        self.in_hand = None
        failpoints.reach("stored")
        done_at_us = self.now_us()
        self.journal.wrote(batch, done_at_us)
        if (oldest_us := _oldest_us(batch)) is not None:
            metrics.STORE_LATENCY.labels(self.sink.name).observe((done_at_us - oldest_us) / 1_000_000)
        self.stored |= _ends(batch)
        self.newest_trade_us = max(self.newest_trade_us, _newest_trade_us(batch))
        self._refreshed_at = _now_s()
        _count(self.sink.name, written)

    async def _refresh_when_due(self) -> None:
        if _now_s() - self._refreshed_at >= _REFRESH_S:
            await self.sink.refresh()
            self._refreshed_at = _now_s()


def _ends(batch: Batch) -> dict[TopicPartition, int]:
    return {TopicPartition(piece.topic, piece.partition): piece.next_offset for piece in batch.slices}


def _oldest_us(batch: Batch) -> int | None:
    """When the oldest market event was received; slices are in the order of arrival."""
    firsts = (piece.events[0] for piece in batch.slices if piece.events)
    return min((one.received_at_us for one in firsts if isinstance(one, Trade | Ticker | OrderBook)), default=None)


def _newest_trade_us(batch: Batch) -> int:
    """When the newest trade was received, 0 without one; see `_oldest_us`."""
    lasts = (piece.events[-1] for piece in batch.slices if piece.events)
    return max((one.received_at_us for one in lasts if isinstance(one, Trade)), default=0)


def _now_s() -> float:
    return asyncio.get_running_loop().time()


def _count(sink: str, written: Written) -> None:
    metrics.BATCHES_WRITTEN.labels(sink).inc()
    for counter, counts in ((metrics.ROWS_WRITTEN, written.new), (metrics.ROWS_REPEATED, written.repeated)):
        for topic, count in counts.items():
            if count:
                counter.labels(sink, topic).inc(count)
