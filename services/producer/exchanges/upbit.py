"""Upbit Korea's WebSocket: one request with the whole list, no acknowledgement, numbers unquoted, binary frames.

Rules from docs.upbit.com (websocket-guide, websocket-trade, -ticker, -orderbook, rate-limits). Subscribing again on a
connection replaces everything, so a connection is subscribed once. Unknown codes are ignored without a word.
"""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal, get_type_hints

import msgspec
from msgspec import Meta, Raw, Struct

from services.producer.exchanges.base import (
    MAX_FRAME_BYTES,
    MAX_MS,
    TOO_LARGE,
    UNREADABLE,
    AdapterOptions,
    Alive,
    Conduct,
    ExchangeError,
    InvalidFrame,
    Listing,
    Parsed,
    Rate,
    Request,
    Stream,
    readable,
    to_us,
)
from services.producer.exchanges.fields import UPBIT_FIELDS
from services.producer.exchanges.numbers import filled_levels, plain_raws, positive_pair
from shared.events import Channel, MarketEvent, OrderBook, Ticker, Trade
from shared.wire import MAX_TRADE_ID

BOOK_LEVELS = (1, 5, 15, 30)
_PERMANENT_ERRORS = frozenset({"INVALID_AUTH", "WRONG_FORMAT", "NO_TICKET", "NO_TYPE", "NO_CODES", "INVALID_PARAM"})

_Count = Annotated[int, Meta(ge=0, le=MAX_TRADE_ID)]


class _Trade(Struct, tag_field="type", tag="trade", gc=False):
    code: str
    trade_price: Raw
    trade_volume: Raw
    ask_bid: Literal["ASK", "BID"]
    trade_timestamp: _Count  # trade_time is never read: its seconds are missing at a whole minute
    sequential_id: _Count


class _Ticker(Struct, tag_field="type", tag="ticker", gc=False):
    code: str
    trade_price: Raw
    opening_price: Raw
    high_price: Raw
    low_price: Raw
    acc_trade_volume_24h: Raw
    acc_trade_price_24h: Raw
    timestamp: _Count


class _Unit(Struct, gc=False):
    bid_price: Raw
    bid_size: Raw
    ask_price: Raw
    ask_size: Raw


class _Book(Struct, tag_field="type", tag="orderbook", gc=False):
    code: str
    timestamp: _Count
    orderbook_units: Annotated[list[_Unit], Meta(max_length=100)]


_SHORT_NAMES = {
    "code": "cd",
    "timestamp": "tms",
    "trade_price": "tp",
    "trade_volume": "tv",
    "ask_bid": "ab",
    "trade_timestamp": "ttms",
    "sequential_id": "sid",
    "opening_price": "op",
    "high_price": "hp",
    "low_price": "lp",
    "acc_trade_volume_24h": "atv24h",
    "acc_trade_price_24h": "atp24h",
    "orderbook_units": "obu",
    "bid_price": "bp",
    "bid_size": "bs",
    "ask_price": "ap",
    "ask_size": "as",
}


def _shortened(long: type[Struct], **replaced: Any) -> Any:
    """The same frame in SIMPLE format: a subclass whose wire names, and that of the type, are the short ones."""
    fields = {name: replaced.get(name, kind) for name, kind in get_type_hints(long, include_extras=True).items()}
    tag = long.__struct_config__.tag
    return msgspec.defstruct(
        "_Short" + long.__name__,
        list(fields.items()),
        bases=(long,),
        tag_field="ty" if tag else None,
        tag=tag,
        rename=_SHORT_NAMES,
        gc=False,
    )


_short_unit = _shortened(_Unit)
_Data = _Trade | _Ticker | _Book
_ShortData = (
    _shortened(_Trade)
    | _shortened(_Ticker)
    | _shortened(_Book, orderbook_units=Annotated[list[_short_unit], Meta(max_length=100)])  # type: ignore[valid-type]
)


class _Fault(Struct, gc=False):
    name: str | int = ""
    message: str = ""


class _Other(Struct, gc=False):
    """Every frame that carries no data, in either format."""

    status: str | None = None
    error: _Fault | None = None
    method: str | None = None
    mthd: str | None = None
    type: str | None = None
    ty: str | None = None


_long: Callable[[str | bytes], _Data] = msgspec.json.Decoder(_Data).decode
_short: Callable[[str | bytes], _Data] = msgspec.json.Decoder(_ShortData).decode
_long_list: Callable[[str | bytes], list[_Data]] = msgspec.json.Decoder(list[_Data]).decode
_short_list: Callable[[str | bytes], list[_Data]] = msgspec.json.Decoder(list[_ShortData]).decode  # type: ignore[valid-type]
_other = msgspec.json.Decoder(_Other).decode
_names = msgspec.json.Decoder(dict[str, Raw]).decode


class Upbit:
    """See `ExchangeAdapter`."""

    exchange = "upbit"
    trade_exchange = "upbit"
    conduct = Conduct(
        connects=(Rate(4, 1.0),),
        messages=(Rate(4, 1.0), Rate(90, 60.0)),
        streams_a_connection=300,
        ping_s=10.0,
        text_ping="PING",
        text_ping_s=30.0,
        silent_s=45.0,
        first_data_s=10,  # each begins with a snapshot
    )

    def __init__(self, options: AdapterOptions) -> None:
        self.url = options.url
        self._listings = options.listings
        self._levels = options.levels
        self._book_suffix = next((n for n in BOOK_LEVELS if n >= options.levels), BOOK_LEVELS[-1])

    def subscribe(self, streams: Sequence[Stream], ticket: str) -> Request:
        """One frame with everything. Snapshots are asked for: the first of them shows that the request was heard."""
        wanted: list[dict[str, object]] = [{"ticket": ticket}]
        for channel in dict.fromkeys(stream.channel for stream in streams):
            suffix = f".{self._book_suffix}" if channel == "orderbook" else ""
            codes = [stream.symbol + suffix for stream in streams if stream.channel == channel]
            wanted.append({"type": channel, "codes": codes})
        wanted.append({"format": "DEFAULT"})
        return Request([msgspec.json.encode(wanted).decode()])

    def parse(self, frame: str | bytes, received_at_us: int) -> Parsed:
        """One frame in any of the four formats, as events or a notice."""
        if len(frame) > MAX_FRAME_BYTES:
            raise InvalidFrame(TOO_LARGE)
        try:
            read = frame if isinstance(frame, bytes) else frame.encode()
            decode = _short if read.startswith(b'{"ty"') else _long
            return [self._event(decode(read), received_at_us)]
        except UNREADABLE as error:
            return self._uncommon(frame, received_at_us, error)

    def unknown_fields(self, frame: str | bytes) -> dict[Channel, set[str]]:
        """Names that Upbit newly sends; nothing for lists and for frames without data."""
        try:
            other = _other(frame)
            channel = other.type or other.ty
            names = set(_names(frame))
        except UNREADABLE:
            return {}
        return {name: names - known for name, known in UPBIT_FIELDS.items() if name == channel and names - known}

    def _uncommon(self, frame: str | bytes, received_at_us: int, error: Exception) -> Parsed:
        """What is no plain data frame: a list, a notice, an error, other key orders, or nothing that can be read."""
        try:
            if frame[:1] in ("[", b"["):
                decode_list = _short_list if '"ty"' in str(frame[:64]) else _long_list
                return [self._event(data, received_at_us) for data in decode_list(frame)]
            other = _other(frame)
            if other.error is not None:
                name = readable(other.error.name, 40)
                raise ExchangeError(f"{name}: {readable(other.error.message)}", permanent=name in _PERMANENT_ERRORS)
            if other.status is not None or other.method is not None or other.mthd is not None:
                return Alive()
            if other.ty is not None:
                return [self._event(_short(frame), received_at_us)]
        except UNREADABLE as deeper:
            error = deeper
        raise InvalidFrame(readable(error)) from None

    def _event(self, data: _Data, received_at_us: int) -> MarketEvent:
        listing = self._listings.get(data.code)
        if listing is None:
            raise InvalidFrame(f"{readable(data.code, 40)} is not subscribed")
        if isinstance(data, _Trade):
            return _trade(data, listing, received_at_us)
        if isinstance(data, _Book):
            return _book(data, listing, received_at_us, self._levels)
        return _ticker(data, listing, received_at_us)


def _trade(data: _Trade, listing: Listing, received_at_us: int) -> Trade:
    price, quantity = positive_pair(str(data.trade_price, "ascii"), str(data.trade_volume, "ascii"))
    symbol, base, quote = listing
    return Trade(
        exchange="upbit",
        symbol=symbol,
        base=base,
        quote=quote,
        trade_id=str(data.sequential_id),
        price=price,
        quantity=quantity,
        side="sell" if data.ask_bid == "ASK" else "buy",
        traded_at_us=data.trade_timestamp * 1000 if data.trade_timestamp <= MAX_MS else to_us(data.trade_timestamp),
        received_at_us=received_at_us,
    )


def _book(data: _Book, listing: Listing, received_at_us: int, levels: int) -> OrderBook:
    numbers = plain_raws(
        [raw for u in data.orderbook_units for raw in (u.bid_price, u.bid_size, u.ask_price, u.ask_size)]
    )
    return OrderBook(
        exchange="upbit",
        symbol=listing.symbol,
        base=listing.base,
        quote=listing.quote,
        bids=filled_levels(zip(numbers[0::4], numbers[1::4], strict=True), levels),
        asks=filled_levels(zip(numbers[2::4], numbers[3::4], strict=True), levels),
        received_at_us=received_at_us,
        event_at_us=to_us(data.timestamp),
    )


def _ticker(data: _Ticker, listing: Listing, received_at_us: int) -> Ticker:
    price, opened, high, low, volume, turnover = plain_raws(
        (
            data.trade_price,
            data.opening_price,
            data.high_price,
            data.low_price,
            data.acc_trade_volume_24h,
            data.acc_trade_price_24h,
        )
    )
    return Ticker(
        exchange="upbit",
        symbol=listing.symbol,
        base=listing.base,
        quote=listing.quote,
        price=price,
        window="utc_day",
        open=opened,
        high=high,
        low=low,
        volume_24h=volume,
        turnover_24h=turnover,
        event_at_us=to_us(data.timestamp),
        received_at_us=received_at_us,
    )
