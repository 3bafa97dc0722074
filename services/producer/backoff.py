"""How long to wait before the next connection: longer after each failure, spread at random. Pure."""

from collections.abc import Callable

FIRST_S = 0.5
LONGEST_S = 30.0
HEALTHY_AFTER_S = 10.0


class Backoff:
    """Full jitter: a uniform share of a limit that doubles. A mere connect changes nothing; received data does,
    because an exchange that accepts and hangs up would otherwise be called without a pause.
    """

    def __init__(self, uniform: Callable[[float, float], float]) -> None:
        self._uniform = uniform
        self._limit_s = FIRST_S

    def next_s(self, *, data_for_s: float, permanent: bool = False) -> float:
        """Seconds to wait after a connection that received data for `data_for_s`; `permanent` asks for the longest."""
        if permanent:
            return LONGEST_S
        if data_for_s >= HEALTHY_AFTER_S:
            self._limit_s = FIRST_S
        wait_s = self._uniform(0, self._limit_s)
        self._limit_s = min(LONGEST_S, self._limit_s * 2)
        return wait_s
