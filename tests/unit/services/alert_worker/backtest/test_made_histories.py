"""Made histories keep what is real in them and change one thing."""

from itertools import pairwise

import pytest

from services.alert_worker.backtest.made_histories import BLOCK_MINUTES, closes, divided, shuffled, stretched, thinned
from services.alert_worker.backtest.minutes import MINUTE_US, Minute, as_trades
from services.alert_worker.records import Market

CLOSES = [100.0 + (number * 7) % 5 for number in range(500)]


def minute(number: int, opened: float, close: float) -> Minute:
    high, low = max(opened, close) + 1, min(opened, close) - 1
    return Minute(number * MINUTE_US, str(opened), str(high), str(low), str(close), volume=2.0)


MINUTES = [minute(number, *pair) for number, pair in enumerate(zip([100.0, *CLOSES[:-1]], CLOSES, strict=True))]


def is_a_candle(one: Minute) -> bool:
    prices = [float(price) for price in (one.open, one.high, one.low, one.close)]
    return max(prices) == prices[1] and min(prices) == prices[2] > 0


def test_every_return_is_so_many_times_as_large() -> None:
    made = list(stretched(MINUTES, 2.0))
    assert all(map(is_a_candle, made))
    assert [one.at_us for one in made] == [one.at_us for one in MINUTES]
    for one, twice in zip(MINUTES, made, strict=True):
        assert float(twice.low) / float(twice.high) == pytest.approx((float(one.low) / float(one.high)) ** 2)


def test_a_coin_in_another_coin() -> None:
    made = list(divided(MINUTES, MINUTES[1:]))
    assert len(made) == len(MINUTES) - 1
    assert all(map(is_a_candle, made))
    assert float(made[3].close) == pytest.approx(1_000 * CLOSES[3] / CLOSES[4])


def test_stretches_follow_one_another_without_a_step_that_nobody_made() -> None:
    made = list(shuffled([MINUTES, MINUTES[:400]], days=2, seed=7))
    assert len(made) == 2 * 1440
    assert {later.at_us - sooner.at_us for sooner, later in pairwise(made)} == {MINUTE_US}
    borders = range(BLOCK_MINUTES, len(made), BLOCK_MINUTES)
    assert all(float(made[at].open) == pytest.approx(float(made[at - 1].close)) for at in borders)
    assert made == list(shuffled([MINUTES, MINUTES[:400]], days=2, seed=7))
    assert made != list(shuffled([MINUTES, MINUTES[:400]], days=2, seed=8))


def test_trades_are_left_out_by_chance_or_but_for_each_minutes_close() -> None:
    trades = list(as_trades(MINUTES, Market("binance", "BTCUSDT", "BTC", "USDT"), prints=1))
    some = list(thinned(trades, 0.1, seed=1))
    assert 0.07 < len(some) / len(trades) < 0.13
    assert [trade.price for trade in closes(trades)] == [one.close for one in MINUTES]
