"""How far apart one coin's prices were on two exchanges before we looked: minutes that both of them told. Pure.

A minute waits until the other exchange has told it, too. It makes no difference in which order they come, so long as it
is the same ones between two comparisons.
"""

import math
from typing import Any, NamedTuple

from services.alert_worker.baseline import WARM_MINUTES, Baseline

MOST_MINUTES = 120
"""The newest two hours of each exchange wait at most: plenty to judge by, and little to save for all pairs at once."""

WAIT_TICKS = WARM_MINUTES * 600
"""By then the pair is known without them."""

_UNITS = 1e6
"""Logarithms are kept in millionths, a hundredth of what moves the calmest pair."""


class Close(NamedTuple):
    """A market's last price of a minute, which counts at the first comparison not before its tick; 0: at the next."""

    tick: int
    exchange: str
    base: str
    quote: str
    minute: int
    price: float


class GapPast:
    """What waits of one pair."""

    __slots__ = ("_closes", "_newest", "_until")

    def __init__(self) -> None:
        self._closes: tuple[dict[int, int], dict[int, int]] = ({}, {})
        """Logarithm of the price by minute, of each side."""
        self._newest = 0
        self._until: int | None = None
        """The tick at which those that still wait are given up; None: some came since the last comparison."""

    def __bool__(self) -> bool:
        """Whether any minute waits."""
        return any(self._closes)

    def hear(self, side: int, minute: int, price: float, baseline: Baseline) -> None:
        """Keep a minute of a side, if it may count."""
        self._newest = max(self._newest, minute, baseline.minute)
        if minute <= self._newest - MOST_MINUTES or not baseline.takes(minute):
            return
        self._closes[side][minute] = round(math.log(price) * _UNITS)
        if len(self._closes[side]) > MOST_MINUTES:
            self._keep(self._closes[side], baseline)
        self._until = None

    def teach(self, baseline: Baseline, tick: int) -> None:
        """Let the minutes that both sides told count, and give up those that waited long enough."""
        here, there = self._closes
        if not here and not there:
            return
        if self._until is None:
            self._until = tick + WAIT_TICKS
            self._learn(sorted(here.keys() & there.keys()), baseline)
        elif tick >= self._until:
            here.clear()
            there.clear()

    def _learn(self, minutes: list[int], baseline: Baseline) -> None:
        here, there = self._closes
        # What is newer counts in the order of time, what is older the other way round: the stretch grows at its ends.
        newer = [minute for minute in minutes if minute > baseline.oldest]
        for minute in [*newer, *reversed(minutes)]:
            baseline.take_candle(minute, math.exp((here[minute] - there[minute]) / _UNITS), 0.0)
        if minutes:
            self._keep(here, baseline)
            self._keep(there, baseline)

    def _keep(self, closes: dict[int, int], baseline: Baseline) -> None:
        """Forget what cannot count any more."""
        last = self._newest - MOST_MINUTES
        for minute in [minute for minute in closes if minute <= last or not baseline.takes(minute)]:
            del closes[minute]

    def packed(self) -> list[Any]:
        """Everything, as plain values."""
        return [[list(closes.items()) for closes in self._closes], self._newest, self._until]

    @classmethod
    def unpacked(cls, packed: list[Any]) -> "GapPast":
        """The inverse of `packed`."""
        past = cls()
        (here, there), past._newest, past._until = packed
        past._closes = (dict(here), dict(there))
        return past
