"""Who may write a partition: a session that holds an advisory lock for each of them, watched once a second."""

import asyncio
import zlib
from collections.abc import Iterable

import structlog
from aiokafka.structs import TopicPartition

from services.consumer.sinks.postgres_days import Days
from services.consumer.sinks.postgres_session import Session
from shared.metrics import STANDBY

log = structlog.get_logger(__name__)

_STANDBY_POLL_S = 0.5
_CHECK_S = 1.0
_CHECK_TIMEOUT_S = 10.0
_TRY_LOCKS = """
SELECT coalesce(bool_and(pg_try_advisory_lock(k.topic, k.partition)), true)
FROM unnest($1::int[], $2::int[]) AS k (topic, partition)
"""


def lock_keys(partitions: Iterable[TopicPartition]) -> tuple[list[int], list[int]]:
    """The two integers of each partition's advisory lock, in the order in which everybody takes them."""
    ordered = sorted(partitions)
    return [zlib.crc32(p.topic.encode()) - (1 << 31) for p in ordered], [p.partition for p in ordered]


class Ownership:
    """The locks, held as long as `session` lives; PostgreSQL frees them when it is gone, however it went."""

    def __init__(self, session: Session, days: Days, reader: str) -> None:
        self._session = session
        self._days = days
        self._standby = STANDBY.labels(reader=reader)
        self._keeping: asyncio.Task[None] | None = None
        self.is_standby = False

    async def acquire(self, partitions: Iterable[TopicPartition]) -> None:
        """Return when every lock is ours. While another copy holds one we stand by, and say so once."""
        keys = lock_keys(partitions)
        while not await self._try(*keys):
            if not self.is_standby:
                log.warning("standby: another copy owns partitions of this shard; it is ours when that copy is gone")
            self.is_standby = True
            self._standby.set(1)
            await asyncio.sleep(_STANDBY_POLL_S)
        self._standby.set(0)
        if self.is_standby:
            log.info("took over from the other copy")
            self.is_standby = False

    def watch(self) -> None:
        """From now on ask every second whether the session lives, and look after the days."""
        self._keeping = asyncio.create_task(self._keep(), name="postgres locks and days")

    def check(self) -> None:
        """Raise what ended the session that holds the locks, if it ended."""
        if self._keeping is not None and self._keeping.done():
            self._keeping.result()

    async def release(self) -> None:
        """Give up the locks by ending their session."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        await self._session.close(timeout=5)

    async def _try(self, topics: list[int], partitions: list[int]) -> bool:
        locked = await self._session.fetchval(_TRY_LOCKS, topics, partitions)
        if not locked:
            # All or none: two copies that share some partitions would otherwise wait for each other for ever.
            await self._session.execute("SELECT pg_advisory_unlock_all()")
        return bool(locked)

    async def _keep(self) -> None:
        while True:
            await self._session.fetchval("SELECT 1", timeout=_CHECK_TIMEOUT_S)
            await self._days.keep(self._session)
            await asyncio.sleep(_CHECK_S)
