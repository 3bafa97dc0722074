"""Reads the end of the trades and feed topics: what Kafka holds already when a producer starts."""

from collections.abc import Mapping, Sequence

from aiokafka.structs import ConsumerRecord, TopicPartition

from services.producer.gaps import Heard, Tail, note_connected
from shared import wire
from shared.events import FeedEvent, Trade
from shared.kafka import PartitionReader
from shared.settings import KafkaSettings
from shared.topics import FEED, TRADES

TAIL_RECORDS = 2000
_READ_AT_ONCE = 5000


async def read_tail(settings: KafkaSettings, exchange: str, partitions: Sequence[int]) -> Tail:
    """The last records of `partitions` of the trades topic and of the feed topic, at most TAIL_RECORDS each."""
    reader = PartitionReader(settings, f"producer-{exchange}-tail")
    wanted = [TopicPartition(TRADES.name, p) for p in partitions] + [TopicPartition(FEED.name, 0)]
    try:
        await reader.connect()
        starts, ends = await reader.log_starts(wanted), await reader.log_ends(wanted)
        positions = {p: max(starts[p], ends[p] - TAIL_RECORDS) for p in wanted}
        tail = Tail()
        events: list[FeedEvent] = []
        unread = {p for p in wanted if positions[p] < ends[p]}
        await reader.start({p: positions[p] for p in unread})
        while unread:
            for partition, records in (await reader.batch(1000, _READ_AT_ONCE)).items():
                if partition.topic == FEED.name:
                    events += _feed_events(records)
                else:
                    cut = positions[partition] > starts[partition]
                    _note_trades(tail, partition.partition, records, exchange, cut=cut)
                if records[-1].offset + 1 >= ends[partition]:
                    unread.discard(partition)
        note_connected(tail, events, exchange)
        return tail
    finally:
        await reader.close()


def _note_trades(tail: Tail, partition: int, records: Sequence[ConsumerRecord], exchange: str, *, cut: bool) -> None:
    for record in records:
        try:
            trade = wire.decode(Trade, record.value)
        except wire.InvalidRecord:
            continue  # it is the readers' dead letter; here it only says nothing
        if trade.origin != "stream":
            continue
        if cut:
            tail.cut_us.setdefault(partition, trade.received_at_us)
        if trade.exchange == exchange:
            tail.last[trade.symbol] = Heard(trade.received_at_us, trade.traded_at_us)


def _feed_events(records: Sequence[ConsumerRecord]) -> list[FeedEvent]:
    events = []
    for record in records:
        try:
            events.append(wire.decode(FeedEvent, record.value))
        except wire.InvalidRecord:
            continue
    return events


def unheard(tail: Tail, exchange: str, symbols: Sequence[str]) -> Mapping[str, int]:
    """Up to when nothing is missing, by symbol; symbols that were never subscribed are left out."""
    found = {symbol: tail.heard_until_us(exchange, symbol) for symbol in symbols}
    return {symbol: us for symbol, us in found.items() if us is not None}
