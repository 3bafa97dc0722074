"""Faults inside PostgreSQL: transactions that are refused, commits that are slow, days that are not there."""

import asyncio
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING

from shared.clock import now_us
from shared.events import Trade
from shared.kafka import make_producer
from shared.partitioning import partition_of, symbol_key
from shared.topics import TRADES
from shared.wire import HEADERS_OF_EVENT, encode
from tests.faults.fault import Check, Fault, Struck
from tests.faults.stores import login, postgres

if TYPE_CHECKING:
    from tests.faults.world import World

_STRIKES = "consumer-postgres"
_TRIES = 120
_LASTS_S = 5.0
_KEPT_WITHIN_S = 20.0
_OLD = timedelta(days=30)
_CUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'tapewatch-%'"
_ROWS = """
    SELECT (extract(epoch FROM t.traded_at) * 1000000)::bigint AS traded_at_us, t.tableoid::regclass::text AS day
    FROM trade t JOIN instrument i ON i.id = t.instrument_id WHERE i.symbol = $1
"""


async def deadlock(world: "World", _random: Random) -> Struck:
    """Somebody locks candles, then positions: the other way round than the sink, which PostgreSQL picks to fail."""
    said_before = _said(world)
    async with postgres(world) as intruder:
        await intruder.execute("SET deadlock_timeout = '60s'")  # so that the sink notices first
        for _ in range(_TRIES):
            async with intruder.transaction():
                await intruder.execute(
                    "SELECT 1 FROM candle_1m WHERE opened_at > now() - interval '3 minutes' ORDER BY 1 FOR UPDATE"
                )
                await asyncio.sleep(0.3)
                await intruder.execute("UPDATE sink_position SET owner = owner")
            if "deadlock detected" in _said(world)[len(said_before) :]:
                return Struck()
            await asyncio.sleep(0.2)
    return Struck(0, broken=["no deadlock came about"])


async def serialization_failure(world: "World", _random: Random) -> Struck:
    """The sink's transactions see one moment only, and somebody else touches its positions meanwhile."""
    said_before, failures, (user, _) = _said(world), 0, login(world.directory / "writer.dsn")
    async with postgres(world) as intruder:
        await intruder.execute(f"ALTER ROLE {user} SET default_transaction_isolation = 'repeatable read'")
        await intruder.execute(_CUT)
        for _ in range(_TRIES):
            async with intruder.transaction():
                await intruder.execute("UPDATE sink_position SET owner = owner")
                await asyncio.sleep(0.2)
            failures = _said(world)[len(said_before) :].count("could not serialize access")
            if failures:
                break
            await asyncio.sleep(0.05)
        await intruder.execute(f"ALTER ROLE {user} RESET default_transaction_isolation")
        await intruder.execute(_CUT)
    return Struck(failures, broken=[] if failures else ["no transaction was refused"])


async def slow_commits(world: "World", _random: Random) -> Struck:
    """Every commit waits for a tenth of a second before it is flushed, as on a disk that is slow to sync."""
    async with postgres(world) as owner:
        await owner.execute("ALTER SYSTEM SET commit_delay = 100000")
        await owner.execute("ALTER SYSTEM SET commit_siblings = 0")
        await owner.execute("SELECT pg_reload_conf()")
        await asyncio.sleep(2 * _LASTS_S)
        await owner.execute("ALTER SYSTEM RESET commit_delay")
        await owner.execute("ALTER SYSTEM RESET commit_siblings")
        await owner.execute("SELECT pg_reload_conf()")
    return Struck()


async def days_missing(world: "World", random: Random) -> Struck:
    """No day has a table but those with trades; then trades come on both sides of a midnight, a month's, a year's end.

    They say that they were received long ago, so that the count takes them for those of an earlier run.
    """
    async with postgres(world) as owner:
        for (table,) in await owner.fetch("SELECT table_name FROM trade_day"):
            if not await owner.fetchval(f"SELECT EXISTS (SELECT FROM {table})"):  # noqa: S608  Postgres' own name
                await owner.execute(f"DROP TABLE {table}")
    symbol = f"KRW-DAY{random.randrange(1 << 30)}"
    moments_us = [moment + step for moment in _midnights_us() for step in (-1_000, 0)]
    producer = make_producer(world.settings.kafka, "faults")
    await producer.start()
    try:
        partition = partition_of(symbol_key("upbit", symbol), TRADES.partitions)
        for number, traded_at_us in enumerate(random.sample(moments_us, len(moments_us)), 1):
            value = encode(_trade(symbol, number, traded_at_us))
            headers = HEADERS_OF_EVENT[Trade]
            await producer.send_and_wait(TRADES.name, value, symbol.encode(), partition=partition, headers=headers)
    finally:
        await producer.stop()
    return Struck(len(moments_us), check=_in_their_days(symbol, moments_us))


def _midnights_us() -> list[int]:
    today = datetime.fromtimestamp(now_us() / 1e6, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    tomorrow = today + timedelta(days=1)
    moments = [
        today,
        tomorrow,
        today.replace(day=1),
        datetime(2024, 3, 1, tzinfo=UTC),
        datetime(2026, 1, 1, tzinfo=UTC),
    ]
    return sorted({int(moment.timestamp()) * 1_000_000 for moment in moments})


def _trade(symbol: str, number: int, traded_at_us: int) -> Trade:
    return Trade(
        exchange="upbit",
        symbol=symbol,
        base="DAY",
        quote="KRW",
        trade_id=str(number),
        price="1",
        quantity="1",
        side="buy",
        traded_at_us=traded_at_us,
        received_at_us=now_us() - _OLD // timedelta(microseconds=1),
    )


def _in_their_days(symbol: str, moments_us: list[int]) -> Check:
    expected = {us: f"trade_{datetime.fromtimestamp(us // 1_000_000, UTC):%Y%m%d}" for us in moments_us}

    async def check(world: "World") -> list[str]:
        found: dict[int, str] = {}
        async with postgres(world) as connection:
            for _ in range(int(_KEPT_WITHIN_S / 0.1)):
                rows = await connection.fetch(_ROWS, symbol)
                found = {row["traded_at_us"]: row["day"] for row in rows}
                if len(rows) >= len(expected):
                    break
                await asyncio.sleep(0.1)
        return [] if found == expected else [f"trades are in these days: {found}, and belong in {expected}"]

    return check


def _said(world: "World") -> str:
    return (world.directory / f"{_STRIKES}.log").read_text(encoding="utf-8", errors="replace")


async def password_changed(world: "World", _random: Random) -> Struck:
    """The sink's password becomes another for some seconds, and its sessions are ended."""
    said_before, (user, password) = _said(world), login(world.directory / "writer.dsn")
    async with postgres(world) as owner:
        await owner.execute(f"ALTER ROLE {user} PASSWORD 'another'")
        await owner.execute(_CUT)
        for _ in range(_TRIES):
            await asyncio.sleep(0.5)
            if refused := "refuses the connection" in _said(world)[len(said_before) :]:
                break
        await owner.execute(f"ALTER ROLE {user} PASSWORD '{password}'")
    return Struck(broken=[] if refused else ["nobody was told of the wrong password"])


FAULTS = [
    Fault("F17", "postgres-password-changed", "another until it was told", password_changed, bound_s=3),
    Fault("F19", "postgres-deadlock", "with somebody's locks in another order", deadlock, bound_s=4),
    Fault("F19", "postgres-serialization-failure", "under repeatable read", serialization_failure, bound_s=4),
    Fault("F20", "postgres-slow-to-sync", "0.1 s a commit for 10 s (commit_delay)", slow_commits, bound_s=5),
    Fault("F21", "days-missing", "trades around midnights, months' and years' ends", days_missing, bound_s=4),
]
