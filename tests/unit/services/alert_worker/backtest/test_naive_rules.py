"""Each naive rule on a story that it must see, and one that it must not."""

from itertools import pairwise

import pytest

from services.alert_worker.backtest.minutes import MINUTE_US
from services.alert_worker.backtest.naive_rules import COOLDOWN_US, NAIVE_RULES, NaiveRule, firings
from services.alert_worker.backtest.series import Bar

RULES = {rule.name: rule for rule in NAIVE_RULES}
FLAT = [100.0 + 0.01 * (number * 7 % 5) for number in range(300)]


def bars(closes: list[float], volumes: dict[int, float] | None = None) -> list[Bar]:
    volumes = volumes or {}
    return [
        Bar((number + 1) * MINUTE_US, close, close, close, close, volumes.get(number, 1.0))
        for number, close in enumerate(closes)
    ]


@pytest.mark.parametrize("name", ["mean of 5", "z of 5", "fixed 2 %", "8 robust σ", "6 EWMA σ", "CUSUM"])
def test_a_crash_is_seen_with_its_direction(name: str) -> None:
    crash = [*FLAT, 97.0, 94.0, 91.0, 91.0, 91.0]
    seen = [direction for at_us, direction in RULES[name].fire(bars(crash)) if at_us > len(FLAT) * MINUTE_US]
    assert seen
    assert seen[0] == -1


@pytest.mark.parametrize("name", ["mean of 5", "fixed 2 %", "8 robust σ", "6 EWMA σ", "CUSUM"])
def test_a_flat_market_is_not(name: str) -> None:
    assert firings(RULES[name], bars(FLAT)) == []


def test_a_volume_ratio_of_its_own_window_needs_almost_everything_in_one_minute() -> None:
    own, prior = RULES["volume ratio"], RULES["volume ratio, prior"]
    assert firings(own, bars(FLAT, {100: 30.0})) == []
    assert firings(own, bars(FLAT, {100: 40.0})) == [(101 * MINUTE_US, 0)]
    assert firings(prior, bars(FLAT, {100: 5.0})) == [(101 * MINUTE_US, 0)]


def test_the_fixed_rule_compares_with_exactly_five_minutes_ago() -> None:
    holed = bars([100.0] * 10 + [103.0] * 3)
    assert firings(RULES["fixed 2 %"], holed) == [(11 * MINUTE_US, 1)]
    assert firings(RULES["fixed 2 %"], holed[:3] + holed[10:]) == []


def test_a_rule_keeps_silent_for_ten_minutes() -> None:
    always = NaiveRule("always", "", lambda series: ((bar.ended_us, 1) for bar in series))
    times = [at_us for at_us, _ in firings(always, bars(FLAT[:31]))]
    assert [later - sooner for sooner, later in pairwise(times)] == [COOLDOWN_US] * 3
