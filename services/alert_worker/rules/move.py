"""Fires when a move is far beyond what the symbol itself usually does, and large enough to matter at all."""

import math
from typing import ClassVar

from pydantic import Field

from services.alert_worker.baseline import WARM_MINUTES
from services.alert_worker.rules.base import (
    OPENING_FLOOR,
    SMALLEST_FLOOR,
    TIE,
    Finding,
    Measure,
    Reading,
    Sight,
    floor_of,
    larger_move,
)
from services.alert_worker.rules.parameters import Multiples, Parameters, Percents, Tier, multiples, percents
from services.alert_worker.window import BUCKET_US


class Move(Parameters):
    """A move within one or five minutes, measured in the symbol's own volatility. Silent until that is known."""

    name: ClassVar[str] = "move"
    enabled: bool = Field(default=True, description="whether it is asked")
    floor_percent: Percents = Field(default=percents(100 * SMALLEST_FLOOR), description="least move that matters")
    opens_percent: Percents = Field(
        default=percents(100 * OPENING_FLOOR), description="least move that opens a message of its own"
    )
    sigmas_1m: Multiples = Field(default=multiples(8), description="least multiple of the volatility within a minute")
    sigmas_5m: Multiples = Field(default=multiples(6), description="the same within five minutes")

    @property
    def floor(self) -> float:
        """See `Rule`."""
        return self.floor_percent.least / 100

    def judge(self, sight: Sight) -> Finding | None:
        """See the module."""
        sigma = sight.baseline.sigma
        if not sight.baseline.is_warm or sigma <= 0:
            return None
        tier = sight.tier
        floor = floor_of(self.floor_percent, self.opens_percent, sight)
        for span_s, least in self._spans(tier):
            before, change, multiple = _move_within(sight, span_s, sigma)
            if abs(change) >= floor - TIE and multiple >= least - TIE:
                return Finding(self.name, before, change, multiple)
        return None

    def readings(self, sight: Sight) -> list[Reading]:
        """See `ShowsReadings`."""
        known, tier = sight.baseline.minutes, sight.tier
        floor = floor_of(self.floor_percent, self.opens_percent, sight)
        found = []
        for span_s, least in self._spans(tier):
            span = f"{span_s // 60} min"
            if not sight.baseline.is_warm or sight.baseline.sigma <= 0:
                found.append(Reading(span, missing=f"{known} of {WARM_MINUTES} minutes known"))
                continue
            _, change, multiple = _move_within(sight, span_s, sight.baseline.sigma)
            measures = (Measure(100 * abs(change), 100 * floor, "%"), Measure(multiple, least, "σ"))
            found.append(Reading(span, 1 if change > 0 else -1, measures))
        return found

    def _spans(self, tier: Tier) -> tuple[tuple[int, float], ...]:
        return (60, self.sigmas_1m.of(tier)), (300, self.sigmas_5m.of(tier))


def _move_within(sight: Sight, span_s: int, sigma: float) -> tuple[int, float, float]:
    """(price before, signed change, multiple of the volatility over such a span)."""
    high, low = sight.window.extremes(span_s * 1_000_000 // BUCKET_US)
    before, change = larger_move(sight.window.last, high, low, sight.direction)
    return before, change, abs(change) / (sigma * math.sqrt(span_s / 60))
