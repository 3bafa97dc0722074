"""Files as trades: every kind, and what is wrong with a bad one in one line."""

import gzip
from pathlib import Path

import pytest

from services.alert_worker.backtest.history_files import kind_of, market_of, read_history, read_market
from services.alert_worker.records import Market
from shared.errors import WrongUse
from shared.wire import encode

CANDLES = "timestamp,open,high,low,close,volume\n2024-08-05 01:00:00,100.10,101,99.5,100.5,12\n"
CANDLES_MS = "timestamp_ms,open,close,high,low,volume\n1439769600000,259.9,259.8,260,259,3.57\n"
TRADES = "symbol,timestamp,datetime,side,price,amount\nEVX/BTC,1610053204203,x,sell,1.058e-05,141.0\n"
TICK = (
    '["2026-05-12 07:16:55.005000+00:00", "KRW-SAHARA", "tick", "upbit", "61.0", "61.0", "61.0", "61.0", "17.5", "0"]\n'
)


@pytest.fixture
def file(tmp_path: Path):
    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        return path

    return write


def test_candles_by_iso_time_and_by_milliseconds(file) -> None:
    by_iso = list(read_history(file("binance_BTCUSDT_1m.csv.gz", "\ufeff" + CANDLES)))
    assert [trade.price for trade in by_iso[::3]] == ["100.10", "99.5", "101", "100.5"]
    assert by_iso[0].traded_at_us == 1_722_819_600_000_000
    assert (by_iso[0].exchange, by_iso[0].base, by_iso[0].quote) == ("binance", "BTC", "USDT")
    by_ms = list(read_history(file("bitfinex_BTCUSD_1m.csv", CANDLES_MS)))
    assert [trade.price for trade in by_ms[::3]] == ["259.9", "260", "259", "259.8"]
    assert by_ms[0].traded_at_us == 1_439_769_600_000_000


def test_trades_ticks_and_records(file) -> None:
    (trade,) = read_history(file("binance_EVXBTC_trades.csv", TRADES))
    assert (trade.price, trade.quantity, trade.side, trade.quote) == ("0.00001058", "141.0", "sell", "BTC")
    assert trade.traded_at_us == 1_610_053_204_203_000
    (tick,) = read_history(file("ticks.jsonl", TICK))
    assert (tick.exchange, tick.symbol, tick.base, tick.quote) == ("upbit", "KRW-SAHARA", "SAHARA", "KRW")
    assert tick.traded_at_us == 1_778_570_215_005_000
    assert list(read_history(file("tape.jsonl", encode(tick).decode() + "\n"))) == [tick]


def test_the_market_may_be_said(file) -> None:
    (first, *_) = read_history(file("my_prices.csv", CANDLES), read_market("upbit:KRW-BTC"))
    assert (first.exchange, first.symbol, first.quote) == ("upbit", "KRW-BTC", "KRW")
    assert market_of(Path("upbit_KRW-BTC_1m_2024.csv.gz")) == Market("upbit", "KRW-BTC", "BTC", "KRW")
    with pytest.raises(WrongUse, match="--market"):
        read_history(file("prices.csv", CANDLES))
    with pytest.raises(WrongUse, match="exchange:symbol"):
        read_market("BTC")


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("a.csv", "a,b\n1,2\n", "neither candles"),
        ("binance_X_1m.csv", CANDLES + "2024-08-05,x,1,1,1,1\n", "line 3"),
        ("binance_X_1m.csv", CANDLES + "yesterday,1,1,1,1,1\n", "line 3"),
        ("binance_X.csv", TRADES + "EVX/BTC,1,x,sell,-1,1\n", "line 3"),
        ("ticks.jsonl", TICK + "[1]\n", "line 2"),
        ("tape.jsonl", '{"price": "1"}\n', "line 1"),
        ("broken.csv.gz", "", "neither"),
    ],
)
def test_a_bad_line_is_named(file, name: str, text: str, fault: str) -> None:
    with pytest.raises(WrongUse, match=fault):
        list(read_history(file(name, text)))


def test_frames_are_known_as_such(file) -> None:
    assert kind_of(file("x_trade.jsonl", '{"seq":1,"received_at":null,"frame":"{}"}\n')) == "frames"
    with pytest.raises(WrongUse, match="cannot be read"):
        kind_of(Path("/nowhere/at/all.csv"))
