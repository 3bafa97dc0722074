"""What was judged lately, as the worker's own line about itself tells it. Pure."""

from collections.abc import Callable

from shared.figures import figures

_TOLD_EVERY_US = 1_000_000


class Judged:
    """How many trades a second, and when the newest of them was received."""

    def __init__(self) -> None:
        self._trades = self._newest_us = self._told_at_us = 0
        self._told = ""

    def note(self, trades: int, received_at_us: int) -> None:
        """So many more were judged; the last of them was received then."""
        self._trades += trades
        self._newest_us = max(self._newest_us, received_at_us)

    def says(self, behind: Callable[[], int], now_us: int) -> str:
        """The figures, made anew once a second; `behind` gives how many trades are still to be judged."""
        passed_us = now_us - self._told_at_us
        if not 0 <= passed_us < _TOLD_EVERY_US:  # below 0 when our clock was set back
            a_second = self._trades * 1_000_000 / max(passed_us, _TOLD_EVERY_US)
            self._told = figures(f"{a_second:,.0f} trades/s", f"{behind():,} behind", self._newest_us, now_us)
            self._trades, self._told_at_us = 0, now_us
        return self._told
