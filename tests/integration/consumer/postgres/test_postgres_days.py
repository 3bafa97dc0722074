"""Days of trades: made once whoever asks, dropped only when everything in them is old and checked."""

import asyncio
from datetime import date, timedelta

import asyncpg
import pytest
from aiokafka.structs import TopicPartition
from structlog.testing import capture_logs

from services.consumer.sinks import postgres_ownership
from services.consumer.sinks.postgres_days import TRIES_AGAIN_US, Days
from services.consumer.sinks.postgres_sink import PostgresSink
from shared.clock import now_us
from shared.topics import TRADES

DAY_US = 86_400_000_000
HANGS_S = 30
TRADES_0, OTHER = TopicPartition(TRADES.name, 0), TopicPartition(TRADES.name, 1)
NEW_YEAR_US = 1_767_225_600_000_000
TIMES = "SELECT trade_id, (extract(epoch FROM traded_at) * 1000000)::bigint FROM trade ORDER BY 1"
DAYS = "SELECT day FROM trade_day ORDER BY day"


async def test_today_and_three_days_ahead_are_there_before_the_first_trade(record):
    await record.opened()
    assert await record.rows(DAYS) == [(date(2026, 1, day),) for day in (1, 2, 3, 4)]


async def test_many_sessions_that_make_the_same_days_make_them_once(record):
    dsn = record.settings.postgres.dsn.get_secret_value()
    sessions = [await asyncpg.connect(dsn) for _ in range(4)]
    days = [date(2026, 3, 1) + timedelta(days=n) for n in range(50)]
    for day in days:
        made = await asyncio.gather(*(s.fetchval("SELECT make_trade_day($1)", day) for s in sessions))
        assert sorted(made) == [False, False, False, True]
    assert await record.rows(DAYS) == [(day,) for day in days]
    for session in sessions:
        await session.close()


async def test_making_a_day_waits_for_no_open_insert_and_holds_none_up(record, trade, batch):
    sink = await record.opened()
    async with record.owner.transaction():
        await record.owner.execute("SET LOCAL lock_timeout = '1s'")
        await sink.write(batch([trade(1)]))
        await record.owner.execute(
            "INSERT INTO trade SELECT 9, traded_at, received_at, instrument_id, 1, 1, 'buy', 'stream' FROM trade"
        )
        async with asyncio.timeout(HANGS_S):
            await sink.write(batch([trade(2, NEW_YEAR_US + 40 * DAY_US)], 1))
    assert (await record.rows("SELECT count(*) FROM trade"))[0][0] == 3


@pytest.mark.parametrize("day", [date(2008, 12, 31), date(2100, 1, 1)])
async def test_a_wild_day_is_not_made(record, day):
    with pytest.raises(asyncpg.DatetimeFieldOverflowError):
        await record.owner.fetchval("SELECT make_trade_day($1)", day)


async def old_and_replayed(record, trade, batch):
    """One old day that was received then, one that was received just now, in a database whose now is real."""
    sink = await record.opened()
    old, now = now_us() - 200 * DAY_US, now_us()
    await sink.write(batch([trade(1, old), trade(2, old - DAY_US, received_at_us=now)]))
    session = await asyncpg.connect(record.settings.postgres.dsn.get_secret_value())
    before = {row[0] for row in await record.rows(DAYS)}

    async def dropped():
        await Days(90, now_us).drop_old(session)
        return before - {row[0] for row in await record.rows(DAYS)}

    return dropped, old, session


def day_of(at_us):
    return date(1970, 1, 1) + timedelta(days=at_us // DAY_US)


async def test_a_day_is_dropped_when_its_newest_trade_was_received_long_ago(record, trade, batch):
    dropped, old, session = await old_and_replayed(record, trade, batch)
    gone = await dropped()
    assert gone == {day_of(old)}
    assert await record.rows("SELECT trade_id FROM trade") == [(2,)]
    assert (await record.rows("SELECT count(*) FROM candle_1m"))[0][0] == 2
    await session.close()


async def test_a_day_whose_first_trade_is_on_the_way_is_not_dropped_before_it(record):
    session = await asyncpg.connect(record.settings.postgres.dsn.get_secret_value())
    await session.fetchval("SELECT make_trade_day('2021-04-05')")
    await Days(90, now_us).drop_old(session)
    assert await record.rows(DAYS) == [(date(2021, 4, 5),)]
    await session.close()


async def test_a_day_that_somebody_reads_stays_until_the_next_round(record, trade, batch):
    dropped, old, session = await old_and_replayed(record, trade, batch)
    async with record.owner.transaction():
        await record.owner.fetch("SELECT * FROM trade")
        assert day_of(old) not in await dropped()
    assert day_of(old) in await dropped()
    await session.close()


async def test_a_day_that_somebody_reads_at_midnight_goes_some_minutes_later(record, trade, batch):
    _, old, session = await old_and_replayed(record, trade, batch)
    clock_us = now_us() // DAY_US * DAY_US
    days = Days(90, lambda: clock_us)
    async with record.owner.transaction():
        await record.owner.fetch("SELECT * FROM trade")
        await days.keep(session)
    await days.keep(session)
    assert (day_of(old),) in await record.rows(DAYS)
    clock_us += TRIES_AGAIN_US
    await days.keep(session)
    assert (day_of(old),) not in await record.rows(DAYS)
    await session.close()


async def test_where_an_auditor_runs_a_day_stays_until_it_passed(record, trade, batch):
    dropped, old, session = await old_and_replayed(record, trade, batch)
    checked = "INSERT INTO completeness VALUES (1, $1, 1, 0, 'ids', now(), $2)"
    await record.owner.execute(checked, day_of(now_us()), None)
    assert await dropped() == set()
    await record.owner.execute(checked, day_of(old), None)
    assert await dropped() == set()
    await record.owner.execute("UPDATE completeness SET passed_at = now()")
    assert await dropped() == {day_of(old)}
    await session.close()


async def test_a_day_stays_until_the_last_market_that_traded_in_it_passed(record, trade, batch):
    dropped, old, session = await old_and_replayed(record, trade, batch)
    midnight = old // DAY_US * DAY_US
    others = {"KRW-ETH": midnight, "KRW-XRP": midnight + DAY_US - 1, "KRW-ADA": midnight + DAY_US}
    sink = await record.opened(OTHER)
    await sink.write(batch([trade(n, at_us, symbol) for n, (symbol, at_us) in enumerate(others.items(), 3)], at=OTHER))
    passed = "INSERT INTO completeness SELECT id, $1, 1, 0, 'ids', now(), now() FROM instrument WHERE symbol = $2"
    for symbol in ("KRW-BTC", "KRW-ETH"):  # of the days that the sink made ahead none has trades: they are not named
        await record.owner.execute(passed, day_of(old), symbol)
        with capture_logs() as logs:
            assert day_of(old) not in await dropped()
        [waits] = [line for line in logs if line["event"] == "days past retention wait for their auditor"]
        assert (waits["oldest"], waits["days"]) == (str(day_of(old - DAY_US)), 3)
    await record.owner.execute(passed, day_of(old), "KRW-XRP")
    assert await dropped() == {day_of(old)}
    await session.close()


async def test_a_clock_ahead_of_the_servers_drops_nothing_sooner(record, trade, batch):
    _, _, session = await old_and_replayed(record, trade, batch)
    before = await record.rows(DAYS)
    young = day_of(now_us() - 20 * DAY_US)
    await session.fetchval("SELECT make_trade_day($1)", young)
    await record.owner.execute(
        "INSERT INTO trade SELECT 9, $1::date, $1::date, instrument_id, 1, 1, 'buy', 'stream' FROM trade LIMIT 1", young
    )
    assert not await session.fetchval(
        "SELECT drop_trade_day($1, interval '90 days', now() + interval '10 years')", young
    )
    assert await record.rows(DAYS) == sorted([*before, (young,)])
    await session.close()


MIDNIGHTS, RETENTION_DAYS, DAYS_AHEAD = 38, 10, 3


@pytest.mark.timeout(180)
async def test_through_38_midnights_under_load_every_day_is_made_dropped_and_accounted_for(
    record, trade, batch, monkeypatch
):
    """The clock is the sink's alone and lies behind the server's. Trades come late by a day and by a week."""
    monkeypatch.setattr(postgres_ownership, "_CHECK_S", 0.01)
    first = now_us() // DAY_US - MIDNIGHTS - 2
    clock_us = first * DAY_US
    postgres = record.settings.postgres.model_copy(update={"retention_days": RETENTION_DAYS})
    sink = PostgresSink(record.settings.model_copy(update={"postgres": postgres}), lambda: clock_us)
    record.sinks.append(sink)
    await sink.open({TRADES_0: "first"})
    written = []  # (traded at, received at) by trade id

    async def write(*traded_at_us):
        new = [trade(len(written) + n, at_us, received_at_us=clock_us) for n, at_us in enumerate(traded_at_us)]
        await sink.write(batch(new, len(written)))
        written.extend((at_us, clock_us) for at_us in traded_at_us)

    for today in range(first, first + MIDNIGHTS + 1):
        oldest = today - RETENTION_DAYS
        newest_received = {at_us // DAY_US: received_at_us for at_us, received_at_us in written}
        gone = {day for day, received_at_us in newest_received.items() if received_at_us // DAY_US < oldest}
        kept = {day for day in (*newest_received, *range(first, today + DAYS_AHEAD + 1)) if day not in gone}
        async with asyncio.timeout(HANGS_S):
            while await record.rows(DAYS) != [(day_of(day * DAY_US),) for day in sorted(kept)]:
                await sink.refresh()
                await asyncio.sleep(0.01)
        expected = [(n, at_us) for n, (at_us, _) in enumerate(written) if at_us // DAY_US not in gone]
        assert await record.rows(TIMES) == expected
        for minute in (0, 719, 1439):
            clock_us = today * DAY_US + minute * 60_000_000
            await write(clock_us, clock_us + 59_999_999, clock_us - DAY_US, clock_us - 7 * DAY_US)
        clock_us = (today + 1) * DAY_US
    assert gone
    assert (await record.rows("SELECT sum(trades) FROM candle_1m"))[0][0] == len(written)
