"""What an explanation is compared with."""

import pytest

from services.cli.explain.sources import market_asked, other_sides


@pytest.mark.parametrize(
    ("asked", "others"),
    [
        ("KRW-BTC", ["binance:BTCUSDT", "binance_agg:BTCUSDT"]),
        ("BTCUSDT", ["upbit:KRW-BTC"]),
        ("binance_agg:BTCUSDT", ["upbit:KRW-BTC"]),
        ("BTC-ETH", []),
        ("binance_agg:ETHBTC", []),
    ],
)
def test_a_coin_has_its_other_side_however_its_trades_travel(asked, others) -> None:
    assert [f"{one.exchange}:{one.symbol}" for one in other_sides(market_asked(asked))] == others
