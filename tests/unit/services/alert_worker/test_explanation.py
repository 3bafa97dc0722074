"""An explanation sees what the detectors saw, changes nothing, and says what they made of it."""

import random

import pytest

from services.alert_worker.baseline import Baseline
from services.alert_worker.explanation import Explanation, Span, explain
from services.alert_worker.records import Market as Traded
from services.alert_worker.rules import RULES
from services.alert_worker.rules.base import TIE, ShowsReadings, Sight
from services.alert_worker.rules.move_abs import MoveAbs
from services.alert_worker.rules.parameters import percents
from services.alert_worker.rules.ruleset import DEFAULTS, ruleset
from services.alert_worker.window import Window

BITCOIN = Traded("upbit", "KRW-BTC", "BTC", "KRW")
S = 1_000_000


@pytest.fixture
def whole(start_us) -> Span:
    return Span(start_us, start_us + 20 * S)


def strongest(found: Explanation, rule: str):
    return max((one for one in found.strongest if one.rule == rule), key=lambda one: one.reading.share)


def test_it_raises_the_alerts_that_the_watch_raises_and_says_who_fired(watch, flash_crash, whole) -> None:
    found = explain(flash_crash, BITCOIN, whole, DEFAULTS)
    assert found.alerts == watch(flash_crash)
    assert found.trades == len(flash_crash)
    fall = explain(flash_crash, BITCOIN, Span(whole.from_us, whole.from_us + 8 * S), DEFAULTS)
    fired = strongest(fall, "move_abs")
    assert fired.fired_at_us == found.alerts[0].started_at_us
    assert fired.reading.direction == -1
    assert fired.reading.measures[0].value == pytest.approx(5.0, abs=0.2)
    assert fired.reading.measures[0].least == 2
    assert "suspected" in found.notes[0].text


def test_a_rule_that_does_not_know_enough_says_so(flash_crash, whole) -> None:
    found = explain(flash_crash, BITCOIN, whole, DEFAULTS)
    assert strongest(found, "move").reading.missing == "0 of 30 minutes known"
    assert strongest(found, "move").fired_at_us is None
    assert found.tier == "new"


def test_what_is_outside_of_the_span_is_played_and_not_told(flash_crash, start_us) -> None:
    found = explain(flash_crash, BITCOIN, Span(start_us, start_us + 3 * S), DEFAULTS)
    assert found.alerts == []
    assert not found.has_fired
    assert 0 < found.trades < len(flash_crash)
    assert 0 < strongest(found, "move_abs").reading.share < 0.2
    late = explain(flash_crash, BITCOIN, Span(start_us + 15 * S, start_us + 16 * S), DEFAULTS)
    assert late.warm_up_us == pytest.approx(15 * S, abs=S)


def test_a_move_that_goes_back_is_noted_and_not_told(market, start_us) -> None:
    def price(at: float) -> float:
        return 130_000_000 * (0.96 if 5.0 <= at < 5.12 else 1.0)

    trades = list(market.path(price, 10.0, rate=100.0))
    found = explain(trades, BITCOIN, Span(start_us, start_us + 10 * S), DEFAULTS)
    assert found.alerts == []
    assert found.has_fired
    assert any("went back before it was confirmed" in note.text for note in found.notes)


def test_within_an_episode_it_says_when_it_is_told_again(flash_crash, start_us) -> None:
    found = explain(flash_crash, BITCOIN, Span(start_us, start_us + 20 * S), ruleset((MoveAbs(percent=percents(1)),)))
    assert any("belongs to an episode that goes on (down)" in note.text for note in found.notes)
    assert any("told again at" in note.text for note in found.notes)


def test_the_gap_to_the_other_exchange_is_measured_at_its_boundaries(make_market, start_us) -> None:
    here = make_market().path(lambda at: 140_000_000 * (0.97 if at >= 60 else 1.0), 120.0, rate=5.0)
    there = make_market("USDT-BTC", exchange="binance", scale=1).path(lambda at: 100_000, 120.0, rate=5.0, seed=2)
    mixed = sorted([*here, *there], key=lambda trade: trade.received_at_us)
    calm = strongest(explain(mixed, BITCOIN, Span(start_us, start_us + 50 * S), DEFAULTS), "divergence")
    assert calm.reading.share < 0.5
    assert calm.fired_at_us is None
    fall = strongest(explain(mixed, BITCOIN, Span(start_us + 55 * S, start_us + 120 * S), DEFAULTS), "divergence")
    assert fall.reading.measures[0].value == pytest.approx(3.0, abs=1.1)
    assert fall.reading.measures[0].least == 3
    alone = strongest(explain([t for t in mixed if t.exchange == "upbit"], BITCOIN, Span(start_us, start_us + 50 * S),
                              DEFAULTS), "divergence")  # fmt: skip
    assert alone.reading.missing == "the two prices were not compared"


BEGAN_S, SILENT_S, ENDS_S = 3 * 3_600, 720, 3 * 3_600 + 1_200


@pytest.fixture
def standstill(make_market):
    """Five busy markets of one exchange; the first, or all, fall silent for twelve minutes after three hours."""

    def make(of: int = 1):
        markets = [make_market(f"KRW-{name}") for name in ("BTC", "ETH", "XRP", "SOL", "ADA")]
        for at in range(0, ENDS_S, 15):
            is_silent = BEGAN_S <= at < BEGAN_S + SILENT_S
            for place, one in enumerate(markets):
                if not (is_silent and place < of):
                    yield one.trade(at, at + place / 10, 1_000_000)

    return make


def test_a_standstill_is_measured_beside_what_is_usual(standstill, start_us) -> None:
    span = Span(start_us + (BEGAN_S - 60) * S, start_us + ENDS_S * S)
    halted = strongest(explain(standstill(), BITCOIN, span, DEFAULTS), "halt")
    (measure,) = halted.reading.measures
    assert (round(measure.value, 2), measure.unit) == (12.25, "min")
    assert 5 <= measure.least <= 12
    began_us = start_us + BEGAN_S * S
    assert began_us + measure.least * 60 * S <= halted.fired_at_us <= began_us + 12 * 60 * S
    before = Span(start_us + (BEGAN_S - 600) * S, start_us + (BEGAN_S - 60) * S)
    calm = strongest(explain(standstill(), BITCOIN, before, DEFAULTS), "halt")
    assert calm.reading.share < 0.1
    assert calm.fired_at_us is None


def test_a_silence_that_goes_on_at_the_end_counts(standstill, start_us) -> None:
    span = Span(start_us + (BEGAN_S - 60) * S, start_us + (BEGAN_S + 300) * S)
    running = strongest(explain(standstill(), BITCOIN, span, DEFAULTS), "halt")
    assert running.reading.measures[0].value == pytest.approx(5.25, abs=0.01)
    assert running.at_us == span.to_us


def test_a_silence_of_all_is_none_of_one_and_says_so(standstill, start_us) -> None:
    span = Span(start_us + (BEGAN_S - 60) * S, start_us + ENDS_S * S)
    found = explain(standstill(of=5), BITCOIN, span, DEFAULTS)
    assert strongest(found, "halt").fired_at_us is None
    assert any("where others of the exchange trade on" in note.text for note in found.notes)


def test_who_is_seldom_traded_has_no_usual_silence(flash_crash, whole) -> None:
    missing = strongest(explain(flash_crash, BITCOIN, whole, DEFAULTS), "halt").reading.missing
    assert missing == "it traded in 0 % of 0 minutes known; 90 % of 120 make a busy one"


def test_other_markets_are_none_of_it(make_market, flash_crash, start_us, whole) -> None:
    other = make_market("KRW-ETH").path(lambda at: 5_000_000, 20.0)
    mixed = sorted([*flash_crash, *other], key=lambda trade: trade.received_at_us)
    ours = explain(mixed, BITCOIN, whole, DEFAULTS)
    theirs = explain(mixed, Traded("upbit", "KRW-ETH", "ETH", "KRW"), whole, DEFAULTS)
    assert [alert.state for alert in ours.alerts] == ["open", "escalate", "resolve"]
    assert theirs.alerts == []
    assert theirs.trades > 0


def test_the_notes_are_bounded(market, start_us) -> None:
    def price(at: float) -> float:
        return 130_000_000 * (0.95 if at % 1.0 < 0.1 else 1.0)

    trades = list(market.path(price, 300.0, rate=60.0))
    found = explain(trades, BITCOIN, Span(start_us, start_us + 300 * S), ruleset((MoveAbs(percent=percents(0.5)),)))
    assert len(found.notes) <= 200


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_fires_exactly_where_one_of_its_readings_reaches_every_threshold(rule) -> None:
    assert isinstance(rule, ShowsReadings)
    rng = random.Random(7)
    fired = 0
    for number in range(400):
        window, baseline, price = Window(), Baseline(), 1_000_000
        spread, drift = rng.choice((0.0002, 0.001, 0.004)), rng.choice((0.0, 0.0, 0.004, -0.004))
        for minute in range(1, rng.choice((10, 60))):
            baseline.begin_minute(28_000_000 + minute, price)
            baseline.spent += rng.choice((100.0, 1e4, 1e6))
            baseline.trades += rng.choice((1, 50))
            price = max(1, round(price * (1 + rng.gauss(drift, spread))))
        for second in range(0, 300, 5):
            price = max(1, round(price * (1 + rng.gauss(0, spread))))
            window.add(1_700_000_000 * S + second * S, price)
        furthest = 0.06 if number % 8 else 0.6  # a rule may wait for a price that halves
        window.add(1_700_000_301 * S, round(price * (1 + rng.uniform(-furthest, furthest))))
        sight = Sight("USDT", window, baseline)
        reached = any(reading.share >= 1 - TIE for reading in rule.readings(sight))
        assert (rule.judge(sight) is not None) == reached
        fired += reached
    assert fired > 0
