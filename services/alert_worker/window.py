"""The last five minutes of one symbol's price, as highest and lowest of each five seconds. About one kilobyte."""

from array import array
from collections.abc import Sequence

BUCKET_US = 5_000_000
BUCKETS = 60
SPAN_S = BUCKETS * BUCKET_US // 1_000_000


class Window:
    """Sliding extremes of a price. Prices are positive integers of one scale, times never go back.

    A stretch without trades shorter than the window counts as the last price; after a longer one the window starts
    anew, because what was the price meanwhile is not known.
    """

    __slots__ = ("_highs", "_lows", "head", "high", "last", "low")

    def __init__(self) -> None:
        self._highs = array("q", bytes(8 * BUCKETS))
        self._lows = array("q", bytes(8 * BUCKETS))
        self.head = 0
        """Number of the newest bucket since the epoch; 0 while empty."""
        self.high = self.low = self.last = 0
        """Extremes of the whole window, and the newest price; 0 while empty."""

    def add(self, at_us: int, price: int) -> None:
        """Take in the price at a time that is no earlier than any before."""
        bucket = at_us // BUCKET_US
        if bucket != self.head:
            self._move_to(bucket, price)
        slot = bucket % BUCKETS
        if price > self._highs[slot]:
            self._highs[slot] = price
            self.high = max(self.high, price)
        elif price < self._lows[slot]:
            self._lows[slot] = price
            self.low = min(self.low, price)
        self.last = price

    def add_late(self, at_us: int, price: int) -> None:
        """Correct an earlier bucket, never beyond the extremes that ordered trades confirm."""
        bucket = at_us // BUCKET_US
        if self.high and self.head - BUCKETS < bucket <= self.head:
            slot = bucket % BUCKETS
            price = min(max(price, self.low), self.high)
            if self._highs[slot]:
                self._highs[slot] = max(self._highs[slot], price)
                self._lows[slot] = min(self._lows[slot], price)

    def extremes(self, buckets: int) -> tuple[int, int]:
        """(high, low) of the newest `buckets`."""
        slots = [(self.head - age) % BUCKETS for age in range(buckets)]
        return max(self._highs[s] for s in slots), min(self._lows[s] for s in slots if self._lows[s])

    def began_us(self, before: int) -> int:
        """When the newest bucket began in which nine tenths of the move from `before` to the last price lay ahead."""
        reach = (before - self.last) * 9
        for age in range(BUCKETS):
            slot = (self.head - age) % BUCKETS
            extreme = self._highs[slot] if reach > 0 else self._lows[slot]
            if extreme and abs(extreme - self.last) * 10 >= abs(reach):
                return (self.head - age) * BUCKET_US
        return self.head * BUCKET_US

    def restart(self, at_us: int, prices: Sequence[int]) -> None:
        """Forget everything but these prices: what was before is no longer a reason for an alert."""
        self._fill(0)
        self.head = 0
        for price in prices:
            self.add(at_us, price)

    def multiply(self, factor: int) -> None:
        """Change the scale of all prices."""
        for slot in range(BUCKETS):
            self._highs[slot] *= factor
            self._lows[slot] *= factor
        self.high, self.low, self.last = self.high * factor, self.low * factor, self.last * factor

    def packed(self) -> bytes:
        """Everything but head and last price, oldest bucket first."""
        order = [(self.head + 1 + place) % BUCKETS for place in range(BUCKETS)]
        return array("q", [self._highs[s] for s in order] + [self._lows[s] for s in order]).tobytes()

    @classmethod
    def unpacked(cls, packed: bytes, head: int, last: int) -> "Window":
        """The inverse of `packed`."""
        window, values = cls(), array("q", packed)
        window.head, window.last = head, last
        for place in range(BUCKETS):
            slot = (head + 1 + place) % BUCKETS
            window._highs[slot], window._lows[slot] = values[place], values[BUCKETS + place]
        window._refresh()
        return window

    def _move_to(self, bucket: int, price: int) -> None:
        skipped = bucket - self.head
        if skipped > BUCKETS:
            self._fill(0)
            self.high = self.low = price
        else:
            for number in range(self.head + 1, bucket):
                self._highs[number % BUCKETS] = self._lows[number % BUCKETS] = self.last
            # The bucket begins with the price that it inherits: a jump between two buckets is a move too.
            self._highs[bucket % BUCKETS] = max(self.last, price)
            self._lows[bucket % BUCKETS] = min(self.last, price)
        self.head = bucket
        if skipped > BUCKETS:
            self._highs[bucket % BUCKETS] = self._lows[bucket % BUCKETS] = price
        else:
            self._refresh()

    def _refresh(self) -> None:
        self.high = max(self._highs)
        self.low = min(self._lows) or min((low for low in self._lows if low), default=0)

    def _fill(self, price: int) -> None:
        for slot in range(BUCKETS):
            self._highs[slot] = self._lows[slot] = price
        self.high = self.low = price
