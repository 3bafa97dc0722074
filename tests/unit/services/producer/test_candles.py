import pytest

from services.producer.candles import MINUTES
from services.producer.exchanges.base import InvalidFrame, Listing
from shared.events import Candle
from shared.wire import decode, encode

UPBIT, BINANCE = MINUTES["upbit"], MINUTES["binance"]
BITCOIN = Listing("KRW-BTC", "BTC", "KRW")
TETHER = Listing("BTCUSDT", "BTC", "USDT")
AT_US = 1_790_000_040_000_000


def test_it_asks_for_two_hundred_minutes_before_a_time():
    assert UPBIT.path("KRW-BTC", AT_US) == "/candles/minutes/1?market=KRW-BTC&to=2026-09-21T14:14:00Z&count=200"
    assert BINANCE.path("BTCUSDT", AT_US) == (
        "/api/v3/klines?symbol=BTCUSDT&interval=1m&endTime=1790000039999&limit=200"
    )


def test_upbits_candles_are_exact_with_and_without_exponents():
    body = b"""[{"market":"KRW-BTC","candle_date_time_utc":"2026-09-21T14:13:00","candle_date_time_kst":
        "2026-09-21T23:13:00","opening_price":1.16539E8,"high_price":116540000.0,"low_price":116500000,
        "trade_price":116501000.00000000,"timestamp":1790000039000,"candle_acc_trade_price":
        123456789012.34567000,"candle_acc_trade_volume":7.9276E-4,"unit":1,"something_new":[1]}]"""
    [candle] = UPBIT.read(body, "upbit", BITCOIN, 5)
    assert candle == Candle(
        exchange="upbit", symbol="KRW-BTC", base="BTC", quote="KRW", opened_at_us=AT_US - 60_000_000,
        open="116539000", high="116540000.0", low="116500000", close="116501000.00000000", volume="0.00079276",
        turnover="123456789012.34567000", received_at_us=5,
    )  # fmt: skip
    assert decode(Candle, encode(candle)) == candle


def test_binances_candles_say_how_many_trades_they_had():
    body = b"""[[1789999980000,"0.01634790","0.80000000","0.01575800","0.01577100","148976.11427815",1790000039999,
        "2434.19055334",308,"1756.87402397","28.46694368","0"],
        [1790000040000,"1","1","1","1","0.00000000",1790000099999,"0.00000000",0,"0","0","0"]]"""
    candle, empty = BINANCE.read(body, "binance_agg", TETHER, 7)
    assert (candle.exchange, candle.symbol, candle.opened_at_us) == ("binance_agg", "BTCUSDT", AT_US - 60_000_000)
    assert (candle.close, candle.volume, candle.turnover) == ("0.01577100", "148976.11427815", "2434.19055334")
    assert (candle.trades, empty.trades, empty.volume) == (308, 0, "0.00000000")


def upbit_row(opened, price="1"):
    rest = '"high_price":1,"low_price":1,"trade_price":1,"candle_acc_trade_volume":1,"candle_acc_trade_price":1'
    return f'[{{"candle_date_time_utc":"{opened}","opening_price":{price},{rest}}}]'.encode()


@pytest.mark.parametrize(
    ("read", "body"),
    [
        (UPBIT.read, b"<html>"),
        (UPBIT.read, b'{"error":{"name":404,"message":"Code not found"}}'),
        (UPBIT.read, b'[{"candle_date_time_utc":"2026-09-21T14:13:00"}]'),
        (UPBIT.read, upbit_row("soon")),
        (UPBIT.read, upbit_row("2026-09-21T14:13:07")),
        (UPBIT.read, upbit_row("2026-09-21T14:13:00", "null")),
        (UPBIT.read, upbit_row("2026-09-21T14:13:00", "-1")),
        (BINANCE.read, b'{"code":-1121,"msg":"Invalid symbol."}'),
        (BINANCE.read, b"[[1789999980000]]"),
        (BINANCE.read, b'[[1789999980000,"NaN","1","1","1","1",0,"1",1]]'),
        (BINANCE.read, b'[[99999999999999999999,"1","1","1","1","1",0,"1",1]]'),
        (BINANCE.read, b"\xff" + b"[" * 100_000),
    ],
)
def test_anything_else_is_no_answer(read, body):
    with pytest.raises(InvalidFrame):
        read(body, "upbit", BITCOIN, 1)
    assert read is BINANCE.read or len(read(upbit_row("2026-09-21T14:13:00"), "upbit", BITCOIN, 1)) == 1
