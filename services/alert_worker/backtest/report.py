"""A backtest's result: what was played, and every rule's figures on it."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.alert_worker.backtest.labels import LEAST, Event, label, least_of
from services.alert_worker.backtest.scoring import Month, Score, by_month, compare, told_by_us
from services.alert_worker.backtest.series import Seen
from shared.events import Alert


@dataclass(slots=True)
class Result:
    """One history, or several together. `scores` has tapewatch first, then the naive rules."""

    name: str
    symbols: int = 0
    trades: int = 0
    days: float = 0.0
    from_us: int = 0
    to_us: int = 0
    events: list[tuple[str, Event]] = field(default_factory=list)
    scores: dict[str, Score] = field(default_factory=dict)
    months: list[Month] = field(default_factory=list)
    opened_by: Counter[str] = field(default_factory=Counter)
    """Our episodes, by the rule that opened them."""
    named: Counter[str] = field(default_factory=Counter)
    """Our alerts that name a rule; one alert may name several."""

    def add(self, other: "Result") -> None:
        """Take in another history."""
        self.symbols += other.symbols
        self.trades += other.trades
        self.days += other.days
        self.events += other.events
        self.months += other.months
        for name, score in other.scores.items():
            self.scores.setdefault(name, Score(name)).add(score)
        self.opened_by += other.opened_by
        self.named += other.named


def result_of(name: str, seen: Seen, alerts: Sequence[Alert]) -> Result:
    """Label every symbol, let every rule judge it, and add up."""
    result = Result(name, trades=seen.trades, to_us=seen.newest_us)
    result.opened_by.update(alert.kind for alert in alerts if alert.state == "open")
    result.named.update(rule for alert in alerts if alert.state != "resolve" for rule in alert.detectors)
    result.from_us = min((series.points[0].at_us for series in seen.series.values()), default=0)
    for (exchange, symbol), series in seen.series.items():
        least = least_of(series)
        events = label(series, least)
        plain = events if least == LEAST else label(series, LEAST)
        own = [alert for alert in alerts if (alert.exchange, alert.symbol) == (exchange, symbol)]
        result.events += [(symbol, event) for event in events]
        result.symbols += 1
        result.days += series.days
        result.months += by_month(series, events, told_by_us(own))
        for score in compare(series, events, own, plain):
            result.scores.setdefault(score.rule, Score(score.rule)).add(score)
    return result


def together(name: str, results: Iterable[Result]) -> Result:
    """All of them as one; times are left out, because they need not follow one another."""
    total = Result(name)
    for result in results:
        total.add(result)
    return total


def figures(score: Score) -> dict[str, Any]:
    """A rule's figures as plain values, rounded; None where there is nothing to divide by."""
    return {
        "events": score.events,
        "told": score.events - score.missed,
        "recall": _rounded(score.recall, 3),
        "plain_events": score.plain_events,
        "plain_told": score.plain_events - score.plain_missed,
        "plain_later_than_fixed": score.plain_later,
        "delay_s_p50": _rounded(score.delay_s(0.5), 1),
        "delay_s_p95": _rounded(score.delay_s(0.95), 1),
        "since_start_s_p50": _rounded(score.delay_since_start_s(0.5), 1),
        "later_than_fixed": score.later_than_fixed,
        "alerts_a_symbol_day": _a_day(score.told, score.days),
        "episodes_a_symbol_day": _a_day(score.episodes, score.days),
        "alerts_a_calm_symbol_day": _a_day(score.calm_told, score.calm_days),
        "episodes_a_calm_symbol_day": _a_day(score.calm_episodes, score.calm_days),
        "repeats_an_event": _rounded(score.again / score.events, 2) if score.events else None,
    }


def as_json(results: Sequence[Result]) -> list[dict[str, Any]]:
    """For programs."""
    return [
        {
            "name": result.name,
            "symbols": result.symbols,
            "trades": result.trades,
            "symbol_days": round(result.days, 2),
            "events": [
                {
                    "symbol": symbol,
                    "began_us": event.began_us,
                    "crossed_us": event.crossed_us,
                    "ended_us": event.ended_us,
                    "change_pct": round(100 * event.change, 2),
                }
                for symbol, event in result.events
            ],
            "rules": {name: figures(score) for name, score in result.scores.items()},
        }
        for result in results
    ]


def _a_day(count: int, days: float) -> float | None:
    return round(count / days, 2) if days else None


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
