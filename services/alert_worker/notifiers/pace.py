"""How many messages a second a channel takes: Slack allows about one, and a few at once."""

from dataclasses import dataclass


@dataclass(slots=True)
class Pace:
    """A token bucket: `burst` messages at once, then one every 1 / `rate` seconds. Times are of any steady clock."""

    rate: float = 1.0
    burst: float = 3.0
    _tokens: float | None = None
    _at_s: float = 0.0

    def delay_s(self, now_s: float) -> float:
        """How long until a token is there; it is not taken."""
        self._fill(now_s)
        return max(0.0, (1 - (self._tokens or 0.0)) / self.rate)

    def take(self, now_s: float) -> float:
        """Take a token and return how long to wait before using it."""
        self._fill(now_s)
        self._tokens = (self._tokens or 0.0) - 1
        return max(0.0, -self._tokens / self.rate)

    def _fill(self, now_s: float) -> None:
        held = self.burst if self._tokens is None else min(self.burst, self._tokens + (now_s - self._at_s) * self.rate)
        self._tokens, self._at_s = held, now_s


def unlimited() -> Pace:
    """For what takes any number."""
    return Pace(1e6, 1e6)
