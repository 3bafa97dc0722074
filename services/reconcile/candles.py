"""One-minute candles, computed once more from what was published, to compare with those in Postgres."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import NamedTuple

from services.reconcile.facts import split_trade

MINUTE_US = 60_000_000
_EXACT = Context(prec=200)  # a product of two numbers of 38 digits, summed over any day, stays exact


class Candle(NamedTuple):
    """A minute of one symbol. Open and close are those of the earliest and latest (traded_at_us, trade id)."""

    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    turnover: Decimal
    trades: int


@dataclass
class CandleCounts:
    """`expected` minutes, and how many of them are missing or differ, with those that should not be there."""

    expected: int = 0
    wrong: int = 0

    def add(self, other: "CandleCounts") -> None:
        """Sum up symbols."""
        self.expected += other.expected
        self.wrong += other.wrong


def candles_of(trades: Iterable[tuple[str, str]]) -> dict[int, Candle]:
    """The candles of one symbol by the start of their minute, from (trade id, facts of the trade)."""
    minutes: dict[int, list[tuple[int, int, Decimal, Decimal]]] = {}
    for trade_id, facts in trades:
        price, quantity, traded_at_us = split_trade(facts)
        row = (traded_at_us, int(trade_id), Decimal(price), Decimal(quantity))
        minutes.setdefault(traded_at_us - traded_at_us % MINUTE_US, []).append(row)
    return {opened_at_us: _candle(rows) for opened_at_us, rows in minutes.items()}


def _candle(rows: list[tuple[int, int, Decimal, Decimal]]) -> Candle:
    rows.sort()
    prices = [price for _, _, price, _ in rows]
    volume = turnover = Decimal()
    for _, _, price, quantity in rows:
        volume = _EXACT.add(volume, quantity)
        turnover = _EXACT.fma(price, quantity, turnover)
    return Candle(prices[0], max(prices), min(prices), prices[-1], volume, turnover, len(rows))


def compare_candles(expected: Mapping[int, Candle], found: Mapping[int, Candle]) -> CandleCounts:
    """Every minute must be there with exactly equal numbers, and no other."""
    differing = sum(found.get(opened_at_us) != candle for opened_at_us, candle in expected.items())
    return CandleCounts(len(expected), differing + len(found.keys() - expected.keys()))
