"""Binance spot's WebSocket: combined streams, numbered requests, prices quoted, text frames.

Rules from the exchange's own documentation (binance-spot-api-docs, web-socket-streams). Unknown symbols and streams
are acknowledged and never send: names are checked against the exchange's list before, and data is waited for.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Annotated

import msgspec
from msgspec import Meta, Raw, Struct

from services.producer.exchanges.base import (
    MAX_FRAME_BYTES,
    MAX_MS,
    TOO_LARGE,
    UNREADABLE,
    Acknowledged,
    AdapterOptions,
    Alive,
    Conduct,
    ExchangeError,
    InvalidFrame,
    Listing,
    Parsed,
    Rate,
    Request,
    ShuttingDown,
    Stream,
    readable,
    to_us,
)
from services.producer.exchanges.fields import BINANCE_FIELDS
from services.producer.exchanges.numbers import filled_levels, plain_numbers, positive_pair
from shared.decimals import is_positive
from shared.events import Channel, OrderBook, Ticker, Trade
from shared.wire import MAX_TRADE_ID

BOOK_LEVELS = (5, 10, 20)
_STREAMS_A_REQUEST = 100
_REQUEST_BYTES = 4096  # longer ones are ignored or refused without a clear word, from about 8,000 on
_HOUR_S = 3600.0

_Count = Annotated[int, Meta(ge=0, le=MAX_TRADE_ID)]
_Level = tuple[str, str]
_Levels = Annotated[list[_Level], Meta(max_length=100)]


class _Trade(Struct, tag_field="e", tag="trade", gc=False):
    s: str
    t: _Count
    p: str
    q: str
    T: _Count
    m: bool


class _AggTrade(Struct, tag_field="e", tag="aggTrade", gc=False):
    s: str
    a: _Count
    p: str
    q: str
    f: int
    T: _Count
    m: bool


class _Ticker(Struct, tag_field="e", tag="24hrTicker", gc=False):
    E: _Count
    s: str
    c: str
    o: str
    h: str
    l: str  # noqa: E741  # the wire's name
    v: str
    q: str
    b: str
    B: str
    a: str
    A: str


class _Shutdown(Struct, tag_field="e", tag="serverShutdown", gc=False):
    pass


_Event = _Trade | _AggTrade | _Ticker | _Shutdown


class _Combined(Struct, gc=False):
    data: _Event


class _Book(Struct, gc=False):
    lastUpdateId: _Count
    bids: _Levels
    asks: _Levels


class _CombinedBook(Struct, gc=False):
    stream: str
    data: _Book


class _Fault(Struct, gc=False):
    code: int | None = None
    msg: str = ""


class _Reply(Struct, gc=False):
    """An answer to a request. Errors come nested and flat; the id may be missing. `e` is there in a bare event."""

    e: str | None = None
    id: int | str | None = None
    result: Raw | msgspec.UnsetType = msgspec.UNSET
    error: _Fault | None = None
    code: int | None = None
    msg: str | None = None


class _Named(Struct, gc=False):
    stream: str
    data: dict[str, Raw]


_combined = msgspec.json.Decoder(_Combined).decode
_combined_book = msgspec.json.Decoder(_CombinedBook).decode
_bare: Callable[[str | bytes], _Event] = msgspec.json.Decoder(_Event).decode
_reply = msgspec.json.Decoder(_Reply).decode
_names = msgspec.json.Decoder(_Named).decode


class Binance:
    """See `ExchangeAdapter`. With the trade stream ``aggTrade`` its trades are those of ``binance_agg``."""

    exchange = "binance"
    conduct = Conduct(
        connects=(Rate(60, 60.0), Rate(4, 1.0)),
        messages=(Rate(1, 0.3),),  # five a second are allowed, and pings and pongs count
        streams_a_connection=300,
        ping_s=20.0,
        first_data_s=300,  # there are no snapshots, and a market may be quiet for minutes
        rotate_s=23 * _HOUR_S,  # the exchange cuts at 24 hours
    )

    def __init__(self, options: AdapterOptions) -> None:
        self.url = options.url.rstrip("/") + "/stream"
        self.trade_exchange = "binance" if options.trade_stream == "trade" else "binance_agg"
        self._trade_stream = options.trade_stream
        self._listings = options.listings
        self._listing_of_stream_symbol = {code.lower(): listing for code, listing in options.listings.items()}
        self._levels = options.levels
        self._book_levels = next((n for n in BOOK_LEVELS if n >= options.levels), BOOK_LEVELS[-1])

    def subscribe(self, streams: Sequence[Stream], ticket: str) -> Request:
        """Requests of at most 100 streams and 4 kB each, numbered from 1."""
        chunks = list(_chunks([self._name(stream) for stream in streams]))
        messages = [_subscribe(chunk, number) for number, chunk in enumerate(chunks, 1)]
        return Request(messages, frozenset(range(1, len(chunks) + 1)))

    def parse(self, frame: str | bytes, received_at_us: int) -> Parsed:
        """One frame, combined or bare, as events or a notice."""
        if len(frame) > MAX_FRAME_BYTES:
            raise InvalidFrame(TOO_LARGE)
        try:
            data = _combined(frame).data
            if type(data) is _Trade and self._trade_stream == "trade":
                return [self._trade(data, data.t, received_at_us)]
            return self._events(data, received_at_us)
        except UNREADABLE as error:
            return self._uncommon(frame, received_at_us, error)

    def unknown_fields(self, frame: str | bytes) -> dict[Channel, set[str]]:
        """Names that Binance newly sends inside `data` of a combined frame."""
        try:
            named = _names(frame)
        except UNREADABLE:
            return {}
        kind = named.stream.partition("@")[2]
        channel: Channel = "trade" if kind in ("trade", "aggTrade") else "ticker" if kind == "ticker" else "orderbook"
        unknown = named.data.keys() - BINANCE_FIELDS[channel]
        return {channel: unknown} if unknown else {}

    def _name(self, stream: Stream) -> str:
        suffix = {
            "trade": self._trade_stream,
            "ticker": "ticker",
            "orderbook": f"depth{self._book_levels}@100ms",
        }[stream.channel]
        return f"{stream.symbol.lower()}@{suffix}"

    def _uncommon(self, frame: str | bytes, received_at_us: int, error: Exception) -> Parsed:
        """What is no event in a wrapper: a book, a bare event, an answer, an error, or nothing that can be read."""
        try:
            if "@depth" in str(frame[:80]):
                return [self._book(_combined_book(frame), received_at_us)]
            reply = _reply(frame)
            if reply.e is not None:
                return self._events(_bare(frame), received_at_us)
        except UNREADABLE as deeper:
            raise InvalidFrame(readable(deeper)) from None
        fault = reply.error
        if fault is None and reply.code is not None and reply.msg is not None:
            fault = _Fault(reply.code, reply.msg)
        if fault is not None:
            raise ExchangeError(f"{fault.code}: {readable(fault.msg)}", permanent=True)
        if reply.result is msgspec.UNSET:
            raise InvalidFrame(readable(error))
        return Acknowledged(reply.id) if isinstance(reply.id, int) else Alive()

    def _events(self, data: _Event, received_at_us: int) -> Parsed:
        if isinstance(data, _Shutdown):
            return ShuttingDown()
        if isinstance(data, _Ticker):
            return [_ticker(data, self._listing(data.s), received_at_us)]
        if isinstance(data, _Trade) != (self._trade_stream == "trade"):
            raise InvalidFrame("trades of this kind are not subscribed")  # one trade would be there twice
        if isinstance(data, _Trade):
            return [self._trade(data, data.t, received_at_us)]
        # Marker rows of an audit in 2022: no trade stands behind them.
        return [] if data.f < 0 else [self._trade(data, data.a, received_at_us)]

    def _listing(self, code: str) -> Listing:
        listing = self._listings.get(code)
        if listing is None:
            raise InvalidFrame(f"{readable(code, 40)} is not subscribed")
        return listing

    def _trade(self, data: _Trade | _AggTrade, trade_id: int, received_at_us: int) -> Trade:
        symbol, base, quote = self._listings.get(data.s) or self._listing(data.s)
        price, quantity = positive_pair(data.p, data.q)
        return Trade(
            exchange=self.trade_exchange,
            symbol=symbol,
            base=base,
            quote=quote,
            trade_id=str(trade_id),
            price=price,
            quantity=quantity,
            side="sell" if data.m else "buy",  # m: the buyer is the maker, so the taker sold
            traded_at_us=data.T * 1000 if data.T <= MAX_MS else to_us(data.T),
            received_at_us=received_at_us,
        )

    def _book(self, frame: _CombinedBook, received_at_us: int) -> OrderBook:
        code = frame.stream.partition("@")[0]
        listing = self._listing_of_stream_symbol.get(code)
        if listing is None:
            raise InvalidFrame(f"{readable(code, 40)} is not subscribed")
        return OrderBook(
            exchange="binance",
            symbol=listing.symbol,
            base=listing.base,
            quote=listing.quote,
            bids=_side(frame.data.bids, self._levels),
            asks=_side(frame.data.asks, self._levels),
            received_at_us=received_at_us,
            sequence=frame.data.lastUpdateId,
        )


def _side(levels: list[_Level], limit: int) -> list[_Level]:
    numbers = plain_numbers([number for level in levels for number in level])
    return filled_levels(zip(numbers[0::2], numbers[1::2], strict=True), limit)


def _ticker(data: _Ticker, listing: Listing, received_at_us: int) -> Ticker:
    numbers = plain_numbers((data.c, data.o, data.h, data.l, data.v, data.q, data.b, data.B, data.a, data.A))
    price, opened, high, low, volume, turnover, *best = numbers
    # Zero stands for an empty side of the book.
    bid_price, bid_quantity, ask_price, ask_quantity = (number if is_positive(number) else None for number in best)
    return Ticker(
        exchange="binance",
        symbol=listing.symbol,
        base=listing.base,
        quote=listing.quote,
        price=price,
        window="rolling_24h",
        open=opened,
        high=high,
        low=low,
        volume_24h=volume,
        turnover_24h=turnover,
        event_at_us=to_us(data.E),
        received_at_us=received_at_us,
        bid_price=bid_price,
        bid_quantity=bid_quantity,
        ask_price=ask_price,
        ask_quantity=ask_quantity,
    )


def _subscribe(names: Sequence[str], number: int) -> str:
    return msgspec.json.encode({"method": "SUBSCRIBE", "params": names, "id": number}).decode()


def _chunks(names: Sequence[str]) -> Iterator[list[str]]:
    chunk: list[str] = []
    for name in names:
        if len(chunk) == _STREAMS_A_REQUEST or len(_subscribe([*chunk, name], 999).encode()) > _REQUEST_BYTES:
            yield chunk
            chunk = []
        chunk.append(name)
    if chunk:
        yield chunk
