"""Shocks put into quiet trades."""

import pytest

from services.alert_worker.backtest.minutes import MINUTE_US
from services.alert_worker.backtest.shocks import power, quiet_stretches, shocked

QUIET = [100.0, 100.02] * 60


def test_a_shock_grows_evenly_stays_and_is_seen_every_second(trades_through, start_us) -> None:
    began_us = start_us + 100 * MINUTE_US
    trades = list(shocked(trades_through(QUIET), began_us, -0.04, 60))
    assert [int(trade.trade_id) for trade in trades] == list(range(1, len(trades) + 1))
    times = [trade.traded_at_us for trade in trades]
    assert times == sorted(times)
    after = [trade for trade in trades if began_us <= trade.traded_at_us <= began_us + MINUTE_US]
    assert len(after) > 60
    half = next(float(trade.price) for trade in after if trade.traded_at_us >= began_us + 30_000_000)
    assert half == pytest.approx(98, abs=0.05)
    assert float(trades[-1].price) == pytest.approx(96, abs=0.05)
    assert all(float(trade.price) >= 100 for trade in trades if trade.traded_at_us < began_us)


def test_large_shocks_are_told_and_tiny_ones_are_not(trades_through) -> None:
    stretches = [trades_through(QUIET)] * 2
    large, tiny = power(stretches, 0.05, 60), power(stretches, 0.001, 60)
    assert len(large.delays_s) == large.tried == 2
    assert all(0 < delay < 60 for delay in large.delays_s)
    assert tiny.delays_s == []


def test_stretches_in_which_something_was_told_are_not_quiet(trades_through) -> None:
    trades = trades_through([100.0] * 600)
    first_us = trades[0].traded_at_us
    free = quiet_stretches(trades, [], 1, 4)
    assert len(free) == 4
    taken = quiet_stretches(trades, [first_us + 30 * MINUTE_US], 1, 100)
    assert all(piece[0].traded_at_us > first_us + 30 * MINUTE_US for piece in taken)
