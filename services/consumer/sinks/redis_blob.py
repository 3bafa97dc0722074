"""A batch as the one msgpack argument of ``redis_write.lua``. Pure: which trades are new is decided here.

Keys, fields and their order are what people read in Redis:

- ``trades:{exchange}:{symbol}``, a stream: ``trade_id price quantity side traded_at_us received_at_us``, entry id
  ``<generation>-<Kafka offset>``. The same fields in the same order cost Redis a quarter of one JSON field.
- ``ticker:{exchange}:{symbol}`` and ``orderbook:{exchange}:{symbol}``, hashes: the event's fields as text, what is null
  as empty text, bids and asks as JSON; and ``version``, by which the newest wins: the exchange's time, at most a minute
  ahead of when it was received (`AHEAD_US`), its sequence, generation and Kafka offset.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import msgspec

from services.consumer.batch import Batch, Slice
from services.consumer.sinks.recent_trades import LeftBehind, RecentTrades
from services.consumer.sinks.redis_positions import Position, position_key
from services.consumer.sinks.ticker_minutes import AHEAD_US
from shared.events import Event, OrderBook, Ticker, Trade
from shared.partitioning import symbol_key
from shared.topics import ORDERBOOKS, TICKERS, TRADES

MAX_SEQUENCE = 1 << 53  # Lua counts in doubles
MOST_EARLY = 5000
"""Entries of a symbol that may have been written early. A topic made anew is noticed within seconds, and no market has
a thousand trades in each of them for long.
"""
SymbolKey = tuple[str, str]
"""(exchange, symbol)"""
Early = tuple[int, int, int]
"""Of an entry that may have been written early the trade's id, its offset, and when it was received"""
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
        kept = gather(piece, replace(after, begun=before.begun), found, recent)
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
        if seen.left_behind and not after.begun:
            seen.left_behind = None
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
        version = (_time(event), 0, after.generation, offset)
        if one.ticker is None or version >= one.ticker[0]:
            kept += one.ticker is None
            one.ticker = (version, event)
    return kept


def _gather_books(piece: Slice, after: Position, found: dict[SymbolKey, _Symbol], _: object) -> int:
    kept = 0
    event: OrderBook
    for offset, event in zip(piece.offsets, piece.events, strict=True):  # type: ignore[assignment]
        one = found.setdefault((event.exchange, event.symbol), _Symbol())
        version = (_time(event), event.sequence or 0, after.generation, offset)
        if one.book is None or version >= one.book[0]:
            kept += one.book is None
            one.book = (version, event)
    return kept


def _time(event: Ticker | OrderBook) -> int:
    """The exchange's, where it has one: a wrong one far ahead would refuse all that come for as long."""
    received_at_us, at_us = event.received_at_us, event.event_at_us
    return received_at_us if at_us is None else min(at_us, received_at_us + AHEAD_US)


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


def early_span(position: Position, read: Sequence[Early]) -> tuple[str, str]:
    """First and last entry id of what may have been written early, apart from what was `read`, newest first.

    Of the generation before the topic was made anew. What was read of the new log since then stands in its place.
    """
    generation = position.begun - 1
    last = f"{generation}"
    if read:
        oldest = read[-1][1]
        last = f"{generation}-{oldest - 1}" if oldest else "0"
    return f"{generation}-{position.next_offset or 0}", last


def early_entries(page: Sequence[bytes]) -> list[Early]:
    """The entries of ``redis_early.lua``'s answer about a stream."""
    return list(zip(*(map(int, column.split()) for column in page), strict=True))


def recent_trades(tail: Sequence[bytes], position: Position, early: Sequence[Early] = ()) -> RecentTrades:
    """What to remember of a symbol from ``redis_tail.lua``'s answer about its stream.

    `early` are the newest entries that may have been written early. Where there were too many to read, what was
    received before them is in the stream already.
    """
    ids, traded_at_us, received_at_us, last_entry_id = tail
    newest = int(last_entry_id.split(b"-")[0])
    seen_until_us = int(received_at_us) if position.begun <= newest < position.generation else -1
    if len(early) >= MOST_EARLY:
        seen_until_us = max(seen_until_us, early[-1][2] - 1)
    left_behind = LeftBehind(early) if early else None
    return RecentTrades(map(int, ids.split()), int(traded_at_us), seen_until_us, left_behind)
