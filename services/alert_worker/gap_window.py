"""The last five minutes of one coin's prices on two exchanges, side by side."""

from collections.abc import Iterable, Iterator
from struct import Struct

import msgspec

_LINE = Struct("=qqiqid")


class Both(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Both prices at a tick, exactly: digits and scale of each side."""

    tick: int
    here: int
    here_scale: int
    there: int
    there_scale: int
    gap: float
    """Logarithm of the ratio."""


class GapWindow:
    """Boundaries at which both prices were known, oldest first. Kept as bytes, forty each: as objects they would take
    four times the room, and every pair has thirty."""

    __slots__ = ("_lines",)

    def __init__(self, boundaries: Iterable[Both] = ()) -> None:
        self._lines = b"".join(_line(one) for one in boundaries)

    def __iter__(self) -> Iterator[Both]:
        return (Both(*values) for values in _LINE.iter_unpack(self._lines))

    def __len__(self) -> int:
        return len(self._lines) // _LINE.size

    @property
    def oldest(self) -> Both:
        """The oldest boundary. Raises struct.error when there is none."""
        return Both(*_LINE.unpack(self._lines[: _LINE.size]))

    @property
    def newest(self) -> Both:
        """The newest boundary. Raises struct.error when there is none."""
        return Both(*_LINE.unpack(self._lines[-_LINE.size :]))

    def add(self, now: Both, since_tick: int) -> None:
        """Take in a boundary, and forget those before `since_tick`."""
        gone = sum(values[0] < since_tick for values in _LINE.iter_unpack(self._lines))
        self._lines = self._lines[gone * _LINE.size :] + _line(now)

    def furthest(self, gap: float) -> Both:
        """The first of those whose gap is furthest from this one. Raises ValueError when there is none."""
        return Both(*max(_LINE.iter_unpack(self._lines), key=lambda values: abs(gap - values[-1])))


def _line(one: Both) -> bytes:
    return _LINE.pack(one.tick, one.here, one.here_scale, one.there, one.there_scale, one.gap)
