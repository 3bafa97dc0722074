"""A minute as trades, and back."""

from services.alert_worker.backtest.minutes import Minute, as_trades
from services.alert_worker.backtest.series import Series
from services.alert_worker.records import Market

BITCOIN = Market("binance", "BTCUSDT", "BTC", "USDT")
RISING = Minute(60_000_000, "100", "110", "90", "105.5", 12.0)
FALLING = Minute(120_000_000, "105.5", "106", "89", "95", 12.0)


def test_the_extreme_behind_the_open_comes_first() -> None:
    first = [trade.price for trade in as_trades([RISING], BITCOIN, prints=1)]
    second = [trade.price for trade in as_trades([FALLING], BITCOIN, prints=1)]
    assert first == ["100", "90", "110", "105.5"]
    assert second == ["105.5", "106", "89", "95"]


def test_ids_and_times_rise_and_the_volume_is_kept() -> None:
    trades = list(as_trades([RISING, FALLING], BITCOIN))
    assert [trade.trade_id for trade in trades] == [str(number) for number in range(1, 25)]
    times = [trade.traded_at_us for trade in trades]
    assert times == sorted(set(times))
    assert times[-1] < 180_000_000
    assert sum(float(trade.quantity) for trade in trades) == 24.0


def test_what_was_seen_of_the_trades_is_the_minute_again() -> None:
    series = Series("binance", "BTCUSDT", "USDT")
    for trade in as_trades([RISING, FALLING], BITCOIN):
        series.add(trade)
    assert [bar[:-1] for bar in series.bars] == [(120_000_000, 100, 110, 90, 105.5), (180_000_000, 105.5, 106, 89, 95)]
    assert [bar.volume for bar in series.bars] == [12.0, 12.0]
    assert [point.price for point in series.points] == [100, 90, 110, 105.5, 105.5, 106, 89, 95]


def test_a_trade_of_an_earlier_second_changes_nothing() -> None:
    trades = list(as_trades([RISING, FALLING], BITCOIN))
    series = Series("binance", "BTCUSDT", "USDT")
    for trade in [*trades, trades[0]]:
        series.add(trade)
    assert series.bars[-1].close == 95
    assert series.days == 2 / 1440
