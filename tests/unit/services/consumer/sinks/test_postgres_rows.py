"""Events to columns and rows."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from services.consumer.sinks import postgres_rows
from shared.events import Alert, DeadLetter, FeedEvent, Instrument, Ticker, Trade

NEW_YEAR_US = 1_767_225_600_000_000
DAY_US = 86_400_000_000
ABOUT = {"exchange": "binance", "symbol": "BTCUSDT", "base": "BTC", "quote": "USDT"}
IDS = {("binance", "BTCUSDT"): 7, ("upbit", "KRW-BTC"): 9}


def trade(**fields):
    defaults = {"trade_id": "12", "price": "93421.50", "quantity": "0.10", "side": "sell", "traded_at_us": NEW_YEAR_US}
    return Trade(**ABOUT | defaults | {"received_at_us": NEW_YEAR_US + 5} | fields)


def ticker(at_us, price, **fields):
    numbers = dict.fromkeys(("open", "high", "low", "volume_24h", "turnover_24h"), "1")
    times = {"event_at_us": at_us, "received_at_us": at_us + 5}
    return Ticker(**ABOUT | numbers | times | {"price": price, "window": "rolling_24h"} | fields)


def gap(**fields):
    return FeedEvent(**{"kind": "gap", "exchange": "upbit", "reason": "cut", "at_us": 5, "from_us": 1} | fields)


def test_trades_become_arrays_with_decimals_as_they_were_spelled():
    other = trade(exchange="upbit", symbol="KRW-BTC", origin="backfill", trade_id="13")
    assert postgres_rows.trade_arrays([trade(), other], IDS) == (
        "{7,9}",
        "{12,13}",
        f"{{{NEW_YEAR_US},{NEW_YEAR_US}}}",
        f"{{{NEW_YEAR_US + 5},{NEW_YEAR_US + 5}}}",
        "{93421.50,93421.50}",
        "{0.10,0.10}",
        "{sell,sell}",
        "{stream,backfill}",
    )


def test_nothing_becomes_empty_arrays():
    assert postgres_rows.trade_arrays([], IDS) == ("{}",) * 8
    assert postgres_rows.ticker_columns([], IDS) == ([], [], [], [], [], [])


def test_a_trade_without_an_instrument_is_not_passed_over():
    with pytest.raises(KeyError):
        postgres_rows.trade_arrays([trade(symbol="ETHUSDT")], IDS)


def test_the_newest_ticker_of_an_instrument_and_minute_is_kept_and_a_tie_replaces():
    minute = NEW_YEAR_US + 60_000_000
    tickers = [ticker(NEW_YEAR_US, "1"), ticker(NEW_YEAR_US, "2"), ticker(minute, "3"), ticker(minute - 1, "4")]
    late = ticker(minute - 2, "5")
    other = ticker(minute, "6", exchange="upbit", symbol="KRW-BTC", bid_price="5")
    ids, prices, bids, asks, *_ = postgres_rows.ticker_columns([*tickers, late, other], IDS)
    assert sorted(zip(ids, prices, strict=True)) == [(7, "3"), (7, "4"), (9, "6")]
    assert (bids.count(None), asks.count(None)) == (2, 3)


@pytest.mark.parametrize(
    ("at_us", "day"),
    [(NEW_YEAR_US - 1, date(2025, 12, 31)), (NEW_YEAR_US, date(2026, 1, 1)), (0, date(1970, 1, 1))],
)
def test_days_are_those_of_utc(at_us, day):
    (number,) = postgres_rows.days_of([trade(traded_at_us=at_us), trade(traded_at_us=at_us)])
    assert postgres_rows.date_of(number) == day


def test_only_trades_of_days_that_can_be_made_are_storable():
    first, last = postgres_rows.EARLIEST_TRADE_US, postgres_rows.LATEST_TRADE_US
    assert postgres_rows.date_of(first // DAY_US) == date(2009, 1, 1)
    assert postgres_rows.date_of(last // DAY_US) == date(2100, 1, 1)
    assert [postgres_rows.unstorable(trade(traded_at_us=at)) for at in (first, last - 1)] == [None, None]
    assert "before 2009" in postgres_rows.unstorable(trade(traded_at_us=first - 1))
    assert "after 2099" in postgres_rows.unstorable(trade(traded_at_us=last))
    assert postgres_rows.unstorable(ticker(0, "1")) is None


def test_instruments_without_an_id_are_named_once():
    events = [trade(), trade(symbol="ETHUSDT"), ticker(NEW_YEAR_US, "1", symbol="ETHUSDT")]
    assert list(postgres_rows.missing_instruments(events, IDS)) == [("binance", "ETHUSDT")]


def test_a_gap_and_its_end_have_one_identity_and_other_gaps_have_others():
    same = {
        postgres_rows.gap_id(g) for g in (gap(), gap(to_us=9, at_us=10), gap(reason="restart", last_missing_id="7"))
    }
    others = [gap(exchange="binance"), gap(symbols=[]), gap(symbols=["A"]), gap(channel="trade"), gap(from_us=2)]
    more = [gap(connection="c"), gap(first_missing_id="1"), gap(from_us=None), gap(from_us=None, at_us=6)]
    assert len(same) == 1
    assert len(same | {postgres_rows.gap_id(g) for g in (*others, *more)}) == 10


def test_rows_carry_exact_numbers_and_microseconds_of_utc():
    moment = datetime(2026, 1, 1, 0, 0, 0, 123457, tzinfo=UTC)
    at_us = NEW_YEAR_US + 123_457
    names = dict.fromkeys(("alert_id", "episode_id", "kind", "rule_version"), "x")
    alert = Alert(
        **names,
        state="open",
        detectors=["a"],
        scope="market",
        direction="down",
        severity="danger",
        started_at_us=at_us,
        decided_at_us=at_us,
        change_pct="-5.250",
        members=["m"],
        changes=["listed"],
    )
    row = postgres_rows.alert_row(alert)
    assert len(row) == 28
    assert (row[8], row[9], row[-2:]) == (moment, moment, (["m"], ["listed"]))
    assert [cell for cell in row if isinstance(cell, Decimal)] == [Decimal("-5.250")]
    assert postgres_rows.gap_row(gap(from_us=at_us))[5:7] == (moment, None)
    instrument = Instrument(**ABOUT, status="halted", updated_at_us=at_us, cautions=["c"])
    assert postgres_rows.instrument_row(instrument)[-4:] == ("halted", False, ["c"], moment)
    letter = DeadLetter(reason="r", at_us=at_us, payload="eA==", payload_bytes=1, reader="redis", offset=3)
    assert postgres_rows.dead_letter_row(letter)[:6] == ("r", moment, "redis", None, None, 3)
