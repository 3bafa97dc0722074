"""A dead letter read again by the adapters and decoders of today: the records it gives, or why it gives none. Pure.

What is read again comes late, so its trades are marked as backfill: they are exempt from the order of arrival.
"""

from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass

from msgspec.structs import replace

from services.producer.exchanges.base import ExchangeAdapter, ExchangeError, InvalidFrame
from shared.events import Alert, Candle, DeadLetter, Event, FeedEvent, Instrument, OrderBook, Ticker, Trade
from shared.partitioning import symbol_key
from shared.topics import TOPIC_BY_NAME, TOPIC_OF_EVENT, Topic
from shared.wire import SCHEMA_HEADER, InvalidRecord, UnknownSchema, check_schema, decode

AdapterOf = Callable[[str, str | None], ExchangeAdapter | None]
"""The adapter of (exchange, connection), None when no exchange is called so."""
Refuses = Callable[[str, Event], str | None]
"""Why the reader of this name can never store a valid event, None when it can."""


class NotReplayable(Exception):
    """There is nothing in the letter that any reader could ever make a record of."""


class StillUnreadable(Exception):
    """Today's readers refuse it as well: mend them first."""


@dataclass(frozen=True)
class Again:
    """A record to publish."""

    topic: Topic
    key: str
    event: Event


def read_again(letter: DeadLetter, adapter_of: AdapterOf, refuses: Refuses) -> list[Again]:
    """The records of a letter. Raises NotReplayable or StillUnreadable, one short reason each."""
    payload = b64decode(letter.payload)
    if len(payload) < letter.payload_bytes:
        raise NotReplayable(f"only the first {len(payload)} bytes of it were kept")
    events: list[Event]
    if letter.topic is None:
        events = _of_frame(letter, payload, adapter_of)
    else:
        events = [_of_record(letter.topic, letter, payload, refuses)]
    return [Again(TOPIC_OF_EVENT[type(event)], key_of(event), _late(event)) for event in events]


def key_of(event: Event) -> str:
    """The record key that producers give this event."""
    if isinstance(event, Trade | Ticker | OrderBook | Candle | Instrument):
        return symbol_key(event.exchange, event.symbol)
    if isinstance(event, FeedEvent):
        return event.exchange
    if isinstance(event, Alert):
        return event.episode_id
    raise NotReplayable(
        f"records of {TOPIC_OF_EVENT[type(event)].name} are the state of a service, not news for others"
    )


def _of_frame(letter: DeadLetter, payload: bytes, adapter_of: AdapterOf) -> list[Event]:
    adapter = adapter_of(letter.exchange or "", letter.connection)
    if adapter is None:
        raise NotReplayable(f"no exchange is called {letter.exchange!r}")
    try:
        parsed = adapter.parse(payload, letter.at_us)
    except InvalidFrame as error:
        raise StillUnreadable(str(error)) from None
    except ExchangeError as error:
        raise NotReplayable(f"an error that the exchange told: {error}") from None
    if not isinstance(parsed, list):
        raise NotReplayable("a message about the connection: it holds no data")
    return list(parsed)


def _of_record(topic_name: str, letter: DeadLetter, payload: bytes, refuses: Refuses) -> Event:
    topic = TOPIC_BY_NAME.get(topic_name)
    if topic is None:
        raise NotReplayable(f"no topic is called {topic_name}")
    if topic.event is DeadLetter:
        raise NotReplayable("it is itself about a dead letter")
    headers = [] if letter.schema is None else [(SCHEMA_HEADER, letter.schema.encode())]
    try:
        check_schema(topic.event, headers)
        event = decode(topic.event, payload)
    except (InvalidRecord, UnknownSchema) as error:
        raise StillUnreadable(str(error)) from None
    fault = refuses(letter.reader, event)
    if fault is not None:
        raise StillUnreadable(fault)
    return event


def _late(event: Event) -> Event:
    return replace(event, origin="backfill") if isinstance(event, Trade) else event
