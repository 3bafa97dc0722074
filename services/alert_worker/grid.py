"""Event time of one exchange in one partition: who has to wait for whom before a decision falls.

Decisions fall on a grid of 100 ms. A tick is closed once the exchange's time, as heard, is 200 ms past it; its trades
are then ordered by (traded_at, trade_id), so the order in which they arrived does not matter. Exchange time runs on
with our clock (stamps of receipt, less the exchange's usual delay) and with the newest sane trade, so that no symbol
waits for its own next trade. Everything here follows from the records alone: replayed, they give the same ticks.
"""

from collections import deque
from collections.abc import Iterator
from typing import Any, Generic, TypeVar

GRID_US = 100_000
LATENESS_US = 200_000
ENOUGH_HEARD = 5
"""Trades before the exchange's delay is known at all."""

BEHIND_US = 3_600_000_000
AHEAD_US = 10_000_000
"""A trade further off the exchange's running clock than this is out of its mind: it takes no part."""

_SAMPLES = 31
_RENEW_EVERY = 8

Entry = TypeVar("Entry")


def tick_of(at_us: int) -> int:
    """Number of the grid's tick at or next after a time."""
    return -(-at_us // GRID_US)


class Grid(Generic[Entry]):
    """Trades of one exchange that wait for their tick to close."""

    __slots__ = (
        "_delays", "_front_us", "_heard", "_next_us", "closed", "delay_us", "era", "least_delay_us", "most_delay_us",
        "waiting_at",
    )  # fmt: skip

    def __init__(self) -> None:
        self.closed = 0
        """The newest tick that is closed."""
        self._go_by(0)
        self.era = 0
        """Rises when the exchange's clock jumps by more than an hour: a recording of another time began."""
        self._front_us = 0
        self._next_us = 0
        """The front at which the next tick closes: compared for every trade, so that none has to be divided."""
        self._heard = 0
        self._delays: deque[int] = deque(maxlen=_SAMPLES)
        self.waiting_at: dict[int, list[Entry]] = {}
        """What waits, by the tick that it waits for; one that is closed already stands for the next that closes."""

    def hear(self, traded_at_us: int, received_at_us: int) -> bool:
        """Let time run on by a live trade's stamps; say whether ticks closed."""
        self._delays.append(received_at_us - traded_at_us)
        heard = self._heard = self._heard + 1
        if heard <= _SAMPLES or heard % _RENEW_EVERY == 0:
            self._renew_delay()
            if heard < ENOUGH_HEARD:
                return False
        front = received_at_us - self.delay_us
        if front < traded_at_us <= front + AHEAD_US:
            front = traded_at_us
        if front <= self._front_us:
            return False
        if front < self._next_us:
            self._front_us = front
            return False
        return self._run_on(front)

    def run_on(self, now_us: int) -> bool:
        """Let time run on by our clock, while nothing is left to read; say whether ticks closed."""
        return self._heard >= ENOUGH_HEARD and self._run_on(now_us - self.delay_us)

    def take(self) -> Iterator[tuple[int, list[Entry]]]:
        """The closed ticks that have entries, oldest first, and forget them."""
        for tick in sorted(tick for tick in self.waiting_at if tick <= self.closed):
            yield tick, self.waiting_at.pop(tick)

    def waiting(self) -> Iterator[Entry]:
        """Everything whose tick is still open."""
        for entries in self.waiting_at.values():
            yield from entries

    def packed(self) -> list[Any]:
        """Everything but what waits, as plain values."""
        return [self.closed, self.delay_us, self.era, self._front_us, self._heard, list(self._delays)]

    def unpack(self, packed: list[Any]) -> None:
        """The inverse of `packed`."""
        self.closed, delay_us, self.era, self._front_us, self._heard, delays = packed
        self._go_by(delay_us)
        self._next_us = 0
        self._delays = deque(delays, maxlen=_SAMPLES)

    def _run_on(self, front_us: int) -> bool:
        if front_us <= self._front_us:
            return False
        self._front_us = front_us
        closed = (front_us - LATENESS_US) // GRID_US
        self._next_us = (max(closed, self.closed) + 1) * GRID_US + LATENESS_US
        if closed <= self.closed:
            return False
        self.closed = closed
        return True

    def _renew_delay(self) -> None:
        ordered = sorted(self._delays)
        delay = ordered[len(ordered) // 2]
        if self._heard >= ENOUGH_HEARD and abs(delay - self.delay_us) > BEHIND_US:
            self.era += 1
            self.closed = self._front_us = self._next_us = 0
            self.waiting_at.clear()
        self._go_by(delay)

    def _go_by(self, delay_us: int) -> None:
        self.delay_us = delay_us
        """The exchange's running clock offset: median of received - traded."""
        self.least_delay_us, self.most_delay_us = delay_us - AHEAD_US, delay_us + BEHIND_US
        """What is sane of a trade: kept, because every one is asked."""
