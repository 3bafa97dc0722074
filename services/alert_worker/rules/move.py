"""Fires when a move is far beyond what the symbol itself usually does, and large enough to matter at all."""

import math
from typing import ClassVar

from pydantic import Field

from services.alert_worker.rules.base import SMALLEST_FLOOR, TIE, Finding, Sight, larger_move
from services.alert_worker.rules.parameters import Multiples, Parameters, Percents, multiples, percents
from services.alert_worker.window import BUCKET_US


class Move(Parameters):
    """A move within one or five minutes, measured in the symbol's own volatility. Silent until that is known."""

    name: ClassVar[str] = "move"
    enabled: bool = Field(default=True, description="whether it is asked")
    floor_percent: Percents = Field(default=percents(100 * SMALLEST_FLOOR), description="least move that matters")
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
        floor = self.floor_percent.of(tier) / 100
        for span_s, least in ((60, self.sigmas_1m.of(tier)), (300, self.sigmas_5m.of(tier))):
            high, low = sight.window.extremes(span_s * 1_000_000 // BUCKET_US)
            before, change = larger_move(sight.window.last, high, low, sight.direction)
            multiple = abs(change) / (sigma * math.sqrt(span_s / 60))
            if abs(change) >= floor - TIE and multiple >= least - TIE:
                return Finding(self.name, before, change, multiple)
        return None
