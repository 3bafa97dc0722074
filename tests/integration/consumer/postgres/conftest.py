"""A migrated database on every PostgreSQL of this machine, and sinks that log in with the writer's rights alone."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from aiokafka.structs import TopicPartition
from pydantic import SecretStr

from services.consumer.batch import Batch, Slice
from services.consumer.migrate import migrate
from services.consumer.sinks.postgres_sink import PostgresSink
from shared.events import Event, Trade
from shared.settings import PostgresSettings, Settings, StartSettings
from shared.topics import TRADES

DAY_US = 86_400_000_000
NEW_YEAR_US = 1_767_225_600_000_000  # 2026-01-01T00:00:00Z
WRITER, PASSWORD = "a_sink", "a_password"
_numbers = itertools.count(1)
TRADES_0 = TopicPartition(TRADES.name, 0)


@dataclass
class Record:
    """One migrated database: the sink's settings, and a session of the owner to look at what is there."""

    settings: Settings
    owner: "asyncpg.Connection[asyncpg.Record]"
    sinks: list[PostgresSink] = field(default_factory=list)

    def sink(self, now_us: int = NEW_YEAR_US) -> PostgresSink:
        """Another copy of the sink, closed when the test ends."""
        self.sinks.append(PostgresSink(self.settings, lambda: now_us))
        return self.sinks[-1]

    async def opened(self, *partitions: TopicPartition, topic_id: str = "first") -> PostgresSink:
        """A sink that owns `partitions`, by default the first of the trades."""
        sink = self.sink()
        await sink.open(dict.fromkeys(partitions or (TRADES_0,), topic_id))
        return sink

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        """The query's rows as tuples."""
        return [tuple(record.values()) for record in await self.owner.fetch(query)]

    async def positions(self) -> list[tuple[Any, ...]]:
        """(topic, partition, next_offset) of every position."""
        return await self.rows("SELECT topic, partition, next_offset FROM sink_position ORDER BY 1, 2")


@pytest.fixture(scope="session")
def migrated_template(postgres_version: str) -> str:
    """Name of a database that was migrated once on this server; copies of it are made in no time."""
    name = "migrated"
    asyncio.run(_run(postgres_version, f"CREATE DATABASE {name}"))
    migrate(PostgresSettings(dsn=SecretStr(_address(postgres_version, name))), 0)
    return name


@pytest.fixture
async def record(postgres_version: str, migrated_template: str) -> AsyncIterator[Record]:
    name = f"record_{next(_numbers)}"
    await _run(postgres_version, f"CREATE DATABASE {name} TEMPLATE {migrated_template}")
    owner = await asyncpg.connect(_address(postgres_version, name), server_settings={"timezone": "UTC"})
    if not await owner.fetchval("SELECT count(*) FROM pg_roles WHERE rolname = $1", WRITER):
        await owner.execute(f"CREATE ROLE {WRITER} LOGIN PASSWORD '{PASSWORD}' IN ROLE tapewatch_writer")
    dsn = SecretStr(_address(postgres_version, name, f"{WRITER}:{PASSWORD}"))
    record = Record(Settings(postgres=PostgresSettings(dsn=dsn), start=StartSettings(wait_s=5)), owner)
    yield record
    for sink in record.sinks:
        await sink.close()
    await owner.close()
    await _run(postgres_version, f"DROP DATABASE {name} WITH (FORCE)")


async def _run(dsn: str, statement: str) -> None:
    session = await asyncpg.connect(dsn)
    await session.execute(statement)
    await session.close()


def _address(dsn: str, database: str, user: str | None = None) -> str:
    parts = urlsplit(dsn)
    netloc = parts.netloc if user is None else f"{user}@{parts.hostname}:{parts.port}"
    return urlunsplit(parts._replace(netloc=netloc, path=f"/{database}"))


MakeTrade = Callable[..., Trade]
Write = Callable[..., Awaitable[Any]]
Letter = Callable[..., Awaitable[Any]]


@pytest.fixture
def letter(record: Record) -> Letter:
    """``await letter(timedelta(days=31), copies=5)``: dead letters that are as old as that by the server's clock."""

    async def store(age: timedelta, copies: int = 1) -> None:
        await record.owner.execute(
            "INSERT INTO dead_letter (reason, at, reader, suppressed, payload, payload_bytes)"
            " SELECT 'r', now() - $1::interval, 'redis', 0, 'e30=', 2 FROM generate_series(1, $2)",
            age,
            copies,
        )

    return store


@pytest.fixture
def trade() -> MakeTrade:
    """``trade(7, at_us=…, price="…")``: a trade that says no more than a test is about."""

    def make(trade_id: int, at_us: int = NEW_YEAR_US, symbol: str = "KRW-BTC", **fields: Any) -> Trade:
        defaults = {"price": "93421000", "quantity": "0.00123", "side": "buy", "received_at_us": at_us + 20_000}
        return Trade(
            exchange="upbit",
            symbol=symbol,
            base=symbol.removeprefix("KRW-"),
            quote="KRW",
            trade_id=str(trade_id),
            traded_at_us=at_us,
            **defaults | fields,
        )

    return make


@pytest.fixture
def batch() -> Callable[..., Batch]:
    """``batch(events, first_offset=…)`` of one partition, or of the slices of several batches joined."""

    def make(events: Iterable[Event] = (), first_offset: int = 0, at: TopicPartition = TRADES_0) -> Batch:
        events = list(events)
        offsets = list(range(first_offset, first_offset + len(events)))
        end = first_offset + len(events)
        return Batch(f"{at.topic}@{first_offset}", (Slice(at.topic, at.partition, first_offset, end, offsets, events),))

    return make
