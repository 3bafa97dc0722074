"""What the worker says of itself: how fast it judges, what is left to judge, how old the newest trade is."""

from services.alert_worker.judged import Judged

NOON_US = 1_700_000_000_000_000
SECOND_US = 1_000_000


def test_the_line_has_rate_lag_and_age_also_when_nothing_comes() -> None:
    judged = Judged()
    assert judged.says(lambda: 0, NOON_US) == "0 trades/s, 0 behind, no trade since the start"

    judged.note(900, NOON_US + SECOND_US)
    judged.note(100, NOON_US + SECOND_US - 5)  # of another partition, received a little before
    at_us = NOON_US + 2 * SECOND_US
    assert judged.says(lambda: 1_234, at_us) == "500 trades/s, 1,234 behind, newest trade 1 s old"
    assert judged.says(lambda: 0, at_us + 240 * SECOND_US) == "0 trades/s, 0 behind, newest trade 4 min old"


def test_within_a_second_nothing_is_counted_anew() -> None:
    judged = Judged()
    first = judged.says(lambda: 7, NOON_US)
    judged.note(10, NOON_US)
    assert judged.says(lambda: 1 // 0, NOON_US + SECOND_US - 1) == first
    assert judged.says(lambda: 0, NOON_US + SECOND_US).startswith("10 trades/s")


def test_a_clock_that_is_set_back_does_not_silence_it() -> None:
    judged = Judged()
    judged.says(lambda: 0, NOON_US)
    judged.note(30, NOON_US)
    assert judged.says(lambda: 0, NOON_US - 3_600 * SECOND_US) == "30 trades/s, 0 behind, newest trade 0 s old"
