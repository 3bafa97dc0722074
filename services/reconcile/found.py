"""What Kafka, Redis and Postgres hold, made comparable with the truth."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from services.reconcile.candles import Candle
from services.reconcile.facts import (
    TICKER_NUMBERS,
    TICKER_QUOTES,
    Found,
    Symbol,
    book_facts,
    ticker_facts,
    trade_facts,
)
from services.reconcile.gaps import Gap
from shared.events import Level, OrderBook, Ticker, Trade
from shared.partitioning import partition_of, symbol_key

Held = dict[Symbol, list[Found]]
"""Copies by (exchange, symbol), in the store's order."""


@dataclass
class Log:
    """What Kafka's market topics hold. `unreadable` counts by channel what is none of it, or in a wrong partition."""

    trades: Held = field(default_factory=dict)
    tickers: Held = field(default_factory=dict)
    books: Held = field(default_factory=dict)
    unreadable: dict[str, int] = field(default_factory=dict)

    def add(self, event: Trade | Ticker | OrderBook, partition: int, offset: int) -> None:
        """Add one record."""
        symbol = (event.exchange, event.symbol)
        if isinstance(event, Trade):
            self.trades.setdefault(symbol, []).append(_trade(event, partition, offset))
        elif isinstance(event, Ticker):
            self.tickers.setdefault(symbol, []).append(_ticker(event))
        else:
            self.books.setdefault(symbol, []).append(_book(event))

    def cannot_read(self, channel: str) -> None:
        """Count a record that is none of this channel's."""
        self.unreadable[channel] = self.unreadable.get(channel, 0) + 1


@dataclass
class Cache:
    """What Redis holds: streams in their order, and the one ticker and book of each symbol that has one."""

    trades: Held = field(default_factory=dict)
    tickers: dict[Symbol, Found] = field(default_factory=dict)
    books: dict[Symbol, Found] = field(default_factory=dict)


@dataclass
class Rows:
    """What Postgres holds. `earlier` are (trade id, facts) of older trades whose minutes may be this run's too."""

    trades: Held = field(default_factory=dict)
    earlier: dict[Symbol, list[tuple[str, str]]] = field(default_factory=dict)
    candles: dict[Symbol, dict[int, Candle]] = field(default_factory=dict)
    gaps: list[Gap] = field(default_factory=list)


def is_misplaced(event: Trade | Ticker | OrderBook, partition: int, partitions: int) -> bool:
    """Whether the record lies in another partition than its symbol's, where nobody would keep its order."""
    return partition_of(symbol_key(event.exchange, event.symbol), partitions) != partition


def _trade(trade: Trade, partition: int, offset: int) -> Found:
    facts = trade_facts(trade.price, trade.quantity, trade.side, trade.traded_at_us)
    return Found(trade.trade_id, facts, trade.received_at_us, trade.origin == "backfill", partition, offset)


def _ticker(ticker: Ticker) -> Found:
    numbers = (getattr(ticker, name) for name in TICKER_NUMBERS + TICKER_QUOTES)
    return Found("", ticker_facts(ticker.event_at_us, numbers), ticker.received_at_us)


def _book(book: OrderBook) -> Found:
    return Found("", book_facts(book.sequence, book.event_at_us, book.bids, book.asks), book.received_at_us)


def trade_of_fields(fields: Mapping[str, str]) -> Found:
    """An entry of a Redis stream. Raises KeyError or ValueError when it is none of ours."""
    facts = trade_facts(fields["price"], fields["quantity"], fields["side"], int(fields["traded_at_us"]))
    return Found(fields["trade_id"], facts, int(fields["received_at_us"]))


def ticker_of_fields(fields: Mapping[str, str]) -> Found:
    """A ticker's hash in Redis; what is unknown has no field or an empty one. Raises KeyError or ValueError."""
    needed = [fields[name] for name in TICKER_NUMBERS]
    quotes = [fields.get(name) or None for name in TICKER_QUOTES]
    return Found("", ticker_facts(int(fields["event_at_us"]), [*needed, *quotes]), int(fields["received_at_us"]))


def book_of_fields(fields: Mapping[str, str]) -> Found:
    """An order book's hash in Redis: its sides are JSON. Raises KeyError or ValueError."""
    bids, asks = (msgspec.json.decode(fields[side], type=list[Level]) for side in ("bids", "asks"))
    sequence, event_at_us = (fields.get(name) or None for name in ("sequence", "event_at_us"))
    facts = book_facts(_int(sequence), _int(event_at_us), bids, asks)
    return Found("", facts, int(fields["received_at_us"]))


def _int(text: str | None) -> int | None:
    return None if text is None else int(text)
