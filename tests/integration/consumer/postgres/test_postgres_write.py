"""What a batch leaves in PostgreSQL, and that it leaves all of it or nothing."""

import asyncio
from decimal import Decimal

import asyncpg
import pytest
from aiokafka.structs import TopicPartition

from services.consumer.batch import Batch
from services.consumer.sinks.base import Kept, PositionMoved
from shared.clock import now_us
from shared.events import Alert, DeadLetter, FeedEvent, Instrument, Ticker
from shared.partitioning import partition_of, symbol_key
from shared.topics import ALERTS, DEAD_LETTERS, FEED, INSTRUMENTS, TICKERS, TRADES

NEW_YEAR_US = 1_767_225_600_000_000
MINUTE_US = 60_000_000
DAY_US = 86_400_000_000
IDS = "SELECT trade_id FROM trade ORDER BY traded_at, trade_id"


def alert(**fields):
    return Alert(
        **{
            "alert_id": "a1",
            "episode_id": "e1",
            "state": "open",
            "kind": "move",
            "detectors": ["move_abs"],
            "scope": "symbol",
            "direction": "down",
            "severity": "warning",
            "started_at_us": NEW_YEAR_US,
            "decided_at_us": NEW_YEAR_US + 1,
            "rule_version": "1",
            "change_pct": "-5.25",
        }
        | fields
    )


def ticker(at_us, price, **fields):
    numbers = dict.fromkeys(("open", "high", "low", "volume_24h", "turnover_24h"), "1")
    return Ticker(
        exchange="upbit",
        symbol="KRW-BTC",
        base="BTC",
        quote="KRW",
        price=price,
        window="utc_day",
        event_at_us=at_us,
        received_at_us=at_us + 5,
        **numbers,
        **fields,
    )


def joined(*batches: Batch) -> Batch:
    return Batch("joined", tuple(one for batch in batches for one in batch.slices))


async def test_a_batch_becomes_rows_that_read_by_name(record, trade, batch):
    sink = await record.opened()
    written = await sink.write(batch([trade(7, price="93421000.0", quantity="0.00123000", side="sell")]))
    assert (written.new[TRADES.name], written.repeated[TRADES.name]) == (1, 0)
    row = (await record.owner.fetch("SELECT * FROM trade_tape"))[0]
    assert (row["exchange"], row["symbol"], row["trade_id"], row["side"], row["origin"]) == (
        "upbit",
        "KRW-BTC",
        "7",
        "sell",
        "stream",
    )
    assert (str(row["price"]), str(row["quantity"])) == ("93421000.0", "0.00123000")
    assert row["traded_at"].timestamp() * 1e6 == NEW_YEAR_US
    assert await record.positions() == [(TRADES.name, 0, 1)]


async def test_each_statement_of_a_batch_counts_as_an_answer(record, trade, batch):
    sink = await record.opened()
    await sink.write(batch([trade(1)]))
    before = sink.answered
    await sink.write(batch([trade(2)], first_offset=1))
    assert sink.answered - before == 1
    await sink.write(batch([trade(3, NEW_YEAR_US - 9 * DAY_US, symbol="KRW-ETH")], first_offset=2))
    await asyncio.sleep(0)  # asyncpg tells at the loop's next turn
    assert sink.answered - before == 1 + 4  # its day; its market and the ids anew; all that is stored


async def test_microseconds_and_38_digits_survive(record, trade, batch):
    sink = await record.opened()
    price, quantity = "12345678901234567890.123456789012345678", "0.000000000000000001"
    at_us = 4_000_000_000_123_457  # 2096
    await sink.write(batch([trade(9_223_372_036_854_775_807, at_us, price=price, quantity=quantity)]))
    exact = "SELECT trade_id, price::text, quantity::text, extract(epoch FROM traded_at) * 1000000 FROM trade"
    assert await record.rows(exact) == [(9_223_372_036_854_775_807, price, quantity, Decimal(at_us))]
    product = "12.345678901234567890123456789012345678"
    assert await record.rows("SELECT turnover::text FROM candle_1m") == [(product,)]


async def test_a_repeat_is_dropped_and_changes_no_candle(record, trade, batch):
    sink = await record.opened()
    trades = [trade(1), trade(2), trade(2), trade(1)]
    await sink.write(batch(trades))
    candles = await record.rows("SELECT * FROM candle_1m")
    written = await sink.write(batch([*trades, trade(3, NEW_YEAR_US + MINUTE_US)], first_offset=4))
    assert (written.new[TRADES.name], written.repeated[TRADES.name]) == (1, 4)
    assert await record.rows(IDS) == [(1,), (2,), (3,)]
    assert await record.rows("SELECT * FROM candle_1m ORDER BY opened_at LIMIT 1") == candles
    assert candles[0][8] == 2


async def test_the_same_id_of_two_symbols_is_two_trades(record, trade, batch):
    sink = await record.opened()
    await sink.write(batch([trade(1), trade(1, symbol="KRW-ETH")]))
    assert await record.rows("SELECT symbol FROM trade_tape ORDER BY 1") == [("KRW-BTC",), ("KRW-ETH",)]


async def test_a_late_trade_of_yesterday_and_a_recording_of_2021_find_their_day(record, trade, batch):
    sink = await record.opened()
    days = [NEW_YEAR_US - 1, NEW_YEAR_US, NEW_YEAR_US + DAY_US - 1, NEW_YEAR_US + DAY_US, 1_617_580_800_000_000]
    received_at_us = now_us()  # played today, or the day of 2021 would be past its retention
    await sink.write(batch([trade(n, at_us, received_at_us=received_at_us) for n, at_us in enumerate(days)]))
    where = "SELECT trade_id, tableoid::regclass::text FROM trade ORDER BY 1"
    assert await record.rows(where) == [
        (0, "trade_20251231"),
        (1, "trade_20260101"),
        (2, "trade_20260101"),
        (3, "trade_20260102"),
        (4, "trade_20210405"),
    ]


async def test_an_unexpected_position_of_one_partition_leaves_nothing_of_any(record, trade, batch):
    first, second = TopicPartition(TRADES.name, 0), TopicPartition(TRADES.name, 1)
    sink = await record.opened(first, second)
    await sink.write(joined(batch([trade(1)], at=first), batch([trade(2)], at=second)))
    wrong = joined(batch([trade(3)], 1, first), batch([trade(4)], 7, second), batch([alert()], at=second))
    with pytest.raises(PositionMoved, match=r"tape\.trades\.v1/1 at 7"):
        await sink.write(wrong)
    assert await record.rows(IDS) == [(1,), (2,)]
    assert await record.positions() == [(TRADES.name, 0, 1), (TRADES.name, 1, 1)]
    assert await record.rows("SELECT trades FROM candle_1m") == [(2,)]


async def test_a_batch_that_fails_half_way_leaves_nothing(record, trade, batch):
    letters = TopicPartition(ALERTS.name, 0)
    sink = await record.opened(TopicPartition(TRADES.name, 0), letters)
    await record.owner.execute("ALTER TABLE alert ADD CHECK (severity <> 'danger')")
    with pytest.raises(asyncpg.CheckViolationError):
        await sink.write(joined(batch([trade(1)]), batch([alert(severity="danger")], at=letters)))
    assert await record.rows(IDS) == []
    assert await record.rows("SELECT * FROM candle_1m") == []
    assert await record.positions() == [(ALERTS.name, 0, None), (TRADES.name, 0, None)]
    await sink.write(joined(batch([trade(1)]), batch([alert()], at=letters)))
    assert await record.positions() == [(ALERTS.name, 0, 1), (TRADES.name, 0, 1)]


async def test_a_log_that_begins_later_is_taken_from_there(record, trade, batch):
    sink = await record.opened()
    await sink.write(batch([trade(1)], first_offset=1234))
    await sink.write(batch([trade(2)], first_offset=1235))
    assert await record.positions() == [(TRADES.name, 0, 1236)]


async def test_the_newest_ticker_of_each_minute_stays(record, batch):
    at = TopicPartition(TICKERS.name, 0)
    sink = await record.opened(at)
    await sink.write(batch([ticker(NEW_YEAR_US, "10", bid_price="9"), ticker(NEW_YEAR_US + MINUTE_US, "20")], at=at))
    late = [ticker(NEW_YEAR_US + 2, "12"), ticker(NEW_YEAR_US + 2, "13", ask_price="14"), ticker(NEW_YEAR_US + 1, "11")]
    await sink.write(batch([*late, ticker(NEW_YEAR_US + MINUTE_US - 1, "15")], 2, at))
    await sink.write(batch([ticker(NEW_YEAR_US + 7, "16"), ticker(NEW_YEAR_US + MINUTE_US, "21")], 6, at))
    found = "SELECT extract(minute FROM opened_at)::int, price::text, ask_price FROM ticker_1m ORDER BY opened_at"
    assert await record.rows(found) == [(0, "15", None), (1, "21", None)]
    assert await record.positions() == [(TICKERS.name, 0, 8)]


async def test_a_gap_is_one_row_and_is_told_its_end(record, batch):
    at = TopicPartition(FEED.name, 0)
    sink = await record.opened(at)
    about = {"exchange": "binance", "channel": "trade", "symbols": ["BTCUSDT"], "from_us": NEW_YEAR_US}
    open_gap = FeedEvent(kind="gap", reason="connection lost", at_us=NEW_YEAR_US + 1, **about)
    over = FeedEvent(
        kind="gap",
        reason="connected again",
        at_us=NEW_YEAR_US + 9,
        to_us=NEW_YEAR_US + 8,
        last_missing_id="77",
        **about,
    )
    noise = FeedEvent(kind="connected", exchange="binance", reason="", at_us=NEW_YEAR_US)
    found = "SELECT reason, to_at IS NULL, last_missing_id, status, symbols FROM gap"
    await sink.write(batch([noise, open_gap, open_gap], at=at))
    assert await record.rows(found) == [("connection lost", True, None, "open", ["BTCUSDT"])]
    written = await sink.write(batch([over, open_gap, over], 3, at))
    assert await record.rows(found) == [("connected again", False, "77", "open", ["BTCUSDT"])]
    assert (written.new[FEED.name], written.repeated[FEED.name]) == (1, 2)
    everything = FeedEvent(kind="gap", exchange="binance", reason="restart", at_us=NEW_YEAR_US, from_us=NEW_YEAR_US)
    await sink.write(batch([everything], 6, at))
    assert (await record.rows("SELECT count(*) FROM gap"))[0][0] == 2


async def test_a_gap_that_reaches_further_is_open_again_however_often_it_is_told(record, batch):
    at = TopicPartition(FEED.name, 0)
    sink = await record.opened(at)

    def told(at_us, to_us):
        times = {"from_us": NEW_YEAR_US, "to_us": to_us and NEW_YEAR_US + to_us, "at_us": NEW_YEAR_US + at_us}
        return FeedEvent(kind="gap", exchange="upbit", reason="restart", **times)

    found = "SELECT extract(microsecond FROM to_at)::int, status FROM gap"
    await sink.write(batch([told(2, 1)], at=at))
    await record.owner.execute("UPDATE gap SET status = 'closed', closed_at = now()")
    await sink.write(batch([told(2, 1)], 1, at))
    assert await record.rows(found) == [(1, "closed")]
    await sink.write(batch([told(5, 4), told(2, 1)], 2, at))
    assert await record.rows(found) == [(4, "open")]
    await sink.write(batch([told(6, None), told(2, None)], 4, at))
    assert await record.rows(found) == [(None, "open")]
    await sink.write(batch([told(9, 8)], 6, at))
    await sink.write(batch([told(6, None)], 7, at))
    assert await record.rows(found) == [(8, "open")]


async def test_alerts_and_dead_letters_are_kept_once(record, batch):
    alerts, letters = TopicPartition(ALERTS.name, 0), TopicPartition(DEAD_LETTERS.name, 0)
    sink = await record.opened(alerts, letters)
    read = DeadLetter(
        reason="not a trade/1",
        at_us=NEW_YEAR_US,
        payload="eA==",
        payload_bytes=1,
        reader="redis",
        topic=TRADES.name,
        partition=3,
        offset=17,
    )
    fed = DeadLetter(
        reason="not JSON", at_us=NEW_YEAR_US, payload="eA==", payload_bytes=1, reader="producer", exchange="upbit"
    )
    first = joined(batch([alert(), alert()], at=alerts), batch([read, fed, fed, read], at=letters))
    written = await sink.write(first)
    assert (written.new[ALERTS.name], written.repeated[ALERTS.name]) == (1, 1)
    assert (written.new[DEAD_LETTERS.name], written.repeated[DEAD_LETTERS.name]) == (3, 1)
    assert await record.rows("SELECT alert_id, change_pct::text, members FROM alert") == [("a1", "-5.25", [])]
    assert await record.rows('SELECT topic, partition, "offset" FROM dead_letter ORDER BY id') == [
        (TRADES.name, 3, 17),
        (None, None, None),
        (None, None, None),
    ]


async def test_an_instrument_keeps_what_the_newest_list_said(record, trade, batch):
    at = TopicPartition(INSTRUMENTS.name, 0)
    sink = await record.opened(TopicPartition(TRADES.name, 0), at)

    def listed(at_us, **fields):
        return Instrument(
            exchange="upbit",
            symbol="KRW-BTC",
            base="BTC",
            quote="KRW",
            updated_at_us=at_us,
            **{"status": "trading"} | fields,
        )

    await sink.write(batch([trade(1)]))
    newest = listed(NEW_YEAR_US + 2, korean_name="비트코인", warning=True, cautions=["DEPOSIT"], status="halted")
    written = await sink.write(batch([listed(NEW_YEAR_US + 1), newest, listed(NEW_YEAR_US), newest], at=at))
    assert (written.new[INSTRUMENTS.name], written.repeated[INSTRUMENTS.name]) == (2, 2)
    found = "SELECT korean_name, status, warning, cautions FROM instrument"
    assert await record.rows(found) == [("비트코인", "halted", True, ["DEPOSIT"])]
    await sink.write(batch([trade(2)], 1))
    assert await record.rows("SELECT symbol FROM trade_tape") == [("KRW-BTC",), ("KRW-BTC",)]


async def test_views_gather_minutes_into_hours_and_days(record, trade, batch):
    sink = await record.opened()
    half_hours = [trade(n, NEW_YEAR_US + n * 30 * MINUTE_US, price=str(10 + n), quantity="2") for n in range(5)]
    await sink.write(batch(half_hours))
    hours = (
        "SELECT extract(hour FROM opened_at)::int, open, high, low, close, volume, turnover, trades::int FROM candle_1h"
    )
    assert await record.rows(hours + " ORDER BY opened_at") == [
        (0, 10, 11, 10, 11, 4, 42, 2),
        (1, 12, 13, 12, 13, 4, 50, 2),
        (2, 14, 14, 14, 14, 2, 28, 1),
    ]
    assert await record.rows("SELECT symbol, open, close, trades::int FROM candle_1d") == [("KRW-BTC", 10, 14, 5)]


async def test_what_is_kept_of_a_partition_reaches_to_the_newest_of_its_own_markets(record, trade, batch):
    number = partition_of(symbol_key("upbit", "KRW-BTC"), TRADES.partitions)
    trades, tickers = TopicPartition(TRADES.name, number), TopicPartition(TICKERS.name, number)
    other, feed = TopicPartition(TRADES.name, (number + 1) % TRADES.partitions), TopicPartition(FEED.name, 0)
    sink = await record.opened(trades, tickers, other, feed)
    new = batch([trade(7), trade(8, NEW_YEAR_US + 90_000_001)], at=trades)
    await sink.write(joined(new, batch([ticker(NEW_YEAR_US + 3, "1")], at=tickers)))

    assert [await sink.kept(place) for place in (trades, tickers, other, feed)] == [
        Kept("trade", NEW_YEAR_US + 90_000_001),
        Kept("ticker", NEW_YEAR_US + 3),
        Kept("trade", None),
        None,
    ]
