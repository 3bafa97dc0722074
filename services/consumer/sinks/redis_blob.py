"""A batch as the one msgpack argument of ``redis_write.lua``. Pure: which trades are new is decided here.

Keys, fields and their order are what people read in Redis:

- ``trades:{exchange}:{symbol}``, a stream: ``trade_id price quantity side traded_at_us received_at_us``, entry id
  ``<generation>-<Kafka offset>``. The same fields in the same order cost Redis a quarter of one JSON field.
- ``ticker:{exchange}:{symbol}`` and ``orderbook:{exchange}:{symbol}``, hashes: the event's fields as text, what is null
  as empty text, bids and asks as JSON; and ``version``, by which the newest wins.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec

from services.consumer.batch import Batch, Slice
from services.consumer.sinks.recent_trades import LeftBehind, RecentTrades
from services.consumer.sinks.redis_positions import Position, position_key
from shared.events import Event, OrderBook, Ticker, Trade
from shared.partitioning import symbol_key
from shared.topics import ORDERBOOKS, TICKERS, TRADES

MAX_SEQUENCE = 1 << 53  # Lua counts in doubles
SymbolKey = tuple[str, str]
"""(exchange, symbol)"""
_json = msgspec.json.Encoder().encode
_TICKER_FIELDS = tuple(name for name in Ticker.__struct_fields__ if name not in ("exchange", "symbol", "base", "quote"))


@dataclass
class _Symbol:
    """What a batch holds of one symbol, packed."""

    trades: list[str] | None = None
    displaced: list[str] | None = None
    ticker: tuple[tuple[int, int, int, int], Ticker] | None = None
    book: tuple[tuple[int, int, int, int], OrderBook] | None = None


@dataclass
class Packed:
    """A batch ready to be sent, and how many of its events were repeats or not the newest, by topic name."""

    symbols: list[tuple[Any, ...]]
    positions: list[tuple[str, str, str, str]]
    after: dict[tuple[str, int], Position]
    repeated: dict[str, int]


def trades_key(exchange: str, symbol: str) -> str:
    """Key of the stream of a symbol's trades."""
    return f"trades:{exchange}:{symbol}"


def traded_symbols(batch: Batch) -> dict[SymbolKey, int]:
    """The symbols whose trades are in the batch, each with its partition."""
    return {
        (event.exchange, event.symbol): piece.partition  # type: ignore[union-attr,misc]  # a trades slice holds trades
        for piece in batch.slices
        if piece.topic == TRADES.name
        for event in piece.events
    }


def pack(batch: Batch, stored: Mapping[tuple[str, int], Position], recent: Mapping[SymbolKey, RecentTrades]) -> Packed:
    """Pack a batch. `stored` has the positions of its partitions, `recent` an entry for each of `traded_symbols`.

    `recent` is brought up to date: pack a batch once, and forget `recent` when it was not written.
    """
    found: dict[SymbolKey, _Symbol] = {}
    packed = Packed([], [], {}, {})
    for piece in batch.slices:
        before = stored[piece.topic, piece.partition]
        after = before.after(piece)
        packed.positions.append((position_key(piece.topic), str(piece.partition), str(before), str(after)))
        packed.after[piece.topic, piece.partition] = after
        gather = _GATHER[piece.topic]
        kept = gather(piece, after, found, recent)
        packed.repeated[piece.topic] = packed.repeated.get(piece.topic, 0) + len(piece.events) - kept
    packed.symbols = [_symbol_parts(key, one) for key, one in found.items()]
    return packed


def _gather_trades(
    piece: Slice, after: Position, found: dict[SymbolKey, _Symbol], recent: Mapping[SymbolKey, RecentTrades]
) -> int:
    generation, kept = after.generation, 0
    event: Trade
    for offset, event in zip(piece.offsets, piece.events, strict=True):  # type: ignore[assignment]
        key = (event.exchange, event.symbol)
        seen = recent[key]
        early = seen.moves(event, offset) if seen.left_behind else None
        if early is None and not seen.admits(event):
            continue
        kept += 1
        one = found.get(key)
        if one is None:
            one = found[key] = _Symbol()
        if one.trades is None:
            one.trades = [trades_key(*key)]
        if early is not None:
            one.displaced = one.displaced or []
            one.displaced.append(f"{after.begun - 1}-{early}")
        one.trades += (
            f"{generation}-{offset}",
            event.trade_id,
            event.price,
            event.quantity,
            event.side,
            str(event.traded_at_us),
            str(event.received_at_us),
        )
    return kept


def _gather_tickers(piece: Slice, after: Position, found: dict[SymbolKey, _Symbol], _: object) -> int:
    kept = 0
    event: Ticker
    for offset, event in zip(piece.offsets, piece.events, strict=True):  # type: ignore[assignment]
        one = found.setdefault((event.exchange, event.symbol), _Symbol())
        version = (event.event_at_us, 0, after.generation, offset)
        if one.ticker is None or version >= one.ticker[0]:
            kept += one.ticker is None
            one.ticker = (version, event)
    return kept


def _gather_books(piece: Slice, after: Position, found: dict[SymbolKey, _Symbol], _: object) -> int:
    kept = 0
    event: OrderBook
    for offset, event in zip(piece.offsets, piece.events, strict=True):  # type: ignore[assignment]
        one = found.setdefault((event.exchange, event.symbol), _Symbol())
        at_us = event.received_at_us if event.event_at_us is None else event.event_at_us
        version = (at_us, event.sequence or 0, after.generation, offset)
        if one.book is None or version >= one.book[0]:
            kept += one.book is None
            one.book = (version, event)
    return kept


_GATHER: dict[str, Any] = {
    TRADES.name: _gather_trades,
    TICKERS.name: _gather_tickers,
    ORDERBOOKS.name: _gather_books,
}


def _symbol_parts(key: SymbolKey, one: _Symbol) -> tuple[Any, ...]:
    name = symbol_key(*key)
    ticker = one.ticker and (f"ticker:{name}", _version(one.ticker[0]), _flat(ticker_fields(one.ticker[1])))
    book = one.book and (f"orderbook:{name}", _version(one.book[0]), _flat(book_fields(one.book[1])))
    return (*key, one.trades or False, ticker or False, book or False, one.displaced or False)


def _version(version: tuple[int, int, int, int]) -> str:
    return "{} {} {} {}".format(*version)


def _flat(fields: Mapping[str, str]) -> list[str]:
    return [text for pair in fields.items() for text in pair]


def ticker_fields(ticker: Ticker) -> dict[str, str]:
    """The fields of the ticker's hash."""
    return {name: _text(getattr(ticker, name)) for name in _TICKER_FIELDS}


def book_fields(book: OrderBook) -> dict[str, str]:
    """The fields of the order book's hash."""
    return {
        "bids": _json(book.bids).decode(),
        "asks": _json(book.asks).decode(),
        "sequence": _text(book.sequence),
        "event_at_us": _text(book.event_at_us),
        "received_at_us": str(book.received_at_us),
    }


def _text(value: str | int | None) -> str:
    return "" if value is None else str(value)


def refusal(event: Event) -> str | None:
    """Why Redis can never hold this event; None when it can."""
    if type(event) is OrderBook and event.sequence is not None and not 0 <= event.sequence < MAX_SEQUENCE:
        return "the order book's sequence is out of bounds"
    return None if _can_be_keys(event.exchange, event.symbol) else "exchange or symbol cannot be part of a key"  # type: ignore[union-attr]


@lru_cache(maxsize=1 << 16)
def _can_be_keys(exchange: str, symbol: str) -> bool:
    name = exchange + symbol
    return ":" not in exchange and name.isprintable() and " " not in name


def unchanged(stored: Mapping[tuple[str, int], Position]) -> list[tuple[str, str, str, str]]:
    """Positions to compare, and set to what they are."""
    return [(position_key(topic), str(p), str(at), str(at)) for (topic, p), at in stored.items()]


def left_behind_from(position: Position) -> tuple[str, str]:
    """First and last entry id of what may have been written early; two empty texts when the topic is the first one.

    What was read since the topic was made anew stands in its place.
    """
    if not position.begun:
        return "", ""
    return f"{position.begun - 1}-{position.next_offset or 0}", str(position.begun - 1)


def recent_trades(tail: Sequence[bytes], position: Position) -> RecentTrades:
    """What to remember of a symbol from ``redis_tail.lua``'s answer about its stream."""
    ids, traded_at_us, received_at_us, last_entry_id, *early = tail
    newest = int(last_entry_id.split(b"-")[0])
    is_read_again = position.begun <= newest < position.generation
    left_behind = list(zip(*(map(int, column.split()) for column in early), strict=True))
    return RecentTrades(
        map(int, ids.split()),
        int(traded_at_us),
        int(received_at_us) if is_read_again else -1,
        LeftBehind(left_behind) if left_behind else None,
    )
