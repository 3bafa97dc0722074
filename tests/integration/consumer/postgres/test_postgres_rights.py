"""The sink's user can do what the sink does, and no more; refusals are one clear line."""

import asyncio
from datetime import date, timedelta

import asyncpg
import pytest
from aiokafka.structs import TopicPartition
from pydantic import SecretStr

from services.consumer.sinks.postgres_sink import PostgresSink
from shared.clock import now_us
from shared.errors import Unreachable, WrongUse
from shared.settings import PostgresSettings, Settings, StartSettings
from shared.topics import TRADES

AT = TopicPartition(TRADES.name, 0)
HANGS_S = 30


BEYOND_THE_WRITER = (
    "DELETE FROM trade",
    "UPDATE trade SET price = 1",
    "TRUNCATE trade",
    "DROP TABLE trade",
    "DROP TABLE trade_20260101",
    "DELETE FROM trade_20260101",
    "INSERT INTO trade_20260101 SELECT * FROM trade",
    "ALTER TABLE trade DETACH PARTITION trade_20260101",
    "CREATE TABLE mine (x int)",
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "DELETE FROM alert",
    "UPDATE alert SET severity = 'notice'",
    "UPDATE dead_letter SET reason = ''",
    "DELETE FROM dead_letter",
    "DELETE FROM sink_position",
    "DELETE FROM candle_1m",
    "DELETE FROM gap",
    "INSERT INTO watchlist VALUES ('upbit', 'KRW-BTC')",
    "UPDATE instrument SET symbol = 'KRW-ETH'",
    "UPDATE alembic_version SET version_num = '0'",
)


async def test_what_the_writer_may_not(record, trade, batch):
    sink = await record.opened()
    await sink.write(batch([trade(1)]))
    writer = await asyncpg.connect(record.settings.postgres.dsn.get_secret_value())
    for statement in BEYOND_THE_WRITER:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await writer.execute(statement)
    await writer.close()
    assert await record.rows("SELECT trade_id, price::text FROM trade") == [(1, "93421000")]


async def test_the_writer_may_not_drop_a_young_day_nor_shorten_retention_to_nothing(record, trade, batch):
    sink = await record.opened()
    await sink.write(batch([trade(1, received_at_us=now_us())]))
    writer = await asyncpg.connect(record.settings.postgres.dsn.get_secret_value())
    with pytest.raises(asyncpg.InvalidParameterValueError):
        await writer.fetchval("SELECT drop_trade_day($1, interval '0', now())", date(2026, 1, 1))
    assert not await writer.fetchval("SELECT drop_trade_day($1, interval '1 day', now())", date(2026, 1, 1))
    assert await record.rows("SELECT trade_id FROM trade") == [(1,)]
    await writer.close()


async def test_the_writer_may_not_drop_a_young_letter_whatever_it_says_the_time_is(record, letter):
    await letter(timedelta(hours=23))
    writer = await asyncpg.connect(record.settings.postgres.dsn.get_secret_value())
    drop = "SELECT drop_dead_letters($1, now() + interval '10 years', 9)"
    with pytest.raises(asyncpg.InvalidParameterValueError):
        await writer.fetchval(drop, timedelta(0))
    assert await writer.fetchval(drop, timedelta(days=1)) == 0
    assert await record.rows("SELECT count(*) FROM dead_letter") == [(1,)]
    await writer.close()


async def test_a_function_of_the_callers_own_is_not_run_with_the_owners_rights(record):
    await record.owner.execute("CREATE SCHEMA mine AUTHORIZATION a_sink")
    writer = await asyncpg.connect(record.settings.postgres.dsn.get_secret_value())
    await writer.execute(
        "CREATE FUNCTION mine.hashtext(text) RETURNS int LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'trapped as %', current_user; END $$"
    )
    await writer.execute("GRANT USAGE ON SCHEMA mine TO PUBLIC")
    await writer.execute("SET search_path = mine, pg_catalog, public")
    assert await writer.fetchval("SELECT make_trade_day('2026-02-02')")
    await writer.close()


async def test_functions_run_as_a_role_without_superpowers(record):
    owners = (
        "SELECT DISTINCT r.rolname::text, r.rolsuper FROM pg_proc p JOIN pg_roles r ON r.oid = p.proowner"
        " WHERE p.prosecdef AND p.pronamespace = 'public'::regnamespace"
    )
    assert await record.rows(owners) == [("tapewatch_owner", False)]


async def test_the_reader_reads_every_table_and_writes_none(record):
    await record.owner.execute("SET ROLE tapewatch_reader")
    names = await record.rows(
        "SELECT c.relname::text FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace"
        " AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition AND c.relname <> 'alembic_version'"
    )
    assert len(names) == 18
    for (name,) in names:
        await record.owner.execute(f"TABLE {name} LIMIT 1")
        with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.WrongObjectTypeError)):
            await record.owner.execute(f"TRUNCATE {name}")
    await record.owner.execute("RESET ROLE")


async def open_at(dsn):
    sink = PostgresSink(Settings(postgres=PostgresSettings(dsn=SecretStr(dsn)), start=StartSettings(wait_s=0)))
    try:
        await sink.open({AT: "first"})
    finally:
        await sink.close()


async def test_a_wrong_password_is_one_line_without_the_password(record):
    dsn = record.settings.postgres.dsn.get_secret_value()
    with pytest.raises(WrongUse, match=r"refuses the connection .*TAPEWATCH_POSTGRES__DSN") as told:
        await open_at(dsn.replace("a_password", "hunter2"))
    assert "hunter2" not in str(told.value)


async def test_a_database_that_was_not_migrated_is_one_line(record, stack):
    with pytest.raises(WrongUse, match="tapewatch db migrate"):
        await open_at(stack.postgres_dsn)


async def refreshed_for_ever(sink):
    while True:
        await sink.refresh()
        await asyncio.sleep(0.01)


async def test_a_step_that_is_missing_is_one_line_also_when_it_is_noticed_later(record):
    await record.owner.execute("DROP FUNCTION drop_dead_letters")
    sink = await record.opened()
    with pytest.raises(WrongUse, match="tapewatch db migrate"):
        await asyncio.wait_for(refreshed_for_ever(sink), HANGS_S)


async def test_a_user_without_rights_is_one_line(record):
    await record.owner.execute("REVOKE INSERT ON sink_position FROM tapewatch_writer")
    with pytest.raises(WrongUse, match="grant tapewatch_writer"):
        await record.sink().open({AT: "first"})


async def test_postgres_away_is_waited_for_and_then_told():
    with pytest.raises(Unreachable, match="did not answer within 0 s"):
        await open_at("postgresql://nobody@127.0.0.1:1/x")


async def test_a_dsn_that_is_none_is_told():
    with pytest.raises(WrongUse, match="is not an address"):
        await open_at("host=127.0.0.1")
