"""What a UTC day was for one market, trade by trade. Pure; less than two kilobytes whatever the day brings."""

import math
from array import array
from decimal import Decimal

from services.alert_worker.messages.bulletins import Mover
from shared.events import Trade

_HALF_LIFE_MINUTES, _WARM_MINUTES, _CLIP_SIGMAS = 240, 30, 5.0
_KEEP = 0.5 ** (1 / _HALF_LIFE_MINUTES)
_SMALLEST, _WIDTH, _SIZES = 1e-6, 0.05, 320
"""Changes of minutes are counted by size: from a millionth on, in steps of five per cent, to ninefold."""


class MarketDay:
    """Takes in the trades of a day in their order."""

    __slots__ = (
        "_close", "_minute", "_of_size", "_previous", "_square_sum", "_square_weight", "base", "first", "last",
        "minutes", "trades", "worst_at_us", "worst_return", "worst_sigma",
    )  # fmt: skip

    def __init__(self, trade: Trade) -> None:
        self.first = self.last = trade.price
        self.base = trade.base
        self.trades = 0
        self.minutes = 0
        """Those with trades that are over."""
        self._of_size = array("I", bytes(4 * _SIZES))
        self.worst_sigma = self.worst_return = 0.0
        self.worst_at_us = 0
        self._minute = trade.traded_at_us // 60_000_000
        self._previous = self._close = float(trade.price)
        self._square_sum = self._square_weight = 0.0

    def add(self, trade: Trade) -> None:
        """One trade; one of an earlier minute than the newest changes nothing but the count."""
        self.trades += 1
        minute = trade.traded_at_us // 60_000_000
        if minute < self._minute:
            return
        if minute > self._minute:
            self.end_minute()
            self._minute = minute
        self.last = trade.price
        self._close = float(trade.price)

    def end_minute(self) -> None:
        """The minute under way is over: compare its return with what was usual before it."""
        change = math.log(self._close / self._previous)
        self._previous = self._close
        square = change * change
        if self.minutes >= _WARM_MINUTES and self._square_sum > 0:
            usual = self._square_sum / self._square_weight
            sigma = math.sqrt(square / usual)
            if sigma > self.worst_sigma:
                self.worst_sigma, self.worst_return, self.worst_at_us = sigma, change, self._minute * 60_000_000
            square = min(square, _CLIP_SIGMAS**2 * usual)
        self._square_sum = self._square_sum * _KEEP + square * (1 - _KEEP)
        self._square_weight = self._square_weight * _KEEP + (1 - _KEEP)
        self._of_size[_size(change)] += 1
        self.minutes += 1

    def told(self, exchange: str, symbol: str) -> Mover:
        """As the digest tells it."""
        change = 100 * (Decimal(self.last) / Decimal(self.first) - 1)
        if not self.worst_sigma:
            return Mover(exchange, symbol, self.last, f"{change:.2f}", base=self.base)
        smaller = sum(self._of_size[: _size(self.worst_return)])
        percentile = f"{10_000 * smaller // self.minutes / 100:.2f}".rstrip("0").rstrip(".")
        minute_pct = f"{100 * math.expm1(self.worst_return):.2f}"
        return Mover(
            exchange,
            symbol,
            self.last,
            f"{change:.2f}",
            self.worst_at_us,
            minute_pct,
            percentile,
            self.minutes,
            self.base,
        )


def _size(change: float) -> int:
    """Which of the sizes a change of a minute has: who is in a smaller one is smaller for certain."""
    if abs(change) < _SMALLEST:
        return 0
    return min(_SIZES - 1, 1 + int(math.log(abs(change) / _SMALLEST) / _WIDTH))


def ranked(days: dict[tuple[str, str], MarketDay], most: int) -> tuple[list[Mover], list[Mover]]:
    """(those that went furthest, one market of each coin with the most unusual minute), each at most `most`."""
    for day in days.values():
        day.end_minute()
    told = {name: day.told(*name) for name, day in days.items()}
    movers = sorted(told.values(), key=lambda one: -abs(Decimal(one.change_pct)))
    of_coins: dict[str, Mover] = {}
    for name in sorted(days, key=lambda name: -days[name].worst_sigma):
        if days[name].worst_sigma:
            of_coins.setdefault(days[name].base, told[name])
    return movers[:most], list(of_coins.values())[:most]
