"""Which minutes of which market the candles' topic holds, and what to ask the exchange for next. Pure.

Of each market it holds one stretch without a hole, whenever we are interrupted: a stretch only grows at its ends.
First every market gets its newest page, so that soon all of them can be judged; then page by page what was before,
until it is a day; and once an hour what is new. Pages that go back are told newest first, those that go on oldest
first: a reader, too, can let a stretch grow at its ends.
"""

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

from services.producer.candles import MINUTE_US, PAGE
from shared.decimals import is_positive
from shared.events import Candle

DAY_US = 1_440 * MINUTE_US
TOP_UP_US = 60 * MINUTE_US
_SETTLED_US = 5_000_000
"""So long after its end a minute is over for late trades and the exchange's own database too."""


class Page(NamedTuple):
    """Candles to ask for: those of `symbol` that open in `from_us` <= t < `before_us`. `goes_on`: they are newer than
    what is there; `is_older`: the market has newer ones already."""

    symbol: str
    from_us: int
    before_us: int
    goes_on: bool
    is_older: bool = False


@dataclass(slots=True)
class _Stretch:
    from_us: int
    until_us: int
    is_whole: bool = False
    """Whether it goes back a day, or to the market's first."""


class Stretches:
    """All markets of one producer. Symbols may come and go at any time by `want`."""

    def __init__(self) -> None:
        self._held: dict[str, _Stretch] = {}
        self._wanted: set[str] = set()
        self._first: deque[str] = deque()
        """Those that have nothing, or nothing of the last hour."""
        self._older: deque[str] = deque()
        """Those whose stretch does not go back a day yet."""

    def note(self, symbol: str, opened_at_us: int) -> None:
        """The topic holds this minute of a market."""
        stretch = self._held.setdefault(symbol, _Stretch(opened_at_us, opened_at_us + MINUTE_US))
        stretch.from_us = min(stretch.from_us, opened_at_us)
        stretch.until_us = max(stretch.until_us, opened_at_us + MINUTE_US)

    def want(self, symbols: Collection[str]) -> None:
        """These markets are read from now on, those that come first soonest; others are left alone."""
        fresh = [symbol for symbol in symbols if symbol not in self._wanted]
        self._wanted = set(symbols)
        for symbol in fresh:
            (self._older if symbol in self._held else self._first).append(symbol)

    def next(self, now_us: int) -> Page | None:
        """What to ask for now; None: nothing for the moment. Each page is given once: `take` it, or `put_back`."""
        if not self._first:
            self._first.extend(self._behind(now_us))
        while self._first:
            if (symbol := self._first.popleft()) in self._wanted:
                return self._newest(symbol, now_us)
        while self._older:
            symbol = self._older.popleft()
            stretch = self._held[symbol]
            if symbol in self._wanted and stretch.from_us > _closed_us(now_us) - DAY_US:
                return Page(symbol, _closed_us(now_us) - DAY_US, stretch.from_us, goes_on=False, is_older=True)
            stretch.is_whole = True
        return None

    def take(self, page: Page, candles: Collection[Candle]) -> list[Candle]:
        """The answer to a page, in any order; returns what of it belongs on the topic, in the order of telling.

        Minutes without trades are left out, as Upbit does.
        """
        inside = [one for one in candles if page.from_us <= one.opened_at_us < page.before_us]
        inside.sort(key=lambda one: one.opened_at_us, reverse=not page.goes_on)
        oldest_us = min((one.opened_at_us for one in candles), default=page.from_us)
        stretch = self._held.setdefault(page.symbol, _Stretch(page.before_us, page.before_us))
        if page.goes_on:
            stretch.until_us = page.before_us
        else:
            is_last = len(candles) < PAGE or oldest_us <= page.from_us or not inside
            stretch.from_us = page.from_us if is_last else oldest_us
            stretch.is_whole = is_last
        if not stretch.is_whole and page.symbol not in self._older:
            self._older.append(page.symbol)
        return [one for one in inside if is_positive(one.volume)]

    def put_back(self, page: Page) -> None:
        """There was no answer: ask again when it is this market's turn."""
        (self._older if page.symbol in self._held and not page.goes_on else self._first).append(page.symbol)

    def give_up(self, page: Page, now_us: int) -> None:
        """The exchange has no answer for this market: it is asked again in an hour."""
        stretch = self._held.setdefault(page.symbol, _Stretch(_closed_us(now_us), _closed_us(now_us)))
        stretch.until_us, stretch.is_whole = _closed_us(now_us), True

    @property
    def unasked(self) -> int:
        """How many markets still wait for their newest page, or for older ones."""
        return len(self._first) + len(self._older)

    def _newest(self, symbol: str, now_us: int) -> Page:
        closed_us = _closed_us(now_us)
        stretch = self._held.get(symbol)
        if stretch is None or stretch.until_us < closed_us - DAY_US:
            self._held.pop(symbol, None)
            return Page(symbol, closed_us - DAY_US, closed_us, goes_on=False)
        before_us = min(closed_us, stretch.until_us + PAGE * MINUTE_US)
        return Page(symbol, stretch.until_us, before_us, goes_on=True)

    def _behind(self, now_us: int) -> list[str]:
        latest_us = _closed_us(now_us) - TOP_UP_US
        return [symbol for symbol, held in self._held.items() if symbol in self._wanted and held.until_us <= latest_us]


def _closed_us(now_us: int) -> int:
    """The end of the newest minute that is over."""
    return (now_us - _SETTLED_US) // MINUTE_US * MINUTE_US
