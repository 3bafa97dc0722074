"""Which moves a person would have wanted to hear of, found in hindsight over the whole series and by no detector.

A move counts when two closes of minutes, at most ten minutes apart, differ by three per cent or more, and half of that
still stands at most of the next five closes. The close that it began with has to have stood too: the median of three
is as far away. Where eight times the median ten-minute move is more than three per cent (a coin whose smallest step is
one per cent), it has to be that large: what is ordinary is no event. What is ordinary takes a day of such moves to say,
and those that are left out by it are counted beside.

Closes that count in one direction belong to one event while less than half an hour lies between them. An event begins
at the extreme close of the ten minutes before it first counted.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from statistics import median

from services.alert_worker.backtest.minutes import MINUTE_US
from services.alert_worker.backtest.series import Bar, Point, Series

LEAST = 0.03
ORDINARY_TIMES = 8
ORDINARY_MOVES = 1_440
"""So many ten-minute moves, a day of them, say what is ordinary: an hour may be all event."""
WITHIN_US = 10 * MINUTE_US
STAYS_BARS = 5
STAYS_US = 10 * MINUTE_US
ONE_EVENT_US = 30 * MINUTE_US
CROSSING = 0.01


@dataclass(frozen=True, slots=True)
class Event:
    """A labelled move of one symbol."""

    direction: int
    """1 up, -1 down."""
    began_us: int
    """Its origin."""
    crossed_us: int
    """When the price was first one per cent away from there."""
    counted_us: int
    """End of the minute by which it was three per cent, the first time."""
    ended_us: int
    """End of the last minute that counts."""
    change: float
    """Signed fraction from the origin to the furthest close that counts."""


def least_of(series: Series) -> float:
    """From which fraction on a move of this symbol is an event."""
    closes = {bar.ended_us: bar.close for bar in series.bars}
    moves = [abs(close / closes[at - WITHIN_US] - 1) for at, close in closes.items() if at - WITHIN_US in closes]
    return max(LEAST, ORDINARY_TIMES * median(moves)) if len(moves) >= ORDINARY_MOVES else LEAST


def label(series: Series, least: float) -> list[Event]:
    """The events of a symbol that are of at least this fraction, by the time of crossing."""
    bars = series.bars
    events: list[Event] = []
    for direction in (1, -1):
        stretch: list[tuple[int, int]] = []
        for place, origin in _moves(bars, direction, least):
            if stretch and bars[place].ended_us - bars[stretch[-1][0]].ended_us >= ONE_EVENT_US:
                events.append(_event(series, direction, stretch))
                stretch = []
            stretch.append((place, origin))
        if stretch:
            events.append(_event(series, direction, stretch))
    return sorted(events, key=attrgetter("crossed_us"))


def _moves(bars: Sequence[Bar], direction: int, least: float) -> Iterator[tuple[int, int]]:
    """(place, origin's place) of every close that is far from one of the ten minutes before, and stays."""
    first = 0
    for place, bar in enumerate(bars):
        while bars[first].ended_us < bar.ended_us - WITHIN_US:
            first += 1
        origin = min(range(first, place + 1), key=lambda p: (direction * bars[p].close, -p))
        before = bars[origin].close
        stood = median(bar.close for bar in bars[max(0, origin - 1) : origin + 2])
        if direction * (bar.close / stood - 1) >= least and _stays(bars, place, before):
            yield place, origin


def _stays(bars: Sequence[Bar], place: int, before: float) -> bool:
    at_us, price = bars[place].ended_us, bars[place].close
    after = [bar.close for bar in bars[place + 1 : place + 1 + STAYS_BARS] if bar.ended_us <= at_us + STAYS_US]
    return bool(after) and (median(after) - before) / (price - before) >= 1 / 2


def _event(series: Series, direction: int, stretch: Sequence[tuple[int, int]]) -> Event:
    bars = series.bars
    place, origin = stretch[0]
    began_us, before = bars[origin].ended_us, bars[origin].close
    counted_us = bars[place].ended_us
    furthest = max((bars[p].close for p, _ in stretch), key=lambda close: direction * close)
    crossed_us = _crossing(series.points, direction, began_us, before, counted_us)
    return Event(direction, began_us, crossed_us, counted_us, bars[stretch[-1][0]].ended_us, furthest / before - 1)


def _crossing(points: Sequence[Point], direction: int, since_us: int, before: float, until_us: int) -> int:
    for at_us, price in points[bisect_right(points, since_us, key=attrgetter("at_us")) :]:
        if at_us > until_us:
            break
        if direction * (price / before - 1) >= CROSSING:
            return at_us
    return until_us
