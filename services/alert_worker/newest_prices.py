"""The prices of one coin's two markets at the end of the last seconds. A line of bytes each, as in `gap_window`."""

from collections.abc import Iterable, Iterator
from struct import Struct
from typing import NamedTuple

MOST = 120
"""Seconds that are kept while others are waited for; of more the oldest are forgotten."""

_ANOTHER_TIME_TICKS = 36_000
_LINE = Struct("=qbqiq")


class Second(NamedTuple):
    """By which price (digits and scale) a side went at a tick, and when it last traded."""

    tick: int
    side: int
    price: int
    scale: int
    traded_at_us: int


class NewestPrices:
    """Of each side the newest second that everything was decided of, and those after it, oldest first."""

    __slots__ = ("_lines",)

    def __init__(self, seconds: Iterable[Second] = ()) -> None:
        self._lines = b"".join(_LINE.pack(*one) for one in seconds)

    def __iter__(self) -> Iterator[Second]:
        return (Second(*values) for values in _LINE.iter_unpack(self._lines))

    def add(self, now: Second, decided_tick: int) -> None:
        """Take in a second; up to `decided_tick` nothing is asked for any more but the newest."""
        others, ours = list[bytes](), list[tuple[int, bytes]]()
        for place, values in enumerate(_LINE.iter_unpack(self._lines)):
            line = self._lines[place * _LINE.size : (place + 1) * _LINE.size]
            if values[1] == now.side:
                ours.append((values[0], line))
            else:
                others.append(line)
        if ours and now.tick <= ours[-1][0]:
            if ours[-1][0] - now.tick <= _ANOTHER_TIME_TICKS:
                return  # told again after a restart
            ours = []
        first = max((place for place, (tick, _) in enumerate(ours) if tick <= decided_tick), default=0)
        kept = [line for _, line in ours[first:]][1 - MOST :]
        self._lines = b"".join([*others, *kept, _LINE.pack(*now)])

    def at(self, side: int, tick: int) -> Second | None:
        """What a side went by at a tick; None where that is not known."""
        return max((one for one in self if one.side == side and one.tick <= tick), default=None)
