"""Fires when the price is a fixed percentage away from an extreme of the last five minutes.

It is what makes that no move is told later than by the rule that one would write first: 2 % in five minutes. Where the
smallest step of a price is a per cent or more, such a move is the step between two orders, so in markets where little
is traded it has to be a few of the symbol's own minutes as well, if it would open a message: what belongs to one that
was told calls only those who follow it. Until those minutes are known it is the only rule.
"""

from typing import ClassVar

from pydantic import Field

from services.alert_worker.rules.base import TIE, Finding, Measure, Reading, Sight, larger_move
from services.alert_worker.rules.parameters import Multiples, Parameters, Percents, multiples, percents


class MoveAbs(Parameters):
    """A move of at least the tier's fixed percentage within five minutes."""

    name: ClassVar[str] = "move_abs"
    enabled: bool = Field(default=True, description="whether it is asked")
    percent: Percents = Field(default=percents(2), description="least move within five minutes")
    sigmas: Multiples = Field(
        default=multiples(1, 3, 3, 1),
        description="least multiple of the volatility of a minute, once it is known, to open a message",
    )

    @property
    def floor(self) -> float:
        """See `Rule`."""
        return self.percent.least / 100

    def judge(self, sight: Sight) -> Finding | None:
        """See the module."""
        window = sight.window
        before, change = larger_move(window.last, window.high, window.low, sight.direction)
        tier = sight.tier
        if abs(change) < self.percent.of(tier) / 100 - TIE or abs(change) < self._least_unusual(sight) - TIE:
            return None
        return Finding(self.name, before, change)

    def readings(self, sight: Sight) -> list[Reading]:
        """See `ShowsReadings`."""
        window = sight.window
        _, change = larger_move(window.last, window.high, window.low, sight.direction)
        tier, sigma = sight.tier, sight.baseline.sigma
        measures = [Measure(100 * abs(change), self.percent.of(tier), "%")]
        if self._asks_for_sigmas(sight) and sigma > 0:
            measures.append(Measure(abs(change) / sigma, self.sigmas.of(tier), "σ of a minute"))
        return [Reading("5 min", 1 if change > 0 else -1, tuple(measures))]

    def _least_unusual(self, sight: Sight) -> float:
        return self.sigmas.of(sight.tier) * sight.baseline.sigma if self._asks_for_sigmas(sight) else 0.0

    @staticmethod
    def _asks_for_sigmas(sight: Sight) -> bool:
        return sight.opens and sight.baseline.is_warm
