"""Event to record value and back. Every record carries a header `schema`, such as ``trade/1``."""

from collections.abc import Iterable
from typing import TypeVar

import msgspec

from shared.decimals import is_plain, is_positive
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
_NESTING_LIMIT_ERRORS = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)

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


class InvalidRecord(ValueError):
    """A record that cannot be read; it belongs into the dead letters, and the rest goes on."""


class UnknownSchema(Exception):
    """A record of a version that this program does not know: stop rather than misread everything that follows."""


encode = _encoder.encode
"""Turn an event into its record value. Cannot fail for an event that an adapter or a decoder gave."""


def decode(event_type: type[E], value: bytes | None) -> E:
    """Read a record value. Raises InvalidRecord with a short reason; never anything else, whatever the bytes."""
    if value is None:
        raise InvalidRecord("the record has no value")
    try:
        event = _decoders[event_type].decode(value)
    except _NESTING_LIMIT_ERRORS as error:
        raise InvalidRecord(f"not a {SCHEMA_OF_EVENT[event_type]}: {error}"[:300]) from None
    fault = _fault(event)
    if fault:
        raise InvalidRecord(fault)
    return event  # type: ignore[return-value]  # the decoder of event_type gives nothing else


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


def is_trade_id(text: str) -> bool:
    """Say whether `text` is an integer id that fits Postgres' bigint."""
    return text.isdigit() and text.isascii() and len(text) <= 19 and int(text) <= MAX_TRADE_ID


def _fault(event: Event) -> str | None:
    """What msgspec's types do not check: decimals and ids. None when all is well."""
    if type(event) is Trade:
        if not (is_plain(event.price) and is_plain(event.quantity)):
            return "price or quantity is not a plain decimal"
        if not (is_positive(event.price) and is_positive(event.quantity)):
            return "price or quantity is not above zero"
        return None if is_trade_id(event.trade_id) else "trade_id is not an integer"
    if type(event) is Ticker:
        return None if all(map(is_plain, _ticker_numbers(event))) else "a number is not a plain decimal"
    if type(event) is OrderBook:
        levels = (*event.bids, *event.asks)
        return None if all(is_plain(p) and is_plain(q) for p, q in levels) else "a level is not a plain decimal"
    if type(event) is Candle:
        numbers = (event.open, event.high, event.low, event.close, event.volume, event.turnover)
        return None if all(map(is_plain, numbers)) else "a number is not a plain decimal"
    return None


def _ticker_numbers(ticker: Ticker) -> list[str]:
    needed = [ticker.price, ticker.open, ticker.high, ticker.low, ticker.volume_24h, ticker.turnover_24h]
    optional = (ticker.bid_price, ticker.bid_quantity, ticker.ask_price, ticker.ask_quantity)
    return needed + [number for number in optional if number is not None]
