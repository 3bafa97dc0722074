"""Fires when a minute's move is far beyond the middling minute, and enough was traded in it to be no odd print."""

from typing import Annotated, ClassVar

from pydantic import Field

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
from services.alert_worker.rules.parameters import Multiples, Parameters, Percents, multiples, percents
from services.alert_worker.rules.tiers import A_DOLLAR
from services.alert_worker.window import BUCKET_US

_BUCKETS = 60_000_000 // BUCKET_US


class Jump(Parameters):
    """A move within a minute, with trades and money behind it, in multiples of what past jumps do not raise.

    So a coin that often jumps does not hide the next one. Silent until that is known.
    """

    name: ClassVar[str] = "jump"
    enabled: bool = Field(default=True, description="whether it is asked")
    floor_percent: Percents = Field(default=percents(100 * SMALLEST_FLOOR), description="least move that matters")
    opens_percent: Percents = Field(
        default=percents(100 * OPENING_FLOOR), description="least move that opens a message of its own"
    )
    robust_sigmas: Multiples = Field(default=multiples(12), description="least multiple of the robust volatility")
    trades: Annotated[int, Field(ge=3, le=10_000)] = Field(
        default=10, description="least trades in this minute and the one before"
    )
    dollars: Annotated[float, Field(ge=0, le=1e9)] = Field(default=20_000.0, description="least money in the same two")

    @property
    def floor(self) -> float:
        """See `Rule`."""
        return self.floor_percent.least / 100

    def judge(self, sight: Sight) -> Finding | None:
        """See the module."""
        baseline = sight.baseline
        sigma = baseline.robust_sigma
        if not baseline.is_warm or sigma <= 0 or sight.quote not in A_DOLLAR:
            return None
        if baseline.recent_trades < self.trades or baseline.recent_money < self.dollars * A_DOLLAR[sight.quote]:
            return None
        floor = floor_of(self.floor_percent, self.opens_percent, sight)
        high, low = sight.window.extremes(_BUCKETS)
        before, change = larger_move(sight.window.last, high, low, sight.direction)
        if abs(change) < max(floor, self.robust_sigmas.of(sight.tier) * sigma) - TIE:
            return None
        return Finding(self.name, before, change, abs(change) / sigma)

    def readings(self, sight: Sight) -> list[Reading]:
        """See `ShowsReadings`."""
        baseline, tier = sight.baseline, sight.tier
        if not baseline.is_warm or baseline.robust_sigma <= 0 or sight.quote not in A_DOLLAR:
            return [Reading("1 min", missing="what is usual is not known")]
        _, change = larger_move(sight.window.last, *sight.window.extremes(_BUCKETS), sight.direction)
        measures = (
            Measure(100 * abs(change), 100 * floor_of(self.floor_percent, self.opens_percent, sight), "%"),
            Measure(abs(change) / baseline.robust_sigma, self.robust_sigmas.of(tier), "robust σ"),
            Measure(baseline.recent_trades, self.trades, "trades"),
            Measure(baseline.recent_money / A_DOLLAR[sight.quote], self.dollars, "dollars"),
        )
        return [Reading("1 min", 1 if change > 0 else -1, measures)]
