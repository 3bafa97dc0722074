"""Minutes as the trades that a market may have made in them."""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import NamedTuple

from services.alert_worker.records import Market
from shared.events import Trade

MINUTE_US = 60_000_000
OFFSETS_US = (0, 20_000_000, 40_000_000, 59_000_000)
"""Where in its minute the open, the two extremes and the close are placed: times are honest to about 20 s."""

PRINTS = 3
PRINT_APART_US = 300_000
"""Each price is traded three times: from a minute nobody can tell an extreme that was one odd print."""

RECEIVED_AFTER_US = 5_000


class Minute(NamedTuple):
    """One candle. Prices are exact text; `volume` is in the base currency."""

    at_us: int
    open: str
    high: str
    low: str
    close: str
    volume: float


def as_trades(minutes: Iterable[Minute], market: Market, prints: int = PRINTS) -> Iterator[Trade]:
    """Each minute's open, extremes and close, `prints` trades of each.

    A minute that fell is taken to have made its high before its low, and one that rose the other way round.
    """
    number = 0
    for minute in minutes:
        falls = Decimal(minute.close) < Decimal(minute.open)
        extremes = (minute.high, minute.low) if falls else (minute.low, minute.high)
        quantity = f"{minute.volume / len(OFFSETS_US) / prints:.8f}"
        for offset_us, price in zip(OFFSETS_US, (minute.open, *extremes, minute.close), strict=True):
            for again in range(prints):
                number += 1
                at_us = minute.at_us + offset_us + again * PRINT_APART_US
                yield Trade(
                    exchange=market.exchange, symbol=market.symbol, base=market.base, quote=market.quote,
                    trade_id=str(number), price=price, quantity=quantity, side="buy", traded_at_us=at_us,
                    received_at_us=at_us + RECEIVED_AFTER_US,
                )  # fmt: skip
