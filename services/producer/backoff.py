"""When the next connection is due: longer after each failure, before the exchange cuts, spread at random. Pure."""

from collections.abc import Callable

FIRST_S = 0.5
LONGEST_S = 30.0
HEALTHY_AFTER_S = 10.0
ROTATE_SPREAD = 0.02
"""Of 23 hours: half an hour each way, and never a day."""

Uniform = Callable[[float, float], float]
"""A number between two, any as likely as any other."""


class Backoff:
    """Full jitter: a uniform share of a limit that doubles. A mere connect changes nothing; received data does,
    because an exchange that accepts and hangs up would otherwise be called without a pause.
    """

    def __init__(self, uniform: Uniform) -> None:
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


def rotate_after_s(rotate_s: float, uniform: Uniform) -> float:
    """For how long one connection is used, which is about `rotate_s`: not all of them are replaced at once."""
    return rotate_s * uniform(1 - ROTATE_SPREAD, 1 + ROTATE_SPREAD)
