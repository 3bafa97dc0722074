"""How good a rule was on one symbol: which events it told, how long after, and how much else it said."""

from collections import Counter
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from statistics import median

from services.alert_worker.backtest.labels import Event
from services.alert_worker.backtest.minutes import MINUTE_US
from services.alert_worker.backtest.naive_rules import FIXED, NAIVE_RULES, firings
from services.alert_worker.backtest.series import Series
from shared.events import Alert

OURS = "tapewatch"
_DAY_US = 1440 * MINUTE_US
CALM_AWAY_US = 6 * 60 * MINUTE_US
"""Calm is what lies further than this from every labelled event."""


@dataclass(frozen=True, slots=True)
class Told:
    """Somebody was told at a time. `direction` 0 where the rule knows none; `opens` unless it belongs to a message."""

    at_us: int
    direction: int
    opens: bool = True


@dataclass(slots=True)
class Score:
    """Sums over symbols; figures are made of them at the end."""

    rule: str
    events: int = 0
    missed: int = 0
    delays_s: list[float] = field(default_factory=list)
    """From the crossing of one per cent to the first word of that direction; 0 when it came before."""
    since_start_s: list[float] = field(default_factory=list)
    """The same from the move's start, which is known in hindsight only."""
    later_than_fixed: int = 0
    """Events that the fixed rule told before this one did."""
    plain_events: int = 0
    """Every move of three per cent, what is ordinary for a coarse coin included,"""
    plain_missed: int = 0
    """those of them that were not told,"""
    plain_later: int = 0
    """and those that the fixed rule told before."""
    told: int = 0
    episodes: int = 0
    again: int = 0
    """Episodes of an event beyond its first."""
    calm_told: int = 0
    calm_episodes: int = 0
    days: float = 0.0
    calm_days: float = 0.0

    def add(self, other: "Score") -> None:
        """Take in another symbol's or history's."""
        self.delays_s += other.delays_s
        self.since_start_s += other.since_start_s
        for name in _SUMS:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @property
    def recall(self) -> float | None:
        """Fraction of the events that were told; None without any."""
        return 1 - self.missed / self.events if self.events else None

    def delay_s(self, fraction: float) -> float | None:
        """The delay that this fraction of the told events does not exceed; None without any."""
        return _not_exceeded(self.delays_s, fraction)

    def delay_since_start_s(self, fraction: float) -> float | None:
        """The same from the move's start."""
        return _not_exceeded(self.since_start_s, fraction)


_SUMS = (
    "events", "missed", "later_than_fixed", "told", "episodes", "again", "calm_told", "calm_episodes", "days",
    "calm_days",
    "plain_events", "plain_missed", "plain_later",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Month:
    """Ours on one symbol in one calendar month, UTC, or in as much of it as was watched."""

    name: str
    """``2021-05``"""
    days: float
    events: int
    episodes: int


def told_by_us(alerts: Iterable[Alert]) -> list[Told]:
    """What people heard from our alerts: openings and escalations; that it is over is no alert."""
    return [
        Told(alert.event_at_us or 0, 1 if alert.direction == "up" else -1, alert.state == "open")
        for alert in alerts
        if alert.state != "resolve" and alert.direction != "none" and alert.data_quality not in {"stale", "backfilled"}
    ]


def compare(
    series: Series, events: Sequence[Event], alerts: Iterable[Alert], plain: Sequence[Event] | None = None
) -> list[Score]:
    """Ours first, then each naive rule, on one symbol. `plain`: every move of three per cent, where those are more."""
    rules = {OURS: told_by_us(alerts)}
    rules |= {rule.name: [Told(*one) for one in firings(rule, series.bars)] for rule in NAIVE_RULES}
    plain = events if plain is None else plain
    yardstick = Yardstick(
        events=events,
        fixed_us=[first_word(event, rules[FIXED]) for event in events],
        plain=[(event, first_word(event, rules[FIXED])) for event in plain],
        days=series.days,
        calm=_calm_minutes(series, events),
    )
    return [score(name, told, yardstick) for name, told in rules.items()]


@dataclass(frozen=True, slots=True)
class Yardstick:
    """What a rule on one symbol is measured by: the events and when the fixed rule told each, and the calm minutes."""

    events: Sequence[Event]
    fixed_us: Sequence[int | None]
    days: float
    calm: Set[int]
    plain: Sequence[tuple[Event, int | None]] = ()


def score(rule: str, told: Sequence[Told], yardstick: Yardstick) -> Score:
    """One rule on one symbol."""
    found = Score(rule, len(yardstick.events), days=yardstick.days, calm_days=len(yardstick.calm) / 1440)
    for event, fixed_us in zip(yardstick.events, yardstick.fixed_us, strict=True):
        first_us = first_word(event, told)
        if first_us is None:
            found.missed += 1
        else:
            found.delays_s.append(max(0, first_us - event.crossed_us) / 1e6)
            found.since_start_s.append((first_us - event.began_us) / 1e6)
        found.later_than_fixed += _is_later(first_us, fixed_us)
        found.again += max(0, sum(one.opens and _is_about(event, one) for one in told) - 1)
    firsts = [(first_word(event, told), fixed_us) for event, fixed_us in yardstick.plain]
    found.plain_events = len(firsts)
    found.plain_missed = sum(first_us is None for first_us, _ in firsts)
    found.plain_later = sum(_is_later(*one) for one in firsts)
    found.told, found.episodes = len(told), sum(one.opens for one in told)
    in_calm = [one for one in told if one.at_us // MINUTE_US in yardstick.calm]
    found.calm_told, found.calm_episodes = len(in_calm), sum(one.opens for one in in_calm)
    return found


def _is_later(first_us: int | None, fixed_us: int | None) -> bool:
    return fixed_us is not None and (first_us is None or first_us > fixed_us)


def first_word(event: Event, told: Sequence[Told]) -> int | None:
    """When the event was first told; None when it was not."""
    return next((one.at_us for one in told if _is_about(event, one)), None)


def _is_about(event: Event, one: Told) -> bool:
    return one.direction in {0, event.direction} and event.began_us <= one.at_us <= event.ended_us


def _calm_minutes(series: Series, events: Sequence[Event]) -> set[int]:
    """The calm minutes with a price, since the epoch."""
    wild = {
        minute
        for event in events
        for minute in range(
            (event.began_us - CALM_AWAY_US) // MINUTE_US, (event.ended_us + CALM_AWAY_US) // MINUTE_US + 1
        )
    }
    return {minute for stretch in series.watched() for minute in stretch} - wild


def by_month(series: Series, events: Sequence[Event], told: Iterable[Told]) -> list[Month]:
    """What was watched, happened and was opened in each month."""
    days, happened, opened = Counter[str](), Counter[str](), Counter[str]()
    for stretch in series.watched():
        days.update(_month(minute * MINUTE_US) for minute in stretch)
    happened.update(_month(event.crossed_us) for event in events)
    opened.update(_month(one.at_us) for one in told if one.opens)
    return [Month(name, minutes / 1440, happened[name], opened[name]) for name, minutes in days.items()]


def _month(at_us: int) -> str:
    return _month_of_day(at_us // _DAY_US)


@cache
def _month_of_day(day: int) -> str:
    return datetime.fromtimestamp(day * 86_400, UTC).strftime("%Y-%m")


def _not_exceeded(delays_s: Sequence[float], fraction: float) -> float | None:
    ordered = sorted(delays_s)
    if not ordered:
        return None
    return median(ordered) if fraction == 1 / 2 else ordered[min(len(ordered) - 1, int(fraction * len(ordered)))]
