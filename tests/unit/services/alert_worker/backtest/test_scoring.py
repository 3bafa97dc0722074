"""Figures of told events, by hand."""

import pytest

from services.alert_worker.backtest.labels import Event
from services.alert_worker.backtest.minutes import MINUTE_US
from services.alert_worker.backtest.report import figures
from services.alert_worker.backtest.scoring import Month, Score, Told, Yardstick, by_month, score, told_by_us

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
    assert found.since_start_s == [90.0, pytest.approx(60.0)]
    assert (found.told, found.episodes) == (5, 4)
    assert found.delay_s(0.5) == 15.0


def test_a_missed_event_is_later_than_the_fixed_rule_where_that_saw_it() -> None:
    found = score("ours", [Told(RISE.crossed_us + 2, 1)], yardstick((FALL.crossed_us, RISE.crossed_us + 1)))
    assert (found.missed, found.later_than_fixed) == (1, 2)
    assert found.recall == 0.5
    told = [Told(FALL.crossed_us, -1), Told(RISE.crossed_us, 0)]
    assert score("ours", told, yardstick((FALL.crossed_us, None))).later_than_fixed == 0


def test_every_move_of_three_per_cent_is_counted_beside_what_is_labelled() -> None:
    measure = Yardstick([FALL], [None], 2.0, CALM, plain=[(FALL, FALL.crossed_us + 9), (RISE, RISE.crossed_us)])
    found = score("ours", [Told(FALL.crossed_us, -1)], measure)
    assert (found.events, found.missed, found.plain_events, found.plain_missed, found.plain_later) == (1, 0, 2, 1, 1)
    found.add(found)
    assert (figures(found)["plain_told"], figures(found)["plain_events"]) == (2, 4)


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
    assert total.delay_since_start_s(0.5) == 60.0
    assert Score("nothing").delay_s(0.5) is None
    assert Score("nothing").recall is None


def test_months_hold_what_was_watched_and_a_hole_is_not(series_through) -> None:
    series = series_through([100.0] * 90)
    thin = [bar for number, bar in enumerate(series.bars) if number % 20 == 0]
    hole = [bar for number, bar in enumerate(series.bars) if not 10 <= number < 75]
    told = [Told(series.bars[3].ended_us, -1), Told(series.bars[4].ended_us, -1, opens=False)]
    for bars, minutes in ((series.bars, 90), (thin, 81), (hole, 25)):
        series.bars = bars
        assert series.days == minutes / 1440
        assert by_month(series, [], told) == [Month("2023-03", minutes / 1440, 0, 1)]


@pytest.mark.parametrize(("state", "quality", "count"), [("open", "ok", 1), ("resolve", "ok", 0), ("open", "stale", 0)])
def test_people_hear_openings_and_escalations_that_are_not_stale(make_alert, state, quality, count) -> None:
    assert len(told_by_us([make_alert(state, data_quality=quality)])) == count
