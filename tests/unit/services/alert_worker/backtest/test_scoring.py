"""Figures of told events, by hand."""

import pytest

from services.alert_worker.backtest.labels import Event
from services.alert_worker.backtest.minutes import MINUTE_US
from services.alert_worker.backtest.report import figures
from services.alert_worker.backtest.scoring import Score, Told, Yardstick, score, told_by_us

HOUR_US = 60 * MINUTE_US
FALL = Event(
    -1, 10 * HOUR_US, 10 * HOUR_US + MINUTE_US, 10 * HOUR_US + 5 * MINUTE_US, 10 * HOUR_US + 9 * MINUTE_US, -0.05
)
RISE = Event(
    1, 20 * HOUR_US, 20 * HOUR_US + MINUTE_US, 20 * HOUR_US + 5 * MINUTE_US, 20 * HOUR_US + 9 * MINUTE_US, 0.04
)
CALM = frozenset(range(12 * 60, 18 * 60))


def yardstick(fixed_us: tuple[int | None, int | None] = (None, None)) -> Yardstick:
    return Yardstick([FALL, RISE], fixed_us, days=2.0, calm=CALM)


def test_an_event_is_told_by_the_first_word_of_its_direction() -> None:
    told = [
        Told(FALL.began_us + 1, 1),
        Told(FALL.crossed_us + 30_000_000, -1),
        Told(FALL.crossed_us + 60_000_000, -1, opens=False),
        Told(RISE.crossed_us - 5, 1),
        Told(RISE.ended_us + 1, 1),
    ]
    found = score("ours", told, yardstick())
    assert (found.events, found.missed, found.again) == (2, 0, 0)
    assert found.delays_s == [30.0, 0.0]
    assert (found.told, found.episodes) == (5, 4)
    assert found.delay_s(0.5) == 15.0


def test_a_missed_event_is_later_than_the_fixed_rule_where_that_saw_it() -> None:
    found = score("ours", [Told(RISE.crossed_us + 2, 1)], yardstick((FALL.crossed_us, RISE.crossed_us + 1)))
    assert (found.missed, found.later_than_fixed) == (1, 2)
    assert found.recall == 0.5
    told = [Told(FALL.crossed_us, -1), Told(RISE.crossed_us, 0)]
    assert score("ours", told, yardstick((FALL.crossed_us, None))).later_than_fixed == 0


def test_what_was_said_in_calm_hours_and_again_is_counted_apart() -> None:
    calm_us = 13 * HOUR_US
    told = [Told(calm_us, 1), Told(calm_us + 1, 1, opens=False), Told(FALL.crossed_us, -1), Told(FALL.ended_us, -1)]
    found = score("ours", told, yardstick())
    assert (found.calm_told, found.calm_episodes, found.again) == (2, 1, 1)
    assert figures(found)["episodes_a_calm_symbol_day"] == 4.0
    assert figures(found)["episodes_a_symbol_day"] == 1.5


def test_sums_over_histories() -> None:
    total = Score("ours")
    for _ in range(2):
        total.add(score("ours", [Told(FALL.crossed_us, -1)], yardstick()))
    assert (total.events, total.missed, total.days) == (4, 2, 4.0)
    assert total.delay_s(0.95) == 0.0
    assert Score("nothing").delay_s(0.5) is None
    assert Score("nothing").recall is None


@pytest.mark.parametrize(("state", "quality", "count"), [("open", "ok", 1), ("resolve", "ok", 0), ("open", "stale", 0)])
def test_people_hear_openings_and_escalations_that_are_not_stale(make_alert, state, quality, count) -> None:
    assert len(told_by_us([make_alert(state, data_quality=quality)])) == count
