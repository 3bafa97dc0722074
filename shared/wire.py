"""Event to record value and back. Every record carries a header `schema`, such as ``trade/1``."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeVar

import msgspec

from shared.decimals import is_plain, is_plain_signed, is_positive
from shared.errors import TapewatchError
from shared.events import (
    Alert,
    Candle,
    Control,
    DeadLetter,
    DetectorSnapshot,
    Event,
    FeedEvent,
    Instrument,
    Notification,
    OrderBook,
    Ticker,
    Trade,
)

SCHEMA_HEADER = "schema"
MAX_TRADE_ID = (1 << 63) - 1
_DECODING_ERRORS = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)  # deep nesting, bad UTF-8

SCHEMA_OF_EVENT: dict[type, str] = {
    Trade: "trade/1",
    Ticker: "ticker/1",
    OrderBook: "orderbook/1",
    FeedEvent: "feed-event/1",
    Alert: "alert/1",
    Notification: "notification/1",
    Instrument: "instrument/1",
    Candle: "candle/1",
    DeadLetter: "dead-letter/1",
    Control: "control/1",
    DetectorSnapshot: "detector-snapshot/1",
}
HEADERS_OF_EVENT = {event: [(SCHEMA_HEADER, name.encode())] for event, name in SCHEMA_OF_EVENT.items()}

E = TypeVar("E", bound=Event)
_encoder = msgspec.json.Encoder()
_decoders: dict[object, msgspec.json.Decoder[Event]] = {event: msgspec.json.Decoder(event) for event in SCHEMA_OF_EVENT}


class _Record(Protocol):
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


class InvalidRecord(ValueError):
    """A record that cannot be read; it belongs into the dead letters, and the rest goes on."""


class UnknownSchema(TapewatchError):
    """A record of a version that this program does not know: stop rather than misread everything that follows."""


encode = _encoder.encode
"""Turn an event into its record value. Cannot fail for an event that an adapter or a decoder gave."""


def decode(event_type: type[E], value: bytes | None) -> E:
    """Read a record value. Raises InvalidRecord with a short reason; never anything else, whatever the bytes."""
    if value is None:
        raise InvalidRecord("the record has no value")
    try:
        event = _decoders[event_type].decode(value)
    except _DECODING_ERRORS as error:
        raise InvalidRecord(f"not a {SCHEMA_OF_EVENT[event_type]}: {error}"[:300]) from None
    if b"\\" in value and _holds_nul(value):
        raise InvalidRecord("a text holds the character NUL")
    fault = _FAULT_OF_EVENT.get(event_type, _no_fault)(event)
    if fault:
        raise InvalidRecord(fault)
    return event  # type: ignore[return-value]  # the decoder of event_type gives nothing else


def decode_all(event_type: type[E], values: Sequence[bytes | None]) -> list[E] | None:
    """Read the values of many records, for half of what `decode` costs each.

    None says that one of them needs the closer look of `decode`, which may refuse it or not.
    """
    if None in values:
        return None
    try:
        events = list(map(_decoders[event_type].decode, values))  # type: ignore[arg-type]  # none of them is None
    except _DECODING_ERRORS:
        return None
    if b"\\" in b"".join(values):  # type: ignore[arg-type]
        return None
    if event_type is Trade:
        sound = _are_usual_trades(events)  # type: ignore[arg-type]
    else:
        sound = not any(map(_FAULT_OF_EVENT.get(event_type, _no_fault), events))
    return events if sound else None  # type: ignore[return-value]  # the decoder of event_type gives nothing else


def check_schema(event_type: type, headers: Iterable[tuple[str, bytes]]) -> None:
    """Raise InvalidRecord without a `schema` header, UnknownSchema when it names another version of the event."""
    expected = HEADERS_OF_EVENT[event_type]
    if headers == expected or tuple(headers) == tuple(expected):
        return
    found = dict(headers).get(SCHEMA_HEADER)
    if found is None:
        raise InvalidRecord("the record has no schema header")
    wanted = expected[0][1]
    if found == wanted:
        return
    if found.split(b"/")[0] == wanted.split(b"/")[0]:
        raise UnknownSchema(
            f"this program reads {wanted.decode()} and found {found[:40].decode(errors='replace')}: upgrade it first"
        )
    raise InvalidRecord(f"expected {wanted.decode()}, found {found[:40].decode(errors='replace')}")


def read_record(event_type: type[E], record: _Record) -> E:
    """The event of a record, if it is of the version that we know. Raises InvalidRecord and UnknownSchema."""
    check_schema(event_type, record.headers)
    return decode(event_type, record.value)


def is_trade_id(text: str) -> bool:
    """Say whether `text` is an integer id, written without leading zeros, that fits Postgres' bigint."""
    if not (text.isdigit() and text.isascii() and len(text) <= 19):
        return False
    return int(text) <= MAX_TRADE_ID and (text[0] != "0" or text == "0")


def _holds_nul(value: bytes) -> bool:
    """PostgreSQL's text refuses this one character; without the escaped backslashes, JSON spells it only so."""
    return rb"\u0000" in value.replace(rb"\\", b"")


def _no_fault(_: Any) -> str | None:
    return None


_ABOVE_ZERO = r"(?:0\.(?=0*[1-9])[0-9]{1,18}|[1-9][0-9]{0,18}(?:\.[0-9]{1,18})?)"
_USUAL_TRADES = re.compile(rf"(?:{_ABOVE_ZERO} {_ABOVE_ZERO} [1-9][0-9]{{0,17}}\n)*+")


def _are_usual_trades(trades: Sequence[Trade]) -> bool:
    """Whether no trade has a fault. One match is cheaper than many; it leaves out what is sound and rare."""
    lines = "".join([f"{trade.price} {trade.quantity} {trade.trade_id}\n" for trade in trades])
    return lines.count("\n") == len(trades) and _USUAL_TRADES.fullmatch(lines) is not None


def _trade_fault(trade: Trade) -> str | None:
    if not (is_plain(trade.price) and is_plain(trade.quantity)):
        return "price or quantity is not a plain decimal"
    if not (is_positive(trade.price) and is_positive(trade.quantity)):
        return "price or quantity is not above zero"
    return None if is_trade_id(trade.trade_id) else "trade_id is not an integer"


def _ticker_fault(ticker: Ticker) -> str | None:
    needed = (ticker.price, ticker.open, ticker.high, ticker.low, ticker.volume_24h, ticker.turnover_24h)
    quoted = (ticker.bid_price, ticker.bid_quantity, ticker.ask_price, ticker.ask_quantity)
    return _number_fault(*needed, *quoted)


def _orderbook_fault(book: OrderBook) -> str | None:
    sound = all(is_plain(price) and is_plain(quantity) for side in (book.bids, book.asks) for price, quantity in side)
    return None if sound else "a level is not a plain decimal"


def _candle_fault(candle: Candle) -> str | None:
    # A day of every market is millions of these, and none of the numbers may be absent.
    numbers = (candle.open, candle.high, candle.low, candle.close, candle.volume, candle.turnover)
    return None if all(map(is_plain, numbers)) else "a number is not a plain decimal"


def _alert_fault(alert: Alert) -> str | None:
    signed = (alert.change_pct, alert.sigma, alert.divergence_pct)
    if not all(number is None or is_plain_signed(number) for number in signed):
        return "a number is not a plain decimal"
    return _number_fault(alert.price_before, alert.price_now, alert.price_extreme, alert.volume_ratio)


def _feed_fault(event: FeedEvent) -> str | None:
    ids = (event.first_missing_id, event.last_missing_id)
    return None if all(text is None or is_trade_id(text) for text in ids) else "a missing id is not an integer"


def _number_fault(*numbers: str | None) -> str | None:
    sound = all(number is None or is_plain(number) for number in numbers)
    return None if sound else "a number is not a plain decimal"


# What msgspec's types do not check: decimals and ids.
_FAULT_OF_EVENT: dict[type, Callable[[Any], str | None]] = {
    Trade: _trade_fault,
    Ticker: _ticker_fault,
    OrderBook: _orderbook_fault,
    Candle: _candle_fault,
    Alert: _alert_fault,
    FeedEvent: _feed_fault,
}
