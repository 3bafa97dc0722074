"""Who begins to look in the middle of something: a way back is no change, and what stands long enough before is."""

import pytest

from services.alert_worker.divergence import Divergences
from services.alert_worker.grid import GRID_US
from services.alert_worker.samples import SAMPLE_TICKS, Sample

COINS = ("ADA", "BTC", "DOGE", "ETH", "SOL", "XRP")
USUAL, LOW = 140_000_000, 133_000_000


def sample(tick, exchange, base, price):
    symbol, quote = (f"KRW-{base}", "KRW") if exchange == "upbit" else (f"{base}USDT", "USDT")
    return Sample(tick, exchange, symbol, base, quote, price, 0, tick * GRID_US, tick * GRID_US)


def told(*prices):
    """(state, direction) of what is said while bitcoin on Upbit costs these, ten seconds apart."""
    divergences, said = Divergences(), []
    for tick, price in enumerate(prices, start=100):
        here = [sample(tick * SAMPLE_TICKS, "upbit", coin, price if coin == "BTC" else USUAL) for coin in COINS]
        there = [sample(tick * SAMPLE_TICKS, "binance", coin, 100_000) for coin in COINS]
        said += divergences.look(tick * SAMPLE_TICKS, [*here, *there])
    return [(alert.state, alert.direction) for alert in said]


@pytest.mark.parametrize("low", [1, 2])
def test_begun_in_a_fall_that_is_taken_back_nothing_is_told(low) -> None:
    assert told(*[LOW] * low, *[USUAL] * 40) == []


def test_begun_on_the_way_down_nothing_is_told_of_the_way_back() -> None:
    assert told(USUAL - 1_500_000, LOW, *[USUAL] * 40) == []


@pytest.mark.parametrize("before", [3, 4, 31])
def test_what_stood_for_as_long_as_a_change_has_to_is_what_it_changes_from(before) -> None:
    assert told(*[USUAL] * before, *[LOW] * 6) == [("open", "down")]


def test_a_change_soon_after_one_that_is_over_is_told() -> None:
    """That it is back is known for half a minute when it is over."""
    first = [*[USUAL] * 4, *[LOW] * 4, *[USUAL] * 4]
    assert told(*first, *[LOW] * 6) == [("open", "down"), ("resolve", "down"), ("open", "down")]
