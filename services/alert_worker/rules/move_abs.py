"""Fires when the price is a fixed percentage away from an extreme of the last five minutes."""

from typing import ClassVar

from pydantic import Field

from services.alert_worker.rules.base import TIE, Finding, Measure, Reading, Sight, larger_move
from services.alert_worker.rules.parameters import Parameters, Percents, percents


class MoveAbs(Parameters):
    """A move of at least the tier's fixed percentage within five minutes."""

    name: ClassVar[str] = "move_abs"
    enabled: bool = Field(default=True, description="whether it is asked")
    percent: Percents = Field(default=percents(2, 3, 8, 3), description="least move within five minutes")

    @property
    def floor(self) -> float:
        """See `Rule`."""
        return self.percent.least / 100

    def judge(self, sight: Sight) -> Finding | None:
        """See the module."""
        window = sight.window
        before, change = larger_move(window.last, window.high, window.low, sight.direction)
        if abs(change) < self.percent.of(sight.tier) / 100 - TIE:
            return None
        return Finding(self.name, before, change)

    def readings(self, sight: Sight) -> list[Reading]:
        """See `ShowsReadings`."""
        window = sight.window
        _, change = larger_move(window.last, window.high, window.low, sight.direction)
        measure = Measure(100 * abs(change), self.percent.of(sight.tier), "%")
        return [Reading("5 min", 1 if change > 0 else -1, (measure,))]
