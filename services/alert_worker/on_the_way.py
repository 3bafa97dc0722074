"""How long trades take from their receipt to us: what a partition with nothing to read has to be given. Pure."""

LEAST_US = 60_000
MOST_US = 1_400_000
"""Less than a partition is waited for (`watch.MOST_WAIT_TICKS`), by what the exchanges' delays may differ: an idle one
must not look as if it were behind."""

_REMEMBERED_US = 5_000_000


class OnTheWay:
    """The longest way of the last five to ten seconds.

    Where a producer or a broker is short of time, its records come seconds after their receipt. A clock that ran on
    meanwhile has closed ticks whose trades are still to come.
    """

    def __init__(self) -> None:
        self._since_us = 0
        self._longest_us = self._before_us = 0

    def note(self, received_at_us: int, now_us: int) -> None:
        """A trade that was received then is here now."""
        self._forget(now_us)
        self._longest_us = max(self._longest_us, now_us - received_at_us)

    def longest_us(self, now_us: int) -> int:
        """What to allow for, in microseconds."""
        self._forget(now_us)
        return min(MOST_US, max(LEAST_US, self._longest_us, self._before_us))

    def _forget(self, now_us: int) -> None:
        passed_us = now_us - self._since_us
        if passed_us >= _REMEMBERED_US:
            self._before_us = self._longest_us if passed_us < 2 * _REMEMBERED_US else 0
            self._since_us, self._longest_us = now_us, 0
