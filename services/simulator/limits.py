"""Limits that exchanges and Slack put on their callers, counted in rolling windows and buckets. Pure: told the time."""

from collections import deque
from dataclasses import dataclass


class RollingWindow:
    """At most `limit` events in any `window_s` seconds."""

    def __init__(self, limit: int, window_s: float) -> None:
        self._limit = limit
        self._window_s = window_s
        self._events: deque[tuple[float, int]] = deque()
        self._used = 0

    def take(self, now_s: float, weight: int = 1) -> bool:
        """Count an event; False when it goes beyond the limit (it is not counted then)."""
        self._forget(now_s)
        if self._used + weight > self._limit:
            return False
        self._events.append((now_s, weight))
        self._used += weight
        return True

    def used(self, now_s: float) -> int:
        """How much of the limit is used up."""
        self._forget(now_s)
        return self._used

    def left(self, now_s: float) -> int:
        """How much of the limit is left."""
        return self._limit - self.used(now_s)

    def free_in_s(self, now_s: float) -> float:
        """Seconds until the oldest event leaves the window."""
        self._forget(now_s)
        return self._events[0][0] + self._window_s - now_s if self._events else 0.0

    def _forget(self, now_s: float) -> None:
        while self._events and self._events[0][0] <= now_s - self._window_s:
            self._used -= self._events.popleft()[1]


@dataclass(slots=True)
class TokenBucket:
    """`per_s` tokens a second, at most `burst` saved up."""

    per_s: float
    burst: float
    tokens: float = -1.0
    at_s: float = 0.0

    def take(self, now_s: float) -> float:
        """Take a token: 0.0 when there was one, otherwise the seconds until there is one."""
        self.tokens = self.burst if self.tokens < 0 else self.tokens + (now_s - self.at_s) * self.per_s
        self.tokens, self.at_s = min(self.burst, self.tokens), now_s
        if self.tokens >= 1:
            self.tokens -= 1
            return 0.0
        return (1 - self.tokens) / self.per_s
