"""How long and how steadily a price has been going one way: a cumulative sum of standardised minutes, each way."""

from typing import Any

SLACK_SIGMAS = 0.5
"""What a minute has to go beyond to count as going on."""

MOST_SIGMAS = 3.0
"""What one minute counts at most: a jump is no drift."""


class Run:
    """One direction. The sum is zero where the run began, and falls back to zero when the price stops or turns."""

    __slots__ = ("before", "began_minute", "direction", "total")

    def __init__(self, direction: int) -> None:
        self.direction = direction
        self.restart()

    def restart(self) -> None:
        """Begin anew: what was so far is known."""
        self.total, self.before, self.began_minute = 0.0, 0, 0

    def add(self, minute: int, close: int, sigmas: float) -> None:
        """Take in the minute that ended at `close` when `minute` (since the epoch) began."""
        if self.before:
            step = self.direction * max(-MOST_SIGMAS, min(MOST_SIGMAS, sigmas))
            self.total = max(0.0, self.total + step - SLACK_SIGMAS)
        if not self.total:
            self.before, self.began_minute = close, minute


class Trend:
    """Both directions of one symbol. Prices are integers of its scale."""

    __slots__ = ("down", "up")

    def __init__(self) -> None:
        self.up, self.down = Run(1), Run(-1)

    def restart(self) -> None:
        """See `Run.restart`."""
        self.up.restart()
        self.down.restart()

    def add(self, minute: int, close: int, sigmas: float) -> None:
        """See `Run.add`."""
        self.up.add(minute, close, sigmas)
        self.down.add(minute, close, sigmas)

    def longest(self, direction: int = 0) -> Run:
        """The run of a direction; 0: the one with the larger sum."""
        if direction:
            return self.up if direction > 0 else self.down
        return self.up if self.up.total > self.down.total else self.down

    def multiply(self, factor: int) -> None:
        """Change the scale of all prices."""
        self.up.before *= factor
        self.down.before *= factor

    def packed(self) -> list[Any]:
        """Everything, as plain values."""
        return [value for run in (self.up, self.down) for value in (run.total, run.before, run.began_minute)]

    def unpack(self, packed: list[Any]) -> None:
        """The inverse of `packed`."""
        for run, values in ((self.up, packed[:3]), (self.down, packed[3:])):
            run.total, run.before, run.began_minute = values
