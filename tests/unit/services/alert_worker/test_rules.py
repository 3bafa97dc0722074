"""Each rule at and beside its threshold."""

import math
from dataclasses import replace

import pytest

from services.alert_worker.baseline import HELD_OUT_MINUTES, WARM_MINUTES, Baseline
from services.alert_worker.prices import price_text, read_price
from services.alert_worker.rules import RULE_VERSION, RULES
from services.alert_worker.rules.base import SMALLEST_FLOOR, Sight, larger_move
from services.alert_worker.rules.drift import Drift
from services.alert_worker.rules.jump import Jump
from services.alert_worker.rules.move import Move
from services.alert_worker.rules.move_abs import MoveAbs
from services.alert_worker.rules.parameters import multiples, percents
from services.alert_worker.rules.ruleset import DEFAULTS, Storms, ruleset
from services.alert_worker.rules.tiers import Tiers
from services.alert_worker.trend import MOST_SIGMAS, SLACK_SIGMAS
from services.alert_worker.window import Window

START_US = 1_700_000_000_000_000


ONE = 1_000_000_000
"""A price."""


def learnt(sigma: float, turnover: float = 0.0, minutes: int = 200, trades: int = 0) -> Baseline:
    """A symbol whose minutes moved by plus and minus `sigma`, on average not at all."""
    baseline = Baseline()
    for minute in range(1, minutes + 1):
        baseline.begin_minute(28_000_000 + minute, ONE if minute % 2 else round(ONE * math.exp(sigma)))
        baseline.spent += turnover
        baseline.trades += trades
    return baseline


def moved(fraction: float, seconds: int = 10) -> Window:
    window = Window()
    window.add(START_US, 10_000_000)
    window.add(START_US + seconds * 1_000_000, round(10_000_000 * (1 + fraction)))
    return window


def test_the_volatility_is_that_of_the_minutes() -> None:
    assert learnt(0.001).sigma == pytest.approx(0.001)


def test_the_newest_minutes_do_not_count_yet() -> None:
    baseline = learnt(0.001)
    close = ONE
    for minute in range(201, 201 + HELD_OUT_MINUTES):
        close = close * 97 // 100
        baseline.begin_minute(28_000_000 + minute, close)
    assert baseline.sigma == pytest.approx(0.001)


def test_one_crash_does_not_blind_for_hours() -> None:
    baseline, close = learnt(0.001), ONE * 4 // 5
    for minute in range(201, 221):
        baseline.begin_minute(28_000_000 + minute, close)
    assert baseline.sigma < 0.0015


def test_a_gap_is_no_return() -> None:
    baseline = learnt(0.001)
    known = baseline.minutes
    baseline.begin_minute(28_000_400, ONE // 2)
    for minute in range(28_000_401, 28_000_410):
        baseline.begin_minute(minute, ONE // 2)
    assert baseline.minutes == known + HELD_OUT_MINUTES + 4
    assert baseline.sigma < 0.0011


def test_turnover_is_money_a_minute() -> None:
    assert learnt(0.001, turnover=70_000.0).turnover == pytest.approx(70_000.0, rel=0.02)


@pytest.mark.parametrize("fraction", [0.0201, -0.0201])
def test_a_busy_symbol_moves_abnormally_from_two_percent(fraction) -> None:
    sight = Sight("USDT", moved(fraction), learnt(0.001, turnover=100_000.0))
    finding = MoveAbs().judge(sight)
    assert finding is not None
    assert finding.change == pytest.approx(fraction)
    assert MoveAbs().judge(Sight("USDT", moved(fraction * 0.98), sight.baseline)) is None


def test_what_the_fixed_rule_would_tell_is_told_in_every_market_that_is_known() -> None:
    for dollars in (100_000, 6_000, 6):
        known = learnt(0.001, turnover=dollars)
        assert MoveAbs().judge(Sight("USDT", moved(-0.0201), known)) is not None
        assert MoveAbs().judge(Sight("USDT", moved(-0.0199), known)) is None


def test_who_is_not_known_yet_is_judged_by_the_fixed_rule_alone() -> None:
    found = DEFAULTS.findings("USDT", moved(-0.0201), Baseline(), 0, opens=True)
    assert [finding.rule for finding in found] == ["move_abs"]
    assert DEFAULTS.findings("USDT", moved(-0.0199), Baseline(), 0, opens=True) == []


@pytest.mark.parametrize("rule", [Move(), Jump()])
def test_what_opens_a_message_has_to_go_further_than_what_belongs_to_one(rule) -> None:
    calm = jumping(-0.019, sigma=0.0005).baseline
    assert rule.judge(Sight("USDT", moved(-0.019), calm)) is not None
    assert rule.judge(Sight("USDT", moved(-0.019), calm, opens=True)) is None
    assert rule.judge(Sight("USDT", moved(-0.021), calm, opens=True)) is not None


def test_a_rule_that_always_asks_for_more_asks_no_less_of_what_opens() -> None:
    rule = Move(floor_percent=percents(5))
    assert rule.judge(Sight("USDT", moved(-0.04), learnt(0.0005), opens=True)) is None
    assert rule.judge(Sight("USDT", moved(-0.051), learnt(0.0005), opens=True)) is not None


def test_the_step_between_two_orders_opens_no_message_of_a_thin_market_and_goes_on_in_one() -> None:
    coarse, busy = learnt(0.01, turnover=600.0), learnt(0.01, turnover=100_000.0)
    assert MoveAbs().judge(Sight("USDT", moved(0.029), coarse, opens=True)) is None
    assert MoveAbs().judge(Sight("USDT", moved(0.031), coarse, opens=True)) is not None
    assert MoveAbs().judge(Sight("USDT", moved(0.021), busy, opens=True)) is not None
    assert MoveAbs().judge(Sight("USDT", moved(0.021), coarse)) is not None
    assert MoveAbs().judge(Sight("USDT", moved(0.019), coarse)) is None


def test_the_tier_follows_the_money() -> None:
    for tier, dollars in (("busy", 60_000), ("middle", 6_000), ("thin", 600)):
        assert Tiers().of(learnt(0.001, turnover=dollars), "USDT") == tier
        assert Tiers().of(learnt(0.001, turnover=dollars * 1_400), "KRW") == tier
    assert Tiers(busy_dollars_a_minute=70_000).of(learnt(0.001, turnover=60_000), "USDT") == "middle"


def test_what_nobody_knows_yet_is_a_tier_of_its_own() -> None:
    assert Tiers().of(Baseline(), "KRW") == "new"
    assert Tiers().of(learnt(0.001, turnover=1e9), "XYZ") == "new"
    assert Tiers().of(learnt(0.001, turnover=1e9, minutes=WARM_MINUTES), "KRW") == "new"


def test_each_tier_has_its_own_numbers() -> None:
    rule = MoveAbs(percent=percents(5, 6, 7, 8), sigmas=multiples(1))
    for dollars, least in ((60_000, 0.05), (6_000, 0.06), (600, 0.07)):
        known = learnt(0.001, turnover=dollars)
        assert rule.judge(Sight("USDT", moved(least + 0.001), known)) is not None
        assert rule.judge(Sight("USDT", moved(least - 0.001), known)) is None


def test_the_version_says_whether_the_numbers_are_others_than_the_products() -> None:
    strict, off = MoveAbs(percent=percents(1, 2, 2, 3)), MoveAbs(enabled=False)
    versions = [
        ruleset((Move(), strict)).version,
        ruleset((Move(), off)).version,
        ruleset(tiers=Tiers(busy_dollars_a_minute=70_000)).version,
        ruleset(storms=Storms(least_coins=3)).version,
    ]
    assert ruleset().version == DEFAULTS.version == RULE_VERSION
    assert len({*versions, RULE_VERSION}) == 5
    assert all(version.startswith(f"{RULE_VERSION}+") for version in versions)
    assert ruleset((Move(), MoveAbs(percent=percents(1.0, 2.0, 2.0, 3.0)))).version == versions[0]


def test_a_rule_that_is_off_is_not_asked() -> None:
    sight = ("USDT", moved(0.05), learnt(0.001, turnover=100_000.0), 0)
    assert [finding.rule for finding in DEFAULTS.findings(*sight, opens=True)] == ["move", "move_abs"]
    some = ruleset((Move(enabled=False), MoveAbs()))
    assert [finding.rule for finding in some.findings(*sight, opens=True)] == ["move_abs"]
    assert some.floor == pytest.approx(0.02)
    assert ruleset((Move(enabled=False),)).findings(*sight, opens=True) == []


def test_a_move_is_measured_in_the_symbols_own_volatility() -> None:
    calm, wild = learnt(0.0005), learnt(0.005)
    finding = Move().judge(Sight("KRW", moved(-0.015), calm))
    assert finding is not None
    assert finding.sigma == pytest.approx(30, rel=0.01)
    assert Move().judge(Sight("KRW", moved(-0.015), wild)) is None


def test_a_small_move_matters_to_nobody() -> None:
    assert Move().judge(Sight("KRW", moved(-SMALLEST_FLOOR * 0.99), learnt(0.00001))) is None
    assert Move().judge(Sight("KRW", moved(-SMALLEST_FLOOR * 1.01), learnt(0.00001))) is not None


def test_it_is_silent_until_it_knows() -> None:
    assert Move().judge(Sight("KRW", moved(-0.5), Baseline())) is None
    assert Move().judge(Sight("KRW", moved(-0.5), learnt(0.001, minutes=WARM_MINUTES))) is None


def test_a_slower_move_needs_the_longer_span() -> None:
    window = Window()
    for second in range(0, 201, 5):
        window.add(START_US + second * 1_000_000, 10_000_000 - second * 1_000)
    finding = Move().judge(Sight("KRW", window, learnt(0.001)))
    assert finding is not None
    assert finding.sigma == pytest.approx(0.02 / (0.001 * math.sqrt(5)), rel=0.01)


def drifting(minutes: int, sigmas: float, sigma: float = 0.001, turnover: float = 1e9) -> Sight:
    """A symbol that goes down by so many of its volatilities in each of so many minutes."""
    baseline, close = learnt(sigma, turnover), float(ONE)
    for minute in range(201, 201 + minutes):
        baseline.spent += turnover
        baseline.begin_minute(28_000_000 + minute, round(close))
        close *= math.exp(-sigmas * sigma)
    window = Window()
    window.add(START_US, round(close * math.exp(sigmas * sigma)))
    return Sight("KRW", window, baseline)


def test_many_small_minutes_one_way_are_a_drift() -> None:
    enough = math.ceil(Drift().least_sum / (1.2 - SLACK_SIGMAS)) + 2
    finding = Drift().judge(drifting(enough, 1.2))
    assert finding is not None
    assert finding.change == pytest.approx(math.exp(-0.0012 * (enough - 1)) - 1, rel=0.05)
    assert finding.began_us is not None
    assert Drift().judge(drifting(enough // 2, 1.2)) is None


def test_what_is_usual_is_no_drift_however_long() -> None:
    assert Drift().judge(drifting(90, SLACK_SIGMAS * 0.9)) is None


def test_one_large_minute_is_no_drift() -> None:
    assert Drift().judge(drifting(int(Drift().least_sum / MOST_SIGMAS), 100.0)) is None


def test_a_drift_of_a_symbol_that_hardly_moves_matters_to_nobody() -> None:
    assert Drift().judge(drifting(60, 1.2, sigma=0.02 / 1.2 / 80)) is None
    assert Drift().judge(drifting(60, 1.2, sigma=0.02 / 1.2 / 50)) is not None


def test_a_drift_of_a_thin_market_has_to_go_further() -> None:
    assert Drift().judge(drifting(60, 1.2)) is not None
    assert Drift().judge(drifting(60, 1.2, turnover=1_000.0)) is None


def test_a_drift_opens_a_message_where_it_is_as_far_as_a_move_that_nobody_may_miss() -> None:
    two, three = drifting(40, 1.2, sigma=0.025 / 1.2 / 40), drifting(40, 1.2, sigma=0.032 / 1.2 / 40)
    assert Drift().judge(two) is not None
    assert Drift().judge(replace(two, opens=True)) is None
    assert Drift().judge(replace(three, opens=True)) is not None


def test_the_median_minute_is_not_raised_by_those_that_jump() -> None:
    baseline = Baseline()
    for minute in range(1, 400):
        close = ONE * (103 if minute % 10 == 0 else 100) // 100 + (minute % 2) * ONE // 1000
        baseline.begin_minute(28_000_000 + minute, close)
    assert baseline.sigma > 0.008
    assert baseline.robust_sigma == pytest.approx(1.4826 * 0.001, rel=0.1)


def jumping(fraction: float, trades: int = 10, dollars: float = 20_000.0, sigma: float = 0.001) -> Sight:
    baseline = learnt(sigma, turnover=dollars / 2, trades=trades // 2)
    return Sight("USDT", moved(fraction), baseline)


def test_a_jump_is_far_beyond_the_median_minute() -> None:
    least = Jump().robust_sigmas.least * learnt(0.0015).robust_sigma
    assert least > SMALLEST_FLOOR
    finding = Jump().judge(jumping(-least * 1.01, sigma=0.0015))
    assert finding is not None
    assert finding.sigma == pytest.approx(Jump().robust_sigmas.least * 1.01, rel=1e-4)
    assert Jump().judge(jumping(-least * 0.99, sigma=0.0015)) is None


def test_a_jump_needs_trades_and_money_behind_it() -> None:
    assert Jump().judge(jumping(0.05)) is not None
    assert Jump().judge(jumping(0.05, trades=8)) is None
    assert Jump().judge(jumping(0.05, dollars=18_000.0)) is None
    assert Jump().judge(Sight("XYZ", moved(0.05), jumping(0.05).baseline)) is None


def test_no_rule_fires_below_what_the_detector_asks_for() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES) >= 2
    for rule in RULES:
        assert rule.judge(Sight("USDT", moved(SMALLEST_FLOOR * 0.99), learnt(0.000001, turnover=1e9))) is None


def test_the_larger_of_fall_and_rise() -> None:
    assert larger_move(90, 100, 89) == (100, pytest.approx(-0.1))
    assert larger_move(90, 91, 80) == (80, pytest.approx(0.125))


@pytest.mark.parametrize("text", ["1", "65000.12", "0.00001234", "116539000", "0.1", "99999999999999999999.5"])
def test_prices_come_back_as_they_were(text) -> None:
    assert price_text(*read_price(text)) == text


def test_zeros_at_the_end_carry_no_value() -> None:
    assert read_price("65000.10000000") == (650001, 1)
    assert read_price("65000.00000000") == (65000, 0)
