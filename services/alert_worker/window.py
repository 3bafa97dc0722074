"""The last five minutes of one symbol's price, as highest and lowest of each five seconds. A quarter of a kilobyte."""

from array import array

BUCKET_US = 5_000_000
BUCKETS = 60
SILENCE_US = 600_000_000
"""So long the last price is taken to be the price: a thin market that is traded again after seven minutes and is five
per cent away moved by that. As long as a step that counts as a minute's return, see `baseline`.
"""
_MOST_SILENT = SILENCE_US // BUCKET_US
_EMPTY = array("H", [0]) * (2 * BUCKETS)
_MOST = {"H": (1 << 16) - 1, "i": (1 << 31) - 1, "q": (1 << 63) - 1}
"""What two bytes hold, four and eight. Two do for nineteen of twenty markets: the digits of their prices are few."""


class Window:
    """Sliding extremes of a price. Prices are positive integers of one scale, times never go back.

    A stretch without trades counts as the last price; after one of `SILENCE_US` the window starts anew, because what
    was the price meanwhile is not known.
    """

    __slots__ = ("_bottom", "_buckets", "_ends_us", "_top", "high", "last", "low")

    def __init__(self) -> None:
        self._clear()
        self._ends_us = 0
        """When the newest bucket ends; 0 while empty."""
        self._top = self._bottom = 0
        """Its extremes, which the array need not know yet."""
        self.high = self.low = self.last = 0
        """Extremes of the whole window, and the newest price; 0 while empty."""

    @property
    def head(self) -> int:
        """Number of the newest bucket since the epoch; 0 while empty."""
        return self._ends_us // BUCKET_US - 1 if self._ends_us else 0

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
        buckets, high = self._buckets, bucket % BUCKETS
        if buckets[high]:
            buckets[high] = max(buckets[high], price)
            buckets[high + BUCKETS] = min(buckets[high + BUCKETS], price)
        self._load()

    def extremes(self, buckets: int) -> tuple[int, int]:
        """(high, low) of the newest `buckets`; of an empty window (0, 0)."""
        self._store()
        head, values = self.head, self._buckets
        slots = [(head - age) % BUCKETS for age in range(buckets)]
        lows = [values[s + BUCKETS] for s in slots]
        return max(values[s] for s in slots), min((low for low in lows if low), default=0)

    def began_us(self, before: int) -> int:
        """When the newest bucket began in which nine tenths of the move from `before` to the last price lay ahead."""
        self._store()
        head, reach = self.head, (before - self.last) * 9
        first = 0 if reach > 0 else BUCKETS
        for age in range(BUCKETS):
            extreme = self._buckets[first + (head - age) % BUCKETS]
            if extreme and abs(extreme - self.last) * 10 >= abs(reach):
                return (head - age) * BUCKET_US
        return head * BUCKET_US

    def disown(self, since_us: int, direction: int) -> None:
        """Take back the highs (direction > 0) or lows since a time beyond the last price: they did not stand."""
        self._store()
        first, keep = (0, min) if direction > 0 else (BUCKETS, max)
        for bucket in range(max(since_us // BUCKET_US, self.head - BUCKETS + 1), self.head + 1):
            place = first + bucket % BUCKETS
            if self._buckets[place]:
                self._buckets[place] = keep(self._buckets[place], self.last)
        self._load()
        self._refresh()

    def leave_only(self, direction: int, since_us: int) -> None:
        """Keep of the past the highs (direction > 0) or lows since a time: for the rest it was the last price."""
        self._store()
        buckets, last = self._buckets, self.last
        kept, furthest = (0, max) if direction > 0 else (BUCKETS, min)
        for number in range(self.head - BUCKETS + 1, self.head + 1):
            slot = number % BUCKETS
            if buckets[slot]:
                extreme = furthest(buckets[slot + kept], last)
                buckets[slot] = buckets[slot + BUCKETS] = last
                if number * BUCKET_US >= since_us:
                    buckets[slot + kept] = extreme
        self._load()
        self._refresh()

    def multiply(self, factor: int) -> None:
        """Change the scale of all prices."""
        self._store()
        self._fit(self.high * factor)
        for place in range(2 * BUCKETS):
            self._buckets[place] *= factor
        self.high, self.low, self.last = self.high * factor, self.low * factor, self.last * factor
        self._load()

    def packed(self) -> bytes:
        """Everything but head and last price, oldest bucket first."""
        self._store()
        oldest = (self.head + 1) % BUCKETS
        highs, lows = self._buckets[:BUCKETS], self._buckets[BUCKETS:]
        return array("q", highs[oldest:] + highs[:oldest] + lows[oldest:] + lows[:oldest]).tobytes()

    @classmethod
    def unpacked(cls, packed: bytes, head: int, last: int) -> "Window":
        """The inverse of `packed`."""
        window, values = cls(), array("q", packed)
        window.last = last
        window._fit(max(values))
        for place in range(BUCKETS):
            slot = (head + 1 + place) % BUCKETS
            window._buckets[slot], window._buckets[slot + BUCKETS] = values[place], values[place + BUCKETS]
        if head:
            window._ends_us = (head + 1) * BUCKET_US
            window._load()
            window._refresh()
        return window

    def _move_to(self, bucket: int, price: int) -> None:
        head = self.head
        if bucket - head >= _MOST_SILENT:
            self._clear()
            self.high = self.low = self._top = self._bottom = price
        else:
            self._carry(head, bucket)
        self._ends_us = (bucket + 1) * BUCKET_US
        self._store()

    def _carry(self, head: int, bucket: int) -> None:
        """Let buckets pass at the last price; the newest begins with it: a jump between two buckets is a move too."""
        self._store()
        buckets, last = self._buckets, self.last
        has_lost_an_extreme = False
        for number in range(max(head, bucket - BUCKETS) + 1, bucket + 1):
            high = number % BUCKETS
            low = high + BUCKETS
            if buckets[high] == self.high or buckets[low] == self.low:
                has_lost_an_extreme = True
            buckets[high] = buckets[low] = last
        self._top = self._bottom = last
        if has_lost_an_extreme:
            self._refresh()

    def _refresh(self) -> None:
        lows = self._buckets[BUCKETS:]
        self.high = max(self._buckets[:BUCKETS])
        self.low = min(lows) or min(low for low in lows if low)

    def _clear(self) -> None:
        self._buckets = _EMPTY[:]
        """Highs and then lows, each bucket at its number modulo their count; 0 where nothing was."""

    def _fit(self, price: int) -> None:
        """Make room for a price with many digits."""
        if price > _MOST[self._buckets.typecode]:
            wider = next(typecode for typecode, most in _MOST.items() if price <= most)
            self._buckets = array(wider, list(self._buckets))

    def _store(self) -> None:
        if self._ends_us:
            self._fit(self._top)
            slot = self.head % BUCKETS
            self._buckets[slot], self._buckets[slot + BUCKETS] = self._top, self._bottom

    def _load(self) -> None:
        slot = self.head % BUCKETS
        self._top, self._bottom = self._buckets[slot], self._buckets[slot + BUCKETS]
