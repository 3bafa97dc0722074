"""How much money usually changes hands in a minute of one symbol, at this time of day. Confirms a move, raises none.

Amounts of money spread like a log-normal, so everything is in logarithms, in which the mean is the median's. Each hour
of the day (UTC) has a centre of its own; while fewer than ENOUGH_OF_HOUR of its minutes are known, all that is known
counts instead, and before ENOUGH minutes nothing is said. A minute counts at most three spreads off, so that a crash
does not move what is usual; one without a trade does not count. The newest 240 minutes of an hour weigh most: four
days. About 150 bytes, and nothing to do but once a minute.
"""

import base64
import math
from ctypes import Structure, c_double, c_float, c_int64, c_uint8
from typing import Any, NamedTuple

NAME = "volume"
CONFIRMS_SIGMAS = 3.0
"""From here on volume is named among what speaks for a move."""

ENOUGH, ENOUGH_OF_HOUR = 30, 20
_HOURS = 24
_REMEMBERED, _REMEMBERED_OF_HOUR = 1_440, 240
_FIRST_SPREAD, _FIRST_WEIGHT = 1.0, 10
_CLIP_SPREADS = 3.0
_MEAN_DEVIATION_TO_SIGMA = 1.2533
MOST_TIMES = 99_999.0


class Compared(NamedTuple):
    """A minute's money: `times` the median, `sigmas` above it (or below), and whether that is the hour's median or,
    where too little of the hour is known, that of all minutes."""

    times: float
    sigmas: float
    is_of_hour: bool


_Centres, _Counts = c_float * _HOURS, c_uint8 * _HOURS


class Volume(Structure):
    """What is usual for one symbol. Minutes in any order."""

    _minutes: int
    _all: float
    """Centre of all minutes' logarithms."""
    _spread: float
    """Mean distance from the centre."""
    _centres: Any
    _counts: Any
    _fields_ = (
        ("_minutes", c_int64), ("_all", c_double), ("_spread", c_double), ("_centres", _Centres), ("_counts", _Counts),
    )  # fmt: skip

    def learn(self, minute: int, money: float) -> None:
        """A minute (since the epoch) is over, and so much money changed hands in it."""
        if money <= 0:
            return
        value, hour = math.log(money), minute // 60 % _HOURS
        if not self._minutes:
            self._all, self._spread = value, _FIRST_SPREAD
        known = self._counts[hour]
        self._minutes = min(self._minutes + 1, _REMEMBERED)
        off = self._clipped(value - (self._centres[hour] if known >= ENOUGH_OF_HOUR else self._all))
        self._spread += (abs(off) - self._spread) / (self._minutes + _FIRST_WEIGHT)
        self._all += self._clipped(value - self._all) / self._minutes
        self._counts[hour] = known = min(known + 1, _REMEMBERED_OF_HOUR)
        centre = self._centres[hour]
        self._centres[hour] = centre + self._clipped(value - centre) / known if known > 1 else value

    def compare(self, minute: int, money: float) -> Compared | None:
        """So much money in a minute, beside what is usual; None where that is not known."""
        if money <= 0 or self._minutes < ENOUGH:
            return None
        hour = minute // 60 % _HOURS
        is_of_hour = self._counts[hour] >= ENOUGH_OF_HOUR
        off = math.log(money) - (self._centres[hour] if is_of_hour else self._all)
        sigmas = off / (_MEAN_DEVIATION_TO_SIGMA * max(self._spread, 0.05))
        return Compared(min(math.exp(min(off, 20.0)), MOST_TIMES), sigmas, is_of_hour)

    def packed(self) -> list[Any]:
        """Everything, as plain values."""
        if not self._minutes:
            return []
        arrays = [base64.b64encode(bytes(one)).decode() for one in (self._centres, self._counts)]
        return [self._minutes, self._all, self._spread, *arrays]

    @classmethod
    def unpacked(cls, packed: list[Any]) -> "Volume":
        """The inverse of `packed`."""
        if not packed:
            return cls()
        *numbers, centres, counts = packed
        arrays = (
            kind.from_buffer_copy(base64.b64decode(text)) for kind, text in ((_Centres, centres), (_Counts, counts))
        )
        return cls(*numbers, *arrays)

    def _clipped(self, off: float) -> float:
        most = _CLIP_SPREADS * self._spread
        return max(-most, min(most, off))
