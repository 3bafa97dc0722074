"""The last five minutes of one symbol's price, as highest and lowest of each five seconds. Half a kilobyte."""

from array import array
from collections.abc import Sequence

BUCKET_US = 5_000_000
BUCKETS = 60
SPAN_S = BUCKETS * BUCKET_US // 1_000_000
_EMPTY = array("i", [0]) * BUCKETS
_NARROW = (1 << 31) - 1
"""What four bytes hold: the prices of nearly every market, whose digits are few."""


class Window:
    """Sliding extremes of a price. Prices are positive integers of one scale, times never go back.

    A stretch without trades shorter than the window counts as the last price; after a longer one the window starts
    anew, because what was the price meanwhile is not known.
    """

    __slots__ = ("_bottom", "_ends_us", "_highs", "_lows", "_top", "head", "high", "last", "low")

    def __init__(self) -> None:
        self._clear()
        self.head = 0
        """Number of the newest bucket since the epoch; 0 while empty. Its extremes are kept outside the arrays."""
        self._ends_us = self._top = self._bottom = 0
        self.high = self.low = self.last = 0
        """Extremes of the whole window, and the newest price; 0 while empty."""

    def add(self, at_us: int, price: int) -> None:
        """Take in the price at a time that is no earlier than any before."""
        if at_us >= self._ends_us:
            self._move_to(at_us // BUCKET_US, price)
        self.last = price
        if price > self._top:
            self._top = price
            if price > self.high:  # noqa: PLR1730  # a call costs more than it says
                self.high = price
        elif price < self._bottom:
            self._bottom = price
            if price < self.low:  # noqa: PLR1730
                self.low = price

    def add_late(self, at_us: int, price: int) -> None:
        """Correct an earlier bucket, never beyond the extremes that ordered trades confirm."""
        bucket = at_us // BUCKET_US
        if not self.head - BUCKETS < bucket <= self.head:
            return
        price = min(max(price, self.low), self.high)
        self._store()
        slot = bucket % BUCKETS
        if self._highs[slot]:
            self._highs[slot] = max(self._highs[slot], price)
            self._lows[slot] = min(self._lows[slot], price)
        self._load()

    def extremes(self, buckets: int) -> tuple[int, int]:
        """(high, low) of the newest `buckets`; of an empty window (0, 0)."""
        self._store()
        slots = [(self.head - age) % BUCKETS for age in range(buckets)]
        return max(self._highs[s] for s in slots), min((self._lows[s] for s in slots if self._lows[s]), default=0)

    def began_us(self, before: int) -> int:
        """When the newest bucket began in which nine tenths of the move from `before` to the last price lay ahead."""
        self._store()
        reach = (before - self.last) * 9
        for age in range(BUCKETS):
            slot = (self.head - age) % BUCKETS
            extreme = self._highs[slot] if reach > 0 else self._lows[slot]
            if extreme and abs(extreme - self.last) * 10 >= abs(reach):
                return (self.head - age) * BUCKET_US
        return self.head * BUCKET_US

    def disown(self, since_us: int, direction: int) -> None:
        """Take back the highs (direction > 0) or lows since a time beyond the last price: they did not stand."""
        self._store()
        values, keep = (self._highs, min) if direction > 0 else (self._lows, max)
        for bucket in range(max(since_us // BUCKET_US, self.head - BUCKETS + 1), self.head + 1):
            if values[bucket % BUCKETS]:
                values[bucket % BUCKETS] = keep(values[bucket % BUCKETS], self.last)
        self._load()
        self._refresh()

    def restart(self, at_us: int, prices: Sequence[int]) -> None:
        """Forget everything but these prices: what was before is no longer a reason for an alert."""
        self._clear()
        self.head = self._ends_us = 0
        for price in prices:
            self.add(at_us, price)

    def multiply(self, factor: int) -> None:
        """Change the scale of all prices."""
        self._store()
        self._fit(self.high * factor)
        for slot in range(BUCKETS):
            self._highs[slot] *= factor
            self._lows[slot] *= factor
        self.high, self.low, self.last = self.high * factor, self.low * factor, self.last * factor
        self._load()

    def packed(self) -> bytes:
        """Everything but head and last price, oldest bucket first."""
        self._store()
        order = [(self.head + 1 + place) % BUCKETS for place in range(BUCKETS)]
        return array("q", [self._highs[s] for s in order] + [self._lows[s] for s in order]).tobytes()

    @classmethod
    def unpacked(cls, packed: bytes, head: int, last: int) -> "Window":
        """The inverse of `packed`."""
        window, values = cls(), array("q", packed)
        window.head, window.last = head, last
        window._fit(max(values))
        for place in range(BUCKETS):
            slot = (head + 1 + place) % BUCKETS
            window._highs[slot], window._lows[slot] = values[place], values[BUCKETS + place]
        if head:
            window._ends_us = (head + 1) * BUCKET_US
            window._load()
            window._refresh()
        return window

    def _move_to(self, bucket: int, price: int) -> None:
        if bucket - self.head >= BUCKETS:
            self._clear()
            self.high = self.low = self._top = self._bottom = price
        else:
            self._carry_to(bucket)
        self.head, self._ends_us = bucket, (bucket + 1) * BUCKET_US
        self._store()

    def _carry_to(self, bucket: int) -> None:
        """Let buckets pass at the last price; the newest begins with it: a jump between two buckets is a move too."""
        self._store()
        highs, lows, last = self._highs, self._lows, self.last
        has_lost_an_extreme = False
        for number in range(self.head + 1, bucket + 1):
            slot = number % BUCKETS
            if highs[slot] == self.high or lows[slot] == self.low:
                has_lost_an_extreme = True
            highs[slot] = lows[slot] = last
        self._top = self._bottom = last
        if has_lost_an_extreme:
            self._refresh()

    def _refresh(self) -> None:
        self.high = max(self._highs)
        self.low = min(self._lows) or min(low for low in self._lows if low)

    def _clear(self) -> None:
        self._highs, self._lows = _EMPTY[:], _EMPTY[:]

    def _fit(self, price: int) -> None:
        """Make room for a price with many digits."""
        if price > _NARROW and self._highs.typecode == "i":
            self._highs, self._lows = array("q", self._highs), array("q", self._lows)

    def _store(self) -> None:
        if self.head:
            self._fit(self._top)
            slot = self.head % BUCKETS
            self._highs[slot], self._lows[slot] = self._top, self._bottom

    def _load(self) -> None:
        slot = self.head % BUCKETS
        self._top, self._bottom = self._highs[slot], self._lows[slot]
