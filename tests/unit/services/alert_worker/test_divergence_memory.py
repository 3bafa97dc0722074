"""What is kept of a coin while only one side of it trades."""

import pytest

from services.alert_worker.baseline import Baseline
from services.alert_worker.divergence import Divergences
from services.alert_worker.gap_past import WAIT_TICKS, Close
from services.alert_worker.grid import GRID_US
from services.alert_worker.samples import Sample

FIRST, BEGINS = 1_000, 1_061 * 600
HERE, THERE = ("upbit", "KRW", 140_000_000.0), ("binance", "USDT", 100_000.0)


def sample(tick):
    return Sample(tick, "upbit", "KRW-BTC", "BTC", "KRW", 140_000_000, 0, tick * GRID_US, tick * GRID_US)


@pytest.fixture
def after():
    """An hour of minutes of these sides, then only Upbit trades until no minute waits any more: what is known then."""

    def run(*sides):
        divergences = Divergences()
        for minute in range(FIRST, FIRST + 60):
            for exchange, quote, price in sides:
                divergences.hear(Close(0, exchange, "BTC", quote, minute, price * (1 + minute % 2 / 1_000)))
        for tick in range(BEGINS, BEGINS + WAIT_TICKS + 300, 100):
            divergences.look(tick, [sample(tick)])
        legs, _, windows, baseline, *_ = divergences.packed()["BTC"]
        assert [leg.tick for leg in legs.values()] == [tick]
        assert windows == [[], []]
        return baseline

    return run


def test_of_a_coin_on_one_exchange_nothing_but_its_price_is_kept(after) -> None:
    assert after(HERE) == Baseline().packed()


def test_what_the_minutes_of_both_taught_is_not_forgotten(after) -> None:
    minutes, *_ = after(HERE, THERE)
    assert minutes == 59
