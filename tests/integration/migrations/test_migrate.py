"""`tapewatch db migrate` on databases as people have them."""

import asyncio
import json
import os
import sys
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import psycopg
import pytest
from aiokafka.structs import TopicPartition
from pydantic import SecretStr

from services.consumer.migrate import migrate
from services.consumer.sinks.postgres_sink import PostgresSink
from shared.errors import Unreachable, WrongUse
from shared.settings import PostgresSettings, Settings, StartSettings
from shared.topics import TRADES

STEPS = [
    "0001_tables",
    "0002_days",
    "0003_views",
    "0004_drop_day_at",
    "0005_ticker_minutes",
    "0006_batches",
    "0007_alert_changes",
    "0008_drop_dead_letters",
    "0009_audited_days",
]
TABLES = {
    *("instrument", "trade", "candle_1m", "ticker_1m", "alert", "gap", "completeness", "dead_letter", "watchlist"),
    *("sink_position", "alembic_version"),
}


async def tables(database):
    session = await asyncpg.connect(database.dsn.get_secret_value())
    rows = await session.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    await session.close()
    return {row["tablename"] for row in rows}


async def migrated(database, wait_s=0):
    return await asyncio.to_thread(migrate, database, wait_s)


def with_user(database, user, password="x"):
    parts = urlsplit(database.dsn.get_secret_value())
    netloc = f"{user}:{password}@{parts.hostname}:{parts.port}"
    return PostgresSettings(dsn=SecretStr(urlunsplit(parts._replace(netloc=netloc))))


async def as_owner(database, *statements):
    session = await asyncpg.connect(database.dsn.get_secret_value())
    for statement in statements:
        await session.execute(statement)
    await session.close()


async def command(database, *arguments):
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.cli", "db", "migrate", *arguments),
        env=os.environ | {"TAPEWATCH_POSTGRES__DSN": database.dsn.get_secret_value(), "TAPEWATCH_START__WAIT_S": "0"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def test_an_empty_database_gets_everything_and_the_second_run_does_nothing(each_database):
    assert await migrated(each_database) == STEPS
    assert await tables(each_database) == TABLES
    assert await migrated(each_database) == []


async def test_several_at_once_do_it_once(each_database):
    found = await asyncio.gather(*(command(each_database, "--json") for _ in range(3)))
    assert {code for code, *_ in found} == {0}
    assert sorted(json.loads(out)["applied"] for _, out, _ in found) == [[], [], STEPS]


async def test_databases_of_one_server_may_be_migrated_at_once(create_database):
    databases = [PostgresSettings(dsn=SecretStr(await create_database())) for _ in range(3)]
    found = await asyncio.gather(*(command(database, "--json") for database in databases))
    assert [json.loads(out)["applied"] for _, out, _ in found] == [STEPS] * 3


async def test_a_step_that_fails_leaves_nothing(each_database):
    await as_owner(each_database, "CREATE VIEW market_stats_24h AS SELECT 1")
    with pytest.raises(Exception, match="market_stats_24h"):
        await migrated(each_database)
    assert await tables(each_database) == set()
    await as_owner(each_database, "DROP VIEW market_stats_24h")
    assert await migrated(each_database) == STEPS


@pytest.mark.parametrize("right", ["CREATEROLE", "NOCREATEROLE"])
async def test_the_databases_owner_needs_no_superpowers(each_database, right):
    name = urlsplit(each_database.dsn.get_secret_value()).path.removeprefix("/")
    user = f"plain_{right.lower()}"
    await as_owner(
        each_database,
        f"DROP ROLE IF EXISTS {user}",
        f"CREATE ROLE {user} LOGIN {right} PASSWORD 'x'",
        f"ALTER DATABASE {name} OWNER TO {user}",
    )
    database = with_user(each_database, user)
    assert await migrated(database) == STEPS
    assert await migrated(database) == []
    await as_owner(
        each_database, f"ALTER DATABASE {name} OWNER TO CURRENT_USER", f"REASSIGN OWNED BY {user} TO CURRENT_USER"
    )
    await as_owner(each_database, f"DROP OWNED BY {user}", f"DROP ROLE {user}")


async def test_a_user_without_rights_is_told_in_one_line(each_database):
    await as_owner(each_database, "DROP ROLE IF EXISTS nobody_special", "CREATE ROLE nobody_special LOGIN PASSWORD 'x'")
    with pytest.raises(WrongUse, match=r"permission denied.*migrate as the database's owner") as told:
        await migrated(with_user(each_database, "nobody_special"))
    assert "\n" not in str(told.value)
    await as_owner(each_database, "DROP ROLE nobody_special")


async def test_a_wrong_password_is_told_in_one_line_without_it(each_database):
    with pytest.raises(WrongUse, match=r"refuses the connection.*password authentication failed") as told:
        await migrated(with_user(each_database, "tapewatch", "hunter2"), wait_s=60)
    assert "\n" not in str(told.value)
    assert "hunter2" not in str(told.value)


async def test_a_server_that_is_away_is_waited_for_and_then_told():
    nowhere = PostgresSettings(dsn=SecretStr("postgresql://x@127.0.0.1:1/tapewatch"))
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:1/tapewatch did not answer within 0 s: .*refused") as told:
        await migrated(nowhere)
    assert "\n" not in str(told.value)


async def test_a_server_that_comes_while_we_wait_is_migrated(data_directory):
    from devstack.postgres_server import Postgres
    from devstack.server import Server

    server = Server(Postgres(data_directory / "postgres"))
    await asyncio.to_thread(server.start)
    try:
        database = PostgresSettings(dsn=SecretStr(server.address))
        await asyncio.to_thread(server.stop)
        migrating = asyncio.create_task(migrated(database, wait_s=30))
        await asyncio.sleep(0.5)
        assert not migrating.done()
        await asyncio.to_thread(server.start)
        assert await migrating == STEPS
    finally:
        await asyncio.to_thread(server.stop)


async def test_a_server_that_turns_us_away_and_is_ready_a_moment_later_is_migrated(fresh_database, monkeypatch):
    connect, turned_away = psycopg.connect, iter([psycopg.OperationalError("the database system is starting up")])

    def starting(conninfo):
        for error in turned_away:
            raise error
        return connect(conninfo)

    monkeypatch.setattr(psycopg, "connect", starting)
    assert await migrated(fresh_database) == STEPS


async def test_the_command_says_what_it_did_and_ends_with_the_right_code(fresh_database):
    code, out, err = await command(fresh_database)
    assert (code, err) == (0, "")
    assert f"ran {', '.join(STEPS)}" in out
    code, out, _ = await command(fresh_database)
    assert (code, "nothing to do" in out) == (0, True)
    code, out, _ = await command(fresh_database, "--json")
    assert (code, json.loads(out)["applied"]) == (0, [])
    assert (await command(with_user(fresh_database, "tapewatch", "wrong")))[0] == 2
    code, out, err = await command(PostgresSettings(dsn=SecretStr("postgresql://x@127.0.0.1:1/y")))
    assert (code, out) == (3, "")
    assert err.startswith("tapewatch db migrate: PostgreSQL 127.0.0.1:1/y did not answer")


FILL = """
    INSERT INTO instrument (exchange, symbol, base, quote) SELECT 'upbit', 'KRW-' || n, n, 'KRW'
        FROM generate_series(1, 20) n;
    SELECT make_trade_day('2026-01-01'::date + d) FROM generate_series(0, 2) d;
    INSERT INTO trade (instrument_id, trade_id, traded_at, received_at, price, quantity, side, origin)
        SELECT 1 + n % 20, n, '2026-01-01Z'::timestamptz + n * interval '80 seconds', '2026-01-04Z', n / 8.0, 1, 'buy',
            'stream'
        FROM generate_series(1, 3000) n;
    INSERT INTO candle_1m
        SELECT instrument_id, date_trunc('minute', traded_at), min(price), max(price), min(price), max(price), count(*),
            sum(price), count(*), min(traded_at), min(trade_id), max(traded_at), max(trade_id)
        FROM trade GROUP BY 1, 2;
    INSERT INTO ticker_1m SELECT instrument_id, opened_at, close, NULL, NULL, opened_at, opened_at FROM candle_1m;
    INSERT INTO alert (alert_id, episode_id, state, kind, detectors, scope, direction, severity, started_at, decided_at,
            rule_version, data_quality, members)
        SELECT n, 'e', 'open', 'move', '{move}', 'symbol', 'up', 'notice', now(), now(), '1', 'ok', '{}'
        FROM generate_series(1, 50) n;
    INSERT INTO gap (gap_id, exchange, symbols, reason, noticed_at)
        SELECT n, 'upbit', '{KRW-1}', 'r', now() FROM generate_series(1, 50) n;
    INSERT INTO completeness SELECT n, '2026-01-01', 1, 0, 'm', now(), now() FROM generate_series(1, 20) n;
    INSERT INTO dead_letter (reason, at, reader, topic, partition, "offset", suppressed, payload, payload_bytes)
        SELECT 'r', now(), 'consumer-redis', 'tape.trades.v1', 0, n, 0, 'e30=', 2 FROM generate_series(1, 50) n;
    INSERT INTO watchlist (exchange, symbol) VALUES ('upbit', 'KRW-1');
    INSERT INTO sink_position (topic, partition, next_offset, topic_id, owner)
        SELECT 'tape.trades.v1', n, 100 + n, 'the-topic', 'somebody' FROM generate_series(0, 7) n
"""


COLUMNS = """
    SELECT column_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name = $1
    ORDER BY ordinal_position
"""


async def contents(database, columns_of=None):
    """Every row of every table, in the columns that the tables have, or had."""
    session = await asyncpg.connect(database.dsn.get_secret_value(), server_settings={"timezone": "UTC"})
    try:
        found, columns = {}, columns_of or {}
        for table in sorted(TABLES - {"alembic_version"}):
            if table not in columns:
                columns[table] = ", ".join(f'"{row[0]}"' for row in await session.fetch(COLUMNS, table))
            query = f"SELECT {columns[table]} FROM {table}"  # noqa: S608  # names of our own
            found[table] = sorted(map(str, await session.fetch(query)))
        return found, columns
    finally:
        await session.close()


async def test_a_filled_database_is_brought_up_and_loses_no_row(each_database):
    """From the first schema that a consumer ever wrote to."""
    assert await asyncio.to_thread(migrate, each_database, 0, "0003") == STEPS[:3]
    await as_owner(each_database, *FILL.split(";"))
    before, columns = await contents(each_database)
    assert {table for table, rows in before.items() if not rows} == set()
    assert len(before["trade"]) == 3_000
    assert await migrated(each_database) == STEPS[3:]
    after, _ = await contents(each_database, columns)
    assert after == before

    places = {TopicPartition(TRADES.name, number): "the-topic" for number in range(TRADES.partitions)}
    sink = PostgresSink(Settings(postgres=each_database, start=StartSettings(wait_s=0)), lambda: 1_767_225_600_000_000)
    try:
        assert dict(await sink.open(places)) == {place: 100 + place.partition for place in places}
    finally:
        await sink.close()
