"""Reads the end of the trades and feed topics: what Kafka holds already when a producer starts."""

from collections.abc import Collection, Mapping, Sequence

import structlog
from aiokafka.structs import ConsumerRecord, TopicPartition

from services.producer.gaps import Heard, Tail, note_connected
from shared import wire
from shared.events import FeedEvent, Trade
from shared.kafka import PartitionReader
from shared.settings import KafkaSettings
from shared.topics import FEED, TRADES

TAIL_RECORDS = 2000
_READ_AT_ONCE = 5000
_FEED = TopicPartition(FEED.name, 0)
_FEED_KEPT_US = (FEED.retention_ms or 0) * 1000
Span = tuple[int, int]
"""The first offset, and the one after the last."""
log = structlog.get_logger(__name__)


async def read_tail(
    settings: KafkaSettings, exchange: str, partitions: Sequence[int], symbols: Collection[str], now_us: int
) -> Tail:
    """The last records of `partitions` of the trades topic and of the feed topic, at most TAIL_RECORDS each.

    While those tell nothing of one of `symbols`, the feed topic is read further back, at last all that it keeps. What
    stands is told every few minutes, so it tells of each that was read within days. Where it does not, and has
    forgotten something, trades may be missing for as long as it keeps anything.
    """
    reader, tail = PartitionReader(settings, f"producer-{exchange}-tail"), Tail()
    wanted = [TopicPartition(TRADES.name, p) for p in partitions] + [_FEED]
    try:
        await reader.connect()
        starts, ends = await reader.log_starts(wanted), await reader.log_ends(wanted)
        spans = {p: (max(starts[p], ends[p] - TAIL_RECORDS), ends[p]) for p in wanted}
        await _read(reader, spans, tail, exchange)
        first, count = spans[_FEED][0], TAIL_RECORDS
        while first > starts[_FEED] and _untold(tail, exchange, symbols):
            end, count = first, 2 * count
            first = max(starts[_FEED], end - count)
            await _read(reader, {_FEED: (first, end)}, tail, exchange)
        if starts[_FEED] > 0 and not tail.stands_us and (untold := _untold(tail, exchange, symbols)):
            tail.forgotten_us = now_us - _FEED_KEPT_US
            log.warning("nothing tells up to when these were read", exchange=exchange, symbols=len(untold))
        return tail
    finally:
        await reader.close()


async def _read(reader: PartitionReader, spans: Mapping[TopicPartition, Span], tail: Tail, exchange: str) -> None:
    unread = {partition: end for partition, (first, end) in spans.items() if first < end}
    await reader.start({partition: spans[partition][0] for partition in unread})
    while unread:
        for partition, records in (await reader.batch(1000, _READ_AT_ONCE)).items():
            if partition == _FEED:
                note_connected(tail, _feed_events(records), exchange)
            else:
                _note_trades(tail, records, exchange)
            if records[-1].offset + 1 >= spans[partition][1]:
                unread.pop(partition, None)


def _note_trades(tail: Tail, records: Sequence[ConsumerRecord], exchange: str) -> None:
    for record in records:
        try:
            trade = wire.decode(Trade, record.value)
        except wire.InvalidRecord:
            continue  # it is the readers' dead letter; here it only says nothing
        if trade.origin == "stream" and trade.exchange == exchange:
            tail.last[trade.symbol] = Heard(trade.received_at_us, trade.traded_at_us)


def _feed_events(records: Sequence[ConsumerRecord]) -> list[FeedEvent]:
    events = []
    for record in records:
        try:
            events.append(wire.decode(FeedEvent, record.value))
        except wire.InvalidRecord:
            continue
    return events


def _untold(tail: Tail, exchange: str, symbols: Collection[str]) -> list[str]:
    return [symbol for symbol in symbols if tail.heard_until_us(exchange, symbol) is None]


def unheard(tail: Tail, exchange: str, symbols: Sequence[str]) -> Mapping[str, int]:
    """Up to when nothing is missing, by symbol; symbols that were never subscribed are left out."""
    found = {symbol: tail.heard_until_us(exchange, symbol) for symbol in symbols}
    return {symbol: us for symbol, us in found.items() if us is not None}
