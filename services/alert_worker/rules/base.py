"""What a rule is given and what it says. A new rule is a file beside this and a row in RULES."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

from services.alert_worker.baseline import Baseline
from services.alert_worker.rules.parameters import Percents, Tier
from services.alert_worker.rules.tiers import TIERS_BY_DEFAULT, Tiers
from services.alert_worker.window import Window

SMALLEST_FLOOR = 0.015
"""No rule fires below this fraction, unless the rules file says less."""

OPENING_FLOOR = 0.02
"""Nor opens a message below this one. It is what the fixed rule goes by: so no large move is told later, while of the
moves of 1.5 % that calm months are full of nobody is told. Who was told of a market already is told of those as well.
"""

TIE = 1e-9
"""A threshold is met within this, so that rounding of the last bit cannot decide."""

UP, DOWN = 1, -1


@dataclass(frozen=True, slots=True)
class Sight:
    """One symbol at one instant of event time.

    `direction`: look only for moves that way, 0 both. `opens`: what fires would be a message of its own, because no
    episode goes on that it could belong to.
    """

    quote: str
    window: Window
    baseline: Baseline
    direction: int = 0
    tiers: Tiers = TIERS_BY_DEFAULT
    opens: bool = False

    @property
    def tier(self) -> Tier:
        """By how much of the symbol is traded."""
        return self.tiers.of(self.baseline, self.quote)


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule fired: the price is `change` (a signed fraction) away from `before`, which was the price in the window.

    `sigma` is the move in multiples of what is usual for its span, where the rule knows that. `began_us`: when the
    price was that, where it may be longer ago than the window reaches.
    """

    rule: str
    before: int
    change: float
    sigma: float | None = None
    began_us: int | None = None

    @property
    def direction(self) -> int:
        """UP or DOWN."""
        return UP if self.change > 0 else DOWN


class Rule(Protocol):
    """Judges one symbol. Pure: the same sight gives the same finding. A model whose fields the rules file may set."""

    @property
    def name(self) -> str:
        """What alerts call it, and its table in the rules file."""
        ...

    @property
    def enabled(self) -> bool:
        """Whether it is asked."""
        ...

    @property
    def floor(self) -> float:
        """It fires for no smaller move (a fraction), whatever the tier."""
        ...

    def judge(self, sight: Sight) -> Finding | None:
        """What is abnormal now, or None."""
        ...


class Measure(NamedTuple):
    """A value, never negative, beside the least that counts."""

    value: float
    least: float
    unit: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What a rule measured over one span: it fires where every measure of one of its readings reaches its least.

    `missing` says in words what it does not know yet; then nothing was measured.
    """

    span: str
    direction: int = 0
    measures: tuple[Measure, ...] = ()
    missing: str | None = None

    @property
    def share(self) -> float:
        """How near to firing: of all thresholds the share that was reached least; 1 and more fires."""
        return min((one.value / one.least if one.least else float("inf") for one in self.measures), default=0.0)


@runtime_checkable
class ShowsReadings(Protocol):
    """A rule that says what it measured, also when that is too little."""

    def readings(self, sight: Sight) -> list[Reading]:
        """One for each span that it looks at."""
        ...


def floor_of(percent: Percents, opens_percent: Percents, sight: Sight) -> float:
    """The least move (a fraction) that counts: `opens_percent`, if that is more, where it opens a message."""
    tier = sight.tier
    least = percent.of(tier)
    return (max(least, opens_percent.of(tier)) if sight.opens else least) / 100


def larger_move(price: int, high: int, low: int, direction: int = 0) -> tuple[int, float]:
    """(price before, signed change): the fall from `high` or the rise from `low`, by `direction`, else the larger."""
    fall, rise = price / high - 1, price / low - 1
    if direction:
        return (low, rise) if direction == UP else (high, fall)
    return (high, fall) if -fall > rise else (low, rise)
