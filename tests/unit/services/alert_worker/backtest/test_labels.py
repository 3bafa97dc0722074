"""What counts as an event, seen from the end of the series."""

import pytest

from services.alert_worker.backtest.labels import LEAST, Event, label, least_of
from services.alert_worker.backtest.minutes import MINUTE_US
from services.alert_worker.backtest.series import Series

CALM = [100.0, 100.01] * 30


def labelled(series: Series) -> list[Event]:
    return label(series, least_of(series))


def test_a_fall_that_stays_is_one_event(series_through, start_us) -> None:
    fall = [99.5, 98.9, 98.0, 97.0, 96.5]
    (event,) = labelled(series_through([*CALM, *fall, *[96.4, 96.5] * 20]))
    assert event.direction == -1
    assert event.change == pytest.approx(96.4 / 100.01 - 1)
    # The second of its minutes is the first that closes more than 1 % down; the third price in it is the low.
    assert event.began_us == start_us + 60 * MINUTE_US
    assert event.crossed_us == start_us + 61 * MINUTE_US + 40_000_000 + 600_000
    assert event.counted_us == start_us + 64 * MINUTE_US


def test_a_fall_that_comes_back_at_once_is_none(series_through) -> None:
    assert labelled(series_through([*CALM, 98.0, 96.0, 98.0, *CALM])) == []


def test_a_slow_fall_is_none(series_through) -> None:
    slow = [100 * 0.9975**minute for minute in range(60)]
    assert labelled(series_through([*CALM, *slow])) == []


def test_two_falls_within_half_an_hour_are_one_event_and_the_way_back_another(series_through) -> None:
    closes = [*CALM, 96.0, *[96.0] * 15, 92.0, *[92.0] * 45, 96.0, *[96.0] * 20]
    assert [event.direction for event in labelled(series_through(closes))] == [-1, 1]


def test_what_is_ordinary_for_a_coarse_coin_is_none(series_through) -> None:
    coarse = [1.00, 1.01] * 400
    ordinary = [*coarse, *[1.06] * 10, *coarse]
    bouncing = series_through([price + 0.01 * (number // 10 % 2) for number, price in enumerate(ordinary)])
    assert least_of(bouncing) == pytest.approx(0.08, rel=0.05)
    assert labelled(bouncing) == []
    assert [event.direction for event in label(bouncing, LEAST)] == [1, -1], "and is counted all the same"


def test_twenty_minutes_that_are_all_event_do_not_make_it_ordinary(series_through) -> None:
    (event,) = labelled(series_through([*[100.0] * 7, 97.0, *[94.0] * 12]))
    assert event.change == pytest.approx(-0.06)


def test_a_series_without_a_price_has_no_event(series_through) -> None:
    assert labelled(series_through([100.0])) == []
