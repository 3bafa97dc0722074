"""Fires when a move is far beyond what the symbol itself usually does, and large enough to matter at all."""

import math
from dataclasses import dataclass

from services.alert_worker.rules.base import SMALLEST_FLOOR, TIE, Finding, Sight, larger_move
from services.alert_worker.window import BUCKET_US

SPANS: tuple[tuple[int, float], ...] = ((60, 8.0), (300, 6.0))
"""(span in seconds, least multiple of the volatility over such a span)."""


@dataclass(frozen=True, slots=True)
class Move:
    """A move within one or five minutes, measured in the symbol's own volatility. Silent until that is known."""

    name: str = "move"

    def judge(self, sight: Sight) -> Finding | None:
        """See the module."""
        sigma = sight.baseline.sigma
        if not sight.baseline.is_warm or sigma <= 0:
            return None
        for span_s, least in SPANS:
            high, low = sight.window.extremes(span_s * 1_000_000 // BUCKET_US)
            before, change = larger_move(sight.window.last, high, low, sight.direction)
            multiple = abs(change) / (sigma * math.sqrt(span_s / 60))
            if abs(change) >= SMALLEST_FLOOR - TIE and multiple >= least - TIE:
                return Finding(self.name, before, change, multiple)
        return None
