"""What is kept of a record that is too large for Kafka alone, so that all the others go on. Pure."""

from base64 import b64decode, b64encode
from dataclasses import dataclass

from msgspec.structs import replace

from services.producer.gaps import LATE_US, Dropped, gap_event
from services.producer.rejects import dead_letter
from shared.events import DeadLetter, Event, FeedEvent, Trade
from shared.topics import DEAD_LETTERS, FEED, ORDERBOOKS, TICKERS, TRADES, Topic
from shared.wire import SCHEMA_OF_EVENT, decode

LEAST_PAYLOAD_BYTES = 1 << 10
"""Enough of a frame to see what it was. What is cut cannot be read again anyway."""


@dataclass(frozen=True)
class Kept:
    """`form`: the record in another form and the topic for it, None when it has no smaller one. `gap`: the trades that
    nobody can read from it."""

    form: tuple[Topic, Event] | None = None
    gap: FeedEvent | None = None


def kept_of(topic: Topic, value: bytes, reason: str, exchange: str, now_us: int) -> Kept:
    """What goes to Kafka in place of the record.

    A trade, ticker or book becomes a dead letter. Of a letter its beginning is kept. A gap names no symbols any more,
    and so is of all that its connection reads.
    """
    if topic is DEAD_LETTERS:
        return _of_letter(decode(DeadLetter, value), exchange, reason, now_us)
    if topic is FEED:
        return _of_feed(decode(FeedEvent, value))
    if topic not in (TRADES, TICKERS, ORDERBOOKS):
        return Kept()
    letter = dead_letter(value, reason, exchange=exchange, connection=None, suppressed=0, at_us=now_us)
    letter = replace(letter, topic=topic.name, schema=SCHEMA_OF_EVENT[topic.event])  # so it can be replayed
    missing = Dropped()
    if topic is TRADES:
        missing.note(decode(Trade, value))
    gap = gap_event(missing.gap(), exchange, None, reason, now_us) if missing else None
    return Kept((DEAD_LETTERS, letter), gap)


def _of_letter(letter: DeadLetter, exchange: str, reason: str, now_us: int) -> Kept:
    payload = b64decode(letter.payload)
    # Of a frame that is cut already a gap has told, and so it has of a record that became a letter.
    is_first = len(payload) == letter.payload_bytes and letter.connection is not None
    gap = _gap_of_frame(letter, exchange, reason, now_us) if is_first else None
    if len(payload) <= LEAST_PAYLOAD_BYTES:
        return Kept(None, gap)
    return Kept((DEAD_LETTERS, replace(letter, payload=b64encode(payload[:LEAST_PAYLOAD_BYTES]).decode())), gap)


def _gap_of_frame(letter: DeadLetter, exchange: str, reason: str, now_us: int) -> FeedEvent:
    return FeedEvent(
        kind="gap",
        exchange=exchange,
        channel="trade",
        connection=letter.connection,
        from_us=max(0, letter.at_us - LATE_US),
        to_us=letter.at_us + LATE_US,
        reason=reason,
        at_us=now_us,
    )


def _of_feed(event: FeedEvent) -> Kept:
    is_shorter = event.kind == "gap" and event.symbols
    return Kept((FEED, replace(event, symbols=None)) if is_shorter else None)
