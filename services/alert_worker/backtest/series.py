"""What was seen of each symbol while a history was played: its minutes, and its price to the second."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from services.alert_worker.backtest.minutes import MINUTE_US
from shared.events import Trade

SECOND_US = 1_000_000
HOLE_MINUTES = 60
"""Minutes without a trade belong to a thin market; so many in a row were not watched."""


class Point(NamedTuple):
    """A price at a time."""

    at_us: int
    price: float


class Bar(NamedTuple):
    """A minute: when it ended, its prices, and what was traded in it (in the base currency)."""

    ended_us: int
    open: float
    high: float
    low: float
    close: float
    volume: float


@dataclass(slots=True)
class Series:
    """One symbol. Minutes and seconds without a trade are absent."""

    exchange: str
    symbol: str
    quote: str
    bars: list[Bar] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)

    @property
    def days(self) -> float:
        """Days that were watched, so that holes do not count as calm."""
        return sum(map(len, self.watched())) / 1440

    def watched(self) -> Sequence[range]:
        """The stretches of minutes (since the epoch) between whose trades there is no hole."""
        stretches: list[range] = []
        for bar in self.bars:
            minute = bar.ended_us // MINUTE_US - 1
            if stretches and minute - stretches[-1].stop < HOLE_MINUTES:
                stretches[-1] = range(stretches[-1].start, minute + 1)
            else:
                stretches.append(range(minute, minute + 1))
        return stretches

    def add(self, trade: Trade) -> None:
        """Take in a trade; one that comes after a later second's is left out."""
        price, volume, at_us = float(trade.price), float(trade.quantity), trade.traded_at_us
        bars, points = self.bars, self.points
        second = at_us // SECOND_US
        if points and second < points[-1].at_us // SECOND_US:
            return
        ended_us = at_us // MINUTE_US * MINUTE_US + MINUTE_US
        if bars and bars[-1].ended_us == ended_us:
            _, first, high, low, _, before = bars[-1]
            bars[-1] = Bar(ended_us, first, max(high, price), min(low, price), price, before + volume)
        else:
            bars.append(Bar(ended_us, price, price, price, price, volume))
        if points and points[-1].at_us // SECOND_US == second:
            points.pop()
        points.append(Point(at_us, price))


class Seen:
    """Every symbol of a history."""

    def __init__(self) -> None:
        self.series: dict[tuple[str, str], Series] = {}
        self.trades = 0
        self.newest_us = 0

    def add(self, trade: Trade) -> None:
        """Take in a trade."""
        self.trades += 1
        self.newest_us = max(self.newest_us, trade.traded_at_us)
        place = (trade.exchange, trade.symbol)
        series = self.series.get(place)
        if series is None:
            series = self.series[place] = Series(*place, trade.quote)
        series.add(trade)
