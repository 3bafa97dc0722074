"""Histories that nobody recorded, made of those that somebody did: wilder, calmer, thinner, shuffled. Pure.

What rules do on the few histories they were looked at with says little of others. Each of these keeps what is hard in
a real one (fat tails, clusters, holes) and changes one thing.
"""

import random
from collections.abc import Iterable, Iterator, Sequence

from services.alert_worker.backtest.minutes import MINUTE_US, OFFSETS_US, Minute
from shared.events import Trade

BLOCK_MINUTES = 360
_START = "30000"
_DAY_MINUTES = 1440


def stretched(minutes: Sequence[Minute], times: float) -> Iterator[Minute]:
    """The same with every return (of logarithms) so many times as large."""
    first = float(minutes[0].open)
    for minute in minutes:
        yield _priced(minute, minute.at_us, [1_000 * (price / first) ** times for price in _prices(minute)])


def divided(minutes: Iterable[Minute], others: Iterable[Minute]) -> Iterator[Minute]:
    """One coin's price in the other: minute by minute, whenever each was; extremes are those of the four quotients."""
    for minute, other in zip(minutes, others, strict=False):
        opened, high, low, close = (1_000 * one / two for one, two in zip(_prices(minute), _prices(other), strict=True))
        yield _priced(
            minute, minute.at_us, [opened, max(opened, high, low, close), min(opened, high, low, close), close]
        )


def shuffled(histories: Sequence[Sequence[Minute]], days: int, seed: int) -> Iterator[Minute]:
    """Stretches of six hours, drawn from all histories, one after the other; each goes on where the last one ended."""
    rng, price, at_us = random.Random(seed), float(_START), histories[0][0].at_us
    for _ in range(days * _DAY_MINUTES // BLOCK_MINUTES):
        history = rng.choice(histories)
        first = rng.randrange(1, len(history) - BLOCK_MINUTES)
        scale = price / float(history[first - 1].close)
        for minute in history[first : first + BLOCK_MINUTES]:
            made = _priced(minute, at_us, [scale * price for price in _prices(minute)])
            yield made
            at_us += MINUTE_US
        price = float(made.close)


def thinned(trades: Iterable[Trade], share: float, seed: int) -> Iterator[Trade]:
    """So many of the trades, by chance."""
    rng = random.Random(seed)
    return (trade for trade in trades if rng.random() < share)


def closes(trades: Iterable[Trade]) -> Iterator[Trade]:
    """Of each minute as `minutes.as_trades` plays it with one trade a price, the last trade alone."""
    return (trade for trade in trades if trade.traded_at_us % MINUTE_US == OFFSETS_US[-1])


def _prices(minute: Minute) -> tuple[float, float, float, float]:
    return float(minute.open), float(minute.high), float(minute.low), float(minute.close)


def _priced(minute: Minute, at_us: int, prices: Iterable[float]) -> Minute:
    opened, high, low, close = (f"{price:.8f}" for price in prices)
    return Minute(at_us, opened, high, low, close, minute.volume)
