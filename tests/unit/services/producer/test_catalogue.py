from decimal import Decimal

import pytest

from services.producer.catalogue import CATALOGUES, InvalidList, Market, instrument
from shared.events import Trade

UPBIT, BINANCE = CATALOGUES["upbit"], CATALOGUES["binance"]


def test_upbits_markets_with_and_without_details():
    body = """[{"market":"KRW-BTC","korean_name":"비트코인","english_name":"Bitcoin","market_event":{"warning":true,
        "caution":{"PRICE_FLUCTUATIONS":true,"TRADING_VOLUME_SOARING":false}}},{"market":"BTC-ETH"}]""".encode()
    bitcoin, ether = UPBIT.read_markets(body)
    assert bitcoin == Market(
        "KRW-BTC",
        "BTC",
        "KRW",
        korean_name="비트코인",
        english_name="Bitcoin",
        warning=True,
        cautions=("PRICE_FLUCTUATIONS",),
    )
    assert ether == Market("BTC-ETH", "ETH", "BTC")


def test_binances_markets():
    body = b"""{"timezone":"UTC","symbols":[
        {"symbol":"BTCUSDT","status":"TRADING","baseAsset":"BTC","quoteAsset":"USDT","isSpotTradingAllowed":true},
        {"symbol":"LUNAUSDT","status":"HALT","baseAsset":"LUNA","quoteAsset":"USDT","isSpotTradingAllowed":true},
        {"symbol":"XUP","status":"TRADING","baseAsset":"X","quoteAsset":"UP","isSpotTradingAllowed":false}]}"""
    assert BINANCE.read_markets(body) == [
        Market("BTCUSDT", "BTC", "USDT"),
        Market("LUNAUSDT", "LUNA", "USDT", trading=False),
        Market("XUP", "X", "UP", trading=False, spot=False),
    ]
    statuses = [instrument(market, "binance", 5).status for market in BINANCE.read_markets(body)]
    assert statuses == ["trading", "halted", "halted"]


def test_turnovers_quoted_or_not_are_exact():
    assert UPBIT.read_turnovers(b'[{"market":"KRW-BTC","acc_trade_price_24h":1.2E+11},'
                                b'{"market":"KRW-ETH","acc_trade_price_24h":"148737000.00000000"},'
                                b'{"market":"BTC-XYZ","acc_trade_price_24h":5.321721321312345E-5}]') == {
        "KRW-BTC": Decimal("1.2E+11"),
        "KRW-ETH": Decimal("148737000.00000000"),
        "BTC-XYZ": Decimal("5.321721321312345E-5"),
    }  # fmt: skip
    assert BINANCE.read_turnovers(b'[{"symbol":"BTCUSDT","quoteVolume":"1598.37269802","x":1}]') == {
        "BTCUSDT": Decimal("1598.37269802")
    }


def test_how_far_trading_has_come_and_how_far_a_trade_that_was_heard_speaks():
    heard = Trade(
        exchange="any", symbol="any", base="a", quote="b", trade_id="77", price="1", quantity="1", side="buy",
        traded_at_us=5_000_000, received_at_us=1,
    )  # fmt: skip
    assert UPBIT.read_last_trades(b'[{"market":"KRW-BTC","trade_timestamp":7001},{"market":"KRW-NEW"}]') == {
        "KRW-BTC": 7001,
        "KRW-NEW": 0,
    }
    assert UPBIT.mark_of(heard) == 7000, "Upbit tells trades up to two seconds late"
    assert BINANCE.read_last_trades(b'[{"symbol":"BTCUSDT","lastId":78},{"symbol":"NEWUSDT","lastId":-1}]') == {
        "BTCUSDT": 78,
        "NEWUSDT": -1,
    }
    assert BINANCE.mark_of(heard) == 77


@pytest.mark.parametrize(
    ("read", "body"),
    [
        (UPBIT.read_markets, b"<html>"),
        (UPBIT.read_markets, b'{"error":{"name":"too_many_requests"}}'),
        (UPBIT.read_markets, b'[{"market":"KRWBTC"}]'),
        (UPBIT.read_turnovers, b'[{"market":"KRW-BTC","acc_trade_price_24h":null}]'),
        (UPBIT.read_turnovers, b'[{"market":"KRW-BTC","acc_trade_price_24h":"\xff"}]'),
        (UPBIT.read_turnovers, b'[{"market":"KRW-BTC","acc_trade_price_24h":1e9999999}]'),
        (UPBIT.read_turnovers, b'[{"market":"KRW-BTC","acc_trade_price_24h":"1e99999999999999999999"}]'),
        (BINANCE.read_turnovers, b'[{"symbol":"BTCUSDT","quoteVolume":"1e9999999"}]'),
        (BINANCE.read_markets, b'{"code":-1121,"msg":"Invalid symbol."}'),
        (BINANCE.read_turnovers, b'[{"symbol":"BTCUSDT","quoteVolume":"NaN"}]'),
        (BINANCE.read_turnovers, b"\xff" + b"[" * 100_000),
        (UPBIT.read_last_trades, b'[{"market":"KRW-BTC","trade_timestamp":1e400}]'),
        (BINANCE.read_last_trades, b'[{"symbol":"BTCUSDT","lastId":"5"}]'),
    ],
)
def test_anything_else_is_no_list(read, body):
    with pytest.raises(InvalidList):
        read(body)
