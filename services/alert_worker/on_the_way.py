"""How long trades take from their receipt to us: what a partition with nothing to read has to be given. Pure."""

LEAST_US = 60_000
MOST_US = 2_000_000
"""Nobody is waited for longer than this, see `watch.MOST_WAIT_TICKS`."""

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
        if now_us - self._since_us >= _REMEMBERED_US:
            self._since_us, self._before_us, self._longest_us = now_us, self._longest_us, 0
        self._longest_us = max(self._longest_us, now_us - received_at_us)

    @property
    def longest_us(self) -> int:
        """What to allow for, in microseconds."""
        return min(MOST_US, max(LEAST_US, self._longest_us, self._before_us))
