"""Records of Kafka to a batch for the sink, and the list of those that it can never hold. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from services.consumer.batch import Batch, Slice
from shared import canary
from shared.events import Candle, Event, OrderBook, Ticker, Trade
from shared.partitioning import partition_of, symbol_key
from shared.topics import TOPIC_BY_NAME, Topic
from shared.wire import HEADERS_OF_EVENT, SCHEMA_HEADER, InvalidRecord, decode_all, read_record

TopicAndPartition = tuple[str, int]
Refuses = Callable[[Event], str | None]


class Record(Protocol):
    """What is read of a Kafka client's record."""

    offset: int
    timestamp: int
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


@dataclass(frozen=True)
class Poison:
    """A record that cannot be stored, with where it lies, when Kafka took it, and why."""

    topic: str
    partition: int
    offset: int
    reason: str
    value: bytes | None
    schema: str | None
    taken_at_ms: int


def read_batch(
    records: Mapping[TopicAndPartition, Sequence[Record]],
    positions: Mapping[TopicAndPartition, int],
    refuses: Refuses,
) -> tuple[Batch, list[Poison]]:
    """Decode `records`; `positions` are the offsets that were to be read next, one for each partition in `records`.

    Offsets that Kafka left out (compacted away, or marks of transactions) are passed over: the slice spans them.
    Raises UnknownSchema, and then nothing of the batch may be stored.
    """
    poison: list[Poison] = []
    slices = tuple(_read_slice(key, positions[key], found, refuses, poison) for key, found in records.items())
    first = slices[0]
    return Batch(f"{first.topic}-{first.partition}@{first.first_offset}", slices), poison


def _read_slice(
    key: TopicAndPartition, position: int, records: Sequence[Record], refuses: Refuses, poison: list[Poison]
) -> Slice:
    topic_name, partition = key
    topic = TOPIC_BY_NAME[topic_name]
    sound = _read_sound(topic, partition, records, refuses)
    if sound is not None:
        offsets = [record.offset for record in records]
        return Slice(topic_name, partition, position, records[-1].offset + 1, offsets, sound)
    event_type = topic.event
    of_symbols = topic.event in _OF_ONE_SYMBOL
    offsets = []
    events: list[Event] = []
    for record in records:
        try:
            event = read_record(event_type, record)
            fault = (_misplaced(event, topic, partition) if of_symbols else None) or refuses(event)
        except InvalidRecord as error:
            fault = str(error)
        if fault is None and getattr(event, "exchange", None) == canary.EXCHANGE:
            continue  # of no market: the slice spans its offset
        if fault is None:
            offsets.append(record.offset)
            events.append(event)
        else:
            poison.append(_poison(topic_name, partition, record, fault))
    return Slice(topic_name, partition, position, records[-1].offset + 1, offsets, events)


def _read_sound(topic: Topic, partition: int, records: Sequence[Record], refuses: Refuses) -> list[Event] | None:
    """The events of records that are all as they should be; None when one is not, or needs a closer look."""
    expected = tuple(HEADERS_OF_EVENT[topic.event])
    if not all([record.headers == expected for record in records]):  # noqa: C419  # a generator costs twice as much
        return None
    events = decode_all(topic.event, [record.value for record in records])
    if events is None or any(map(refuses, events)):
        return None
    if topic.event in _OF_ONE_SYMBOL:
        symbols = {(event.exchange, event.symbol) for event in events}  # type: ignore[union-attr]
        if (canary.EXCHANGE, canary.SYMBOL) in symbols:
            return None
        if any(_home(exchange, symbol, topic.partitions) != partition for exchange, symbol in symbols):
            return None
    elif any(getattr(event, "exchange", None) == canary.EXCHANGE for event in events):
        return None
    return events


_OF_ONE_SYMBOL = frozenset({Trade, Ticker, OrderBook, Candle})


def _misplaced(event: Event, topic: Topic, partition: int) -> str | None:
    """A symbol in a partition that is not its own would break the order that every reader counts on."""
    home = _home(event.exchange, event.symbol, topic.partitions)  # type: ignore[union-attr]  # see _OF_ONE_SYMBOL
    return None if home == partition else f"its symbol belongs to partition {home}"


@lru_cache(maxsize=1 << 16)
def _home(exchange: str, symbol: str, partitions: int) -> int:
    return partition_of(symbol_key(exchange, symbol), partitions)


def _poison(topic: str, partition: int, record: Record, reason: str) -> Poison:
    schema = dict(record.headers).get(SCHEMA_HEADER)
    spelled = None if schema is None else schema[:64].decode(errors="replace")
    return Poison(topic, partition, record.offset, reason, record.value, spelled, record.timestamp)
