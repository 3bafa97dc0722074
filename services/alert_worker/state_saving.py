"""When the state of the watch is written to Kafka, and in which order, so that a restart goes on from there."""

import asyncio
from collections.abc import Sequence
from time import monotonic

from aiokafka import AIOKafkaProducer
from aiokafka.structs import TopicPartition

from services.alert_worker import snapshot
from services.alert_worker.notices import Notices
from services.alert_worker.topic_reader import partitions_of
from services.alert_worker.watch import Watch
from shared.clock import NowMicros
from shared.events import Alert, DetectorSnapshot
from shared.liveness import KAFKA_GETS_S, Liveness
from shared.partitioning import partition_of, symbol_key
from shared.topics import DETECTOR_STATE, TRADES
from shared.wire import HEADERS_OF_EVENT, encode

SNAPSHOT_EVERY_S = 30.0
_SAVE_TOLD_EVERY_S = 1.0
"""Of what was told one partition is saved so often: the first at once, each further one a second later."""

Saved = tuple[int, str, DetectorSnapshot]
"""Partition, key and record of a snapshot."""


class StateSaving:
    """One partition at a time, in turn, and beside the decisions: only notices and other rules wait for it."""

    def __init__(
        self, producer: AIOKafkaProducer, watch: Watch, notices: Notices, liveness: Liveness, now: NowMicros
    ) -> None:
        self._producer, self._watch, self._notices = producer, watch, notices
        self._liveness, self._now = liveness, now
        self._partitions = partitions_of(TRADES)
        self._saving: asyncio.Task[None] | None = None
        self._told_in: dict[TopicPartition, None] = {}
        """Partitions of which something became a record since they were saved, oldest first."""
        self._turn, self._next_save_s, self._next_told_save_s = 0, 0.0, 0.0

    def begin(self) -> None:
        """The first turn is due after a while: all that was restored is saved already."""
        self._next_save_s = monotonic() + SNAPSHOT_EVERY_S / len(self._partitions)

    def note_told(self, alert: Alert) -> None:
        """It became a record: the state of its partition is to be saved soon."""
        self._told_in[_partition_of(alert)] = None

    async def save_what_is_due(self) -> None:
        """Begin to write the next partition, unless one is still being written. Raises what went wrong with that."""
        if self._saving is not None and not self._saving.done():
            return
        await self._saved()
        if self._told_in and monotonic() >= self._next_told_save_s:
            self._saving = asyncio.create_task(self._send_all(self._state_of(next(iter(self._told_in)))))
            self._next_told_save_s = monotonic() + _SAVE_TOLD_EVERY_S
        elif monotonic() >= self._next_save_s:
            first, *rest = self._state_of(self._partitions[self._turn])
            self._saving = asyncio.create_task(self._send_all([first, self._state_of_notices(), *rest]))
            self._turn = (self._turn + 1) % len(self._partitions)
            self._next_save_s = monotonic() + SNAPSHOT_EVERY_S / len(self._partitions)

    async def give_up(self) -> None:
        """Whatever is being written is not waited for."""
        if self._saving is not None:
            self._saving.cancel()
            await asyncio.gather(self._saving, return_exceptions=True)  # what ends us is raised already

    async def save_all(self) -> None:
        """Write all state of the partitions, and wait for it."""
        self._liveness.waits(next_within_s=KAFKA_GETS_S)
        await self._saved()
        for partition in self._partitions:
            await self._send_all(self._state_of(partition))

    async def _saved(self) -> None:
        """Wait for what is being written. Raises what went wrong with it."""
        if self._saving is not None:
            await self._saving
            self._saving = None

    def _state_of(self, partition: TopicPartition) -> list[Saved]:
        """Snapshots in the order in which they have to be written; the mark of a partition goes out after everything
        that it vouches for.

        What concerns several symbols goes first: then it knows at least what the partitions have said, and what
        they say again after a restart is not new to it.

        Everything is taken at one moment, when all that was decided is on Kafka. What was just told is saved
        before its turn: a restart that judges it again may know more of the market by then, and would tell the same
        move as another. That is still so of one that is killed within the second, or the seconds of a storm, before.
        """
        number = partition.partition
        self._told_in.pop(partition, None)
        taken = snapshot.take(self._watch.partitions[number], number, self._now())
        return [(0, *snapshot.take_watch(self._watch, self._now())), *((number, *each) for each in taken)]

    def _state_of_notices(self) -> Saved:
        return 0, *snapshot.take_notices(self._notices, self._now())

    async def _send_all(self, state: Sequence[Saved]) -> None:
        """Write the first, those between, and then the last, each once Kafka has what goes before it."""
        first, *between, last = state
        await (await self._send_snapshot(*first))
        await asyncio.gather(*[await self._send_snapshot(*each) for each in between])
        await (await self._send_snapshot(*last))

    async def save_notices(self) -> None:
        """Write what the exchanges said, and wait for it."""
        self._liveness.waits(next_within_s=KAFKA_GETS_S)
        await self._saved()
        await (await self._send_snapshot(*self._state_of_notices()))

    async def _send_snapshot(self, number: int, key: str, record: DetectorSnapshot) -> asyncio.Future[object]:
        future: asyncio.Future[object] = await self._producer.send(
            DETECTOR_STATE.name, encode(record), key.encode(), partition=number,
            headers=HEADERS_OF_EVENT[DetectorSnapshot],
        )  # fmt: skip
        return future


def _partition_of(alert: Alert) -> TopicPartition:
    """Where its market's trades lie; what is of several markets is saved with any."""
    number = partition_of(symbol_key(alert.exchange or "", alert.symbol or ""), TRADES.partitions)
    return TopicPartition(TRADES.name, number)
