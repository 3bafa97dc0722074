"""How long and how steadily a price has been going one way: a cumulative sum of standardised minutes, each way."""

from ctypes import Structure, c_double, c_int64
from typing import Any

from services.alert_worker.prices import MAX_PRICE

SLACK_SIGMAS = 0.5
"""What a minute has to go beyond to count as going on."""

MOST_SIGMAS = 3.0
"""What one minute counts at most: a jump is no drift."""


class Run(Structure):
    """One direction. The sum is zero where the run began, and falls back to zero when the price stops or turns."""

    _fields_ = (("total", c_double), ("before", c_int64), ("began_minute", c_int64))

    def restart(self) -> None:
        """Begin anew: what was so far is known."""
        self.total, self.before, self.began_minute = 0.0, 0, 0

    def add(self, minute: int, close: int, sigmas: float) -> None:
        """Take in the minute that ended at `close` when `minute` (since the epoch) began, and went so far this way."""
        if self.before:
            step = max(-MOST_SIGMAS, min(MOST_SIGMAS, sigmas))
            self.total = max(0.0, self.total + step - SLACK_SIGMAS)
        if not self.total:
            self.before, self.began_minute = close, minute

    def multiply(self, factor: int) -> None:
        """Change the scale of its price; where there is no room for the digits, begin anew."""
        if self.before * factor >= MAX_PRICE:
            self.restart()
        self.before *= factor


class Trend(Structure):
    """Both directions of one symbol. Prices are integers of its scale."""

    _fields_ = (("up", Run), ("down", Run))

    def restart(self) -> None:
        """See `Run.restart`."""
        self.up.restart()
        self.down.restart()

    def add(self, minute: int, close: int, sigmas: float) -> None:
        """See `Run.add`."""
        self.up.add(minute, close, sigmas)
        self.down.add(minute, close, -sigmas)

    @property
    def longest(self) -> float:
        """The larger sum."""
        return max(float(self.up.total), float(self.down.total))

    def run(self, direction: int = 0) -> tuple[int, Run]:
        """(direction, run) of a direction; 0: of the one with the larger sum."""
        if not direction:
            direction = 1 if self.up.total > self.down.total else -1
        return direction, self.up if direction > 0 else self.down

    def multiply(self, factor: int) -> None:
        """Change the scale of all prices."""
        self.up.multiply(factor)
        self.down.multiply(factor)

    def packed(self) -> list[Any]:
        """Everything, as plain values."""
        return [value for run in (self.up, self.down) for value in (run.total, run.before, run.began_minute)]

    def unpack(self, packed: list[Any]) -> None:
        """The inverse of `packed`."""
        for run, values in ((self.up, packed[:3]), (self.down, packed[3:])):
            run.total, run.before, run.began_minute = values
