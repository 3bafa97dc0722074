"""Partitions by consumer group: Kafka says which ones are ours; where they stand, the store says as ever.

The group member reads nothing. Each assignment is served by a loop of its own from the positions in the store, and is
brought to its end before Kafka gives a partition to somebody else. Should that fail, compare-and-set in the store still
keeps two owners apart.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener
from aiokafka.structs import TopicPartition

from services.consumer.start import BEGINS_WITHIN_S
from shared.errors import Stopped
from shared.kafka import client_options
from shared.liveness import Liveness
from shared.settings import KafkaSettings

Serve = Callable[[Collection[TopicPartition], asyncio.Event], Awaitable[None]]
_POLL_MS = 1000
log = structlog.get_logger(__name__)


class Membership(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is untyped
    """One member of a group. Use it once."""

    def __init__(self, settings: KafkaSettings, group: str, topics: Sequence[str], liveness: Liveness) -> None:
        self._topics, self._liveness = topics, liveness
        self._is_spare = False
        self._consumer = AIOKafkaConsumer(
            **client_options(settings, f"group-{group}"),
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="none",
        )
        self._assignments: asyncio.Queue[Collection[TopicPartition]] = asyncio.Queue()
        self._until = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    async def serve(self, serve: Serve, stop: asyncio.Event) -> None:
        """Call `serve(partitions, until)` for every assignment, one after the other, until `stop` is set."""
        self._consumer.subscribe(self._topics, listener=self)
        try:
            await self._consumer.start()
            async with asyncio.TaskGroup() as tasks:
                tasks_of_member = [tasks.create_task(self._stay()), tasks.create_task(self._serve_each(serve))]
                await stop.wait()
                await self._finish()
                for task in tasks_of_member:
                    task.cancel()
        finally:
            await self._consumer.stop()

    async def _stay(self) -> None:
        """Kafka takes a member that never asks for records for a dead one; its partitions are paused."""
        while True:
            await self._consumer.getmany(timeout_ms=_POLL_MS)
            if self._is_spare:
                self._liveness.moved("spare: the group gives us no partitions")

    async def _serve_each(self, serve: Serve) -> None:
        while True:
            owned = await self._assignments.get()
            log.info("the group gave us partitions", partitions=len(owned))
            try:
                if owned:
                    await serve(owned, self._until)
            except Stopped:
                log.info("the partitions were taken back before they were served")
            finally:
                self._idle.set()

    async def _finish(self) -> None:
        self._until.set()
        await self._idle.wait()

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Return when the batch in hand is written and the store's ownership given up."""
        await self._finish()
        self._liveness.waits("the group shares its partitions out anew", BEGINS_WITHIN_S)

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Let them be served. They are paused here, for the loop reads them with a client of its own."""
        self._is_spare = not assigned
        for partition in assigned:
            self._consumer.seek(partition, 0)
        self._consumer.pause(*assigned)
        self._until = asyncio.Event()
        self._idle.clear()
        self._assignments.put_nowait(assigned)
