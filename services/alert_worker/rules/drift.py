"""Fires when the price goes one way for many minutes, each of them too small for the other rules: a slow fall.

Slow as it is, a message of its own is due when it is as far as a move that nobody may miss: three per cent.
"""

import math
from typing import Annotated, ClassVar

from pydantic import Field

from services.alert_worker.rules.base import TIE, Finding, Measure, Reading, Sight, floor_of
from services.alert_worker.rules.parameters import Parameters, Percents, percents

MINUTE_US = 60_000_000


class Drift(Parameters):
    """A sum of standardised minute returns (see `trend`), and a move of the tier's percentage over all of them."""

    name: ClassVar[str] = "drift"
    enabled: bool = Field(default=True, description="whether it is asked")
    least_sum: Annotated[float, Field(ge=5, le=1_000)] = Field(
        default=15.0, description="least sum of the minutes' volatilities, each less half of one"
    )
    percent: Percents = Field(default=percents(2, 3, 8, 3), description="least move over all these minutes")
    opens_percent: Percents = Field(default=percents(3), description="least move that opens a message of its own")

    @property
    def floor(self) -> float:
        """See `Rule`."""
        return self.percent.least / 100

    def judge(self, sight: Sight) -> Finding | None:
        """See the module."""
        baseline = sight.baseline
        direction, run = baseline.trend.run(sight.direction)
        if run.total < self.least_sum - TIE:
            return None
        change = sight.window.last / run.before - 1
        if direction * change < floor_of(self.percent, self.opens_percent, sight) - TIE:
            return None
        minutes = max(1, baseline.minute - run.began_minute)
        multiple = abs(change) / (baseline.sigma * math.sqrt(minutes))
        return Finding(self.name, run.before, change, multiple, run.began_minute * MINUTE_US)

    def readings(self, sight: Sight) -> list[Reading]:
        """See `ShowsReadings`."""
        direction, run = sight.baseline.trend.run(sight.direction)
        if not run.before:
            return [Reading("its run", missing="no minute is known")]
        change = direction * (sight.window.last / run.before - 1)
        measures = (
            Measure(run.total, self.least_sum, "summed σ"),
            Measure(max(0.0, 100 * change), 100 * floor_of(self.percent, self.opens_percent, sight), "%"),
        )
        return [Reading("its run", direction, measures)]
