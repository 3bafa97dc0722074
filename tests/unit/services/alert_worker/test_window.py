"""The window against a plain reading of all prices."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.alert_worker.window import BUCKET_US, BUCKETS, SILENCE_US, Window

Prices = st.integers(1, 10**6) | st.integers(1, 10**12)
Steps = st.lists(st.tuples(st.integers(0, 800_000_000), Prices), min_size=1, max_size=60)


def naive(path: list[tuple[int, int]], buckets: int) -> tuple[int, int]:
    """Extremes of the prices that were in force during the newest `buckets`; what lies before a silence is gone."""
    head = path[-1][0] // BUCKET_US
    prices, last = [], None
    for at_us, price in path:
        bucket = at_us // BUCKET_US
        if last is not None and bucket - last[0] >= SILENCE_US // BUCKET_US:
            prices, last = [], None
        if last is not None:
            prices += [(number, last[1]) for number in range(last[0] + 1, bucket + 1)]
        prices.append((bucket, price))
        last = (bucket, price)
    seen = [price for bucket, price in prices if bucket > head - buckets]
    return max(seen), min(seen)


def walked(steps: list[tuple[int, int]]) -> tuple[Window, list[tuple[int, int]]]:
    window, path, at_us = Window(), [], 1_700_000_000_000_000
    for step_us, price in steps:
        at_us += step_us
        window.add(at_us, price)
        path.append((at_us, price))
    return window, path


@given(Steps)
def test_extremes_are_those_of_all_prices(steps) -> None:
    window, path = walked(steps)
    assert (window.high, window.low) == naive(path, BUCKETS)
    assert window.extremes(12) == naive(path, 12)
    assert window.last == path[-1][1]


@given(Steps)
def test_packing_and_unpacking_changes_nothing(steps) -> None:
    window, _ = walked(steps)
    again = Window.unpacked(window.packed(), window.head, window.last)
    assert (again.high, again.low, again.extremes(12)) == (window.high, window.low, window.extremes(12))
    at_us = window.head * BUCKET_US + 7_000_000
    for one in (window, again):
        one.add(at_us, 5)
    assert again.packed() == window.packed()


@given(Steps, st.integers(1, 1000))
def test_a_scale_changes_all_prices_alike(steps, factor) -> None:
    window, _ = walked(steps)
    scaled, _ = walked([(step_us, price * factor) for step_us, price in steps])
    window.multiply(factor)
    assert (window.high, window.low, window.packed()) == (scaled.high, scaled.low, scaled.packed())


@given(Steps, st.integers(0, 400_000_000), st.integers(1, 10**12))
def test_a_late_trade_never_sets_an_extreme(steps, ago_us, price) -> None:
    window, path = walked(steps)
    before = (window.high, window.low, window.last)
    window.add_late(path[-1][0] - ago_us, price)
    assert (window.high, window.low, window.last) == before
    assert Window.unpacked(window.packed(), window.head, window.last).high <= before[0]


def test_an_empty_window_packs() -> None:
    assert Window.unpacked(Window().packed(), 0, 0).high == 0


def test_what_did_not_stand_is_taken_back() -> None:
    window, _ = walked([(0, 100), (10_000_000, 60), (1_000_000, 101)])
    window.disown(1_700_000_000_000_000 + 9_000_000, -1)
    assert (window.high, window.low) == (101, 100)


@pytest.mark.parametrize(("direction", "left"), [(1, (120, 100)), (-1, (100, 90))])
def test_of_the_past_only_the_way_back_is_left(direction, left) -> None:
    window, _ = walked([(0, 150), (10_000_000, 80), (10_000_000, 90), (10_000_000, 120), (10_000_000, 100)])
    window.leave_only(direction, 1_700_000_000_000_000 + 25_000_000)
    assert (window.high, window.low, window.last) == (*left, 100)
    assert window.extremes(2) == ((120, 100) if direction > 0 else (100, 100))


def test_a_spike_that_stood_through_a_silence_is_taken_back_with_all_its_buckets() -> None:
    window, _ = walked([(0, 100), (10_000_000, 160), (1_000_000, 160), (20_000_000, 99)])
    window.disown(1_700_000_000_000_000 + 9_000_000, 1)
    assert (window.high, window.low) == (100, 99)
    assert window.extremes(12)[0] == 100


def test_the_price_before_a_silence_is_the_price_until_it_lasts_too_long() -> None:
    for silence_us, extremes in ((SILENCE_US - BUCKET_US, (105, 100)), (SILENCE_US, (105, 105))):
        window, _ = walked([(0, 98), (BUCKET_US, 100), (silence_us, 105)])
        assert (window.high, window.low) == extremes
