"""The record in PostgreSQL: every trade once, exact candles, minute tickers, alerts, gaps and dead letters."""

import uuid
from collections.abc import Mapping

import asyncpg
from aiokafka.structs import TopicPartition

from services.consumer.batch import Batch
from services.consumer.sinks.base import Kept, Tally, Written
from services.consumer.sinks.postgres_days import Days
from services.consumer.sinks.postgres_ownership import Ownership
from services.consumer.sinks.postgres_rows import unstorable
from services.consumer.sinks.postgres_session import SCHEMA_FAULTS, Session, connect, schema_fault
from services.consumer.sinks.postgres_writer import TOPICS, Writer
from shared.clock import NowMicros, now_us
from shared.events import Event
from shared.settings import Settings
from shared.topics import Topic

_WRITE_TIMEOUT_S = 30
_LOCKS_TIMEOUT_S = 600  # looking for a young trade in a day that is past retention reads all of it


class PostgresSink:
    """Two sessions, one that writes and one that holds the partitions' locks; the loss of either ends the process."""

    name = "postgres"
    topics: tuple[Topic, ...] = TOPICS
    is_record = True

    def __init__(self, settings: Settings, now_us: NowMicros = now_us) -> None:
        self._settings = settings
        self._days = Days(settings.postgres.retention_days, now_us)
        self._ownership: Ownership | None = None
        self._writer: Writer | None = None

    @property
    def is_standby(self) -> bool:
        """See `Sink.is_standby`."""
        return self._ownership is not None and self._ownership.is_standby

    @property
    def is_made_anew(self) -> bool:
        """See `Sink.is_made_anew`."""
        return self._opened.is_made_anew

    @property
    def tally(self) -> Tally:
        """See `Sink.tally`."""
        return Tally() if self._writer is None else self._writer.tally

    @property
    def answered(self) -> int:
        """See `Sink.answered`: statements, BEGIN and COMMIT among them."""
        return 0 if self._writer is None else self._writer.answered

    def refuses(self, event: Event) -> str | None:
        """See `postgres_rows.unstorable`."""
        return unstorable(event)

    async def open(self, topic_ids: Mapping[TopicPartition, str]) -> Mapping[TopicPartition, int | None]:
        """Wait for PostgreSQL and for the locks, then take the positions; see `Sink.open`.

        Raises Unreachable or WrongUse, one line each, when PostgreSQL is away, refuses us, or was not migrated.
        """
        try:
            self._ownership = Ownership(await self._connect("locks", _LOCKS_TIMEOUT_S), self._days, self.name)
            await self._ownership.acquire(topic_ids)
            self._writer = Writer(await self._connect("writer", _WRITE_TIMEOUT_S), self._days, uuid.uuid4().hex)
            positions = await self._writer.take_over(topic_ids)
        except (*SCHEMA_FAULTS, asyncpg.InsufficientPrivilegeError) as error:
            raise schema_fault(error, self._settings.postgres) from None
        self._ownership.watch()
        return positions

    async def write(self, batch: Batch) -> Written:
        """Store the batch and its positions, or nothing. Raises PositionMoved, or what ended one of the sessions."""
        await self.refresh()
        return await self._opened.write(batch)

    async def kept(self, place: TopicPartition) -> Kept | None:
        """Trades and minute tickers; see `Sink.kept`."""
        return await self._opened.kept(place)

    async def refresh(self) -> None:
        """Raise what ended the locks' session, if it ended; it looks after itself otherwise."""
        try:
            if self._ownership is not None:
                self._ownership.check()
        except (*SCHEMA_FAULTS, asyncpg.InsufficientPrivilegeError) as error:
            raise schema_fault(error, self._settings.postgres) from None

    async def close(self) -> None:
        """End both sessions; the locks are free then."""
        if self._writer is not None:
            await self._writer.close()
        if self._ownership is not None:
            await self._ownership.release()

    @property
    def _opened(self) -> Writer:
        if self._writer is None:
            raise RuntimeError("open the sink first")
        return self._writer

    async def _connect(self, role: str, statement_timeout_s: int) -> Session:
        application = f"consumer-{self.name}-{role}"
        return await connect(self._settings.postgres, self._settings.start.wait_s, application, statement_timeout_s)
