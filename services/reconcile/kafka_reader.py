"""Reads everything that Kafka holds of a run: the market topics, alerts and receipts."""

from collections.abc import AsyncIterator, Iterable

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import ConsumerRecord, TopicPartition

from services.reconcile.found import Log, is_misplaced
from shared import canary
from shared.events import Alert, Channel, FeedEvent, MarketEvent, Notification, OrderBook, Ticker, Trade
from shared.kafka import MAX_REQUEST_BYTES, client_options
from shared.settings import KafkaSettings
from shared.topics import ALERTS, FEED, NOTIFICATIONS, ORDERBOOKS, TICKERS, TRADES, Topic
from shared.wire import InvalidRecord, read_record

_MARKET: dict[Channel, tuple[Topic, type[Trade | Ticker | OrderBook]]] = {
    "trade": (TRADES, Trade),
    "ticker": (TICKERS, Ticker),
    "orderbook": (ORDERBOOKS, OrderBook),
}
_WAIT_MS = 1_000
_CLOCKS_DIFFER_BY_US = 60_000_000
"""The broker stamps records with its own clock, and events carry ours."""


async def read_log(settings: KafkaSettings, since_us: int) -> Log:
    """Read the market topics up to their end; what was received before `since_us` belongs to an earlier run."""
    log = Log()
    for channel, (topic, _) in _MARKET.items():
        async for records in _batches(settings, topic, max(0, since_us - _CLOCKS_DIFFER_BY_US)):
            _add(log, channel, records, since_us)
    return log


async def received(settings: KafkaSettings, since_us: int) -> AsyncIterator[tuple[Channel, MarketEvent]]:
    """Every market event that was received from `since_us` on; each symbol in its order. What is unreadable is left to
    `read_log`, which counts it."""
    for channel, (topic, kind) in _MARKET.items():
        async for records in _batches(settings, topic, max(0, since_us - _CLOCKS_DIFFER_BY_US)):
            for record in records:
                try:
                    event = read_record(kind, record)
                except InvalidRecord:
                    continue
                if event.received_at_us >= since_us and event.exchange != canary.EXCHANGE:
                    yield channel, event


def _add(log: Log, channel: Channel, records: Iterable[ConsumerRecord], since_us: int) -> None:
    topic, kind = _MARKET[channel]
    for record in records:
        try:
            event = read_record(kind, record)
        except InvalidRecord:
            log.cannot_read(channel)
            continue
        if event.received_at_us < since_us or event.exchange == canary.EXCHANGE:
            continue
        if is_misplaced(event, record.partition, topic.partitions):
            log.cannot_read(channel)
        else:
            log.add(event, record.partition, record.offset)


async def read_alerts(settings: KafkaSettings, since_us: int) -> tuple[list[Alert], list[Notification]]:
    """Alerts decided and receipts written from `since_us` on, oldest first. Raises InvalidRecord and UnknownSchema."""
    alerts = [read_record(Alert, record) async for batch in _batches(settings, ALERTS) for record in batch]
    told = [
        read_record(Notification, record)
        async for batch in _batches(settings, NOTIFICATIONS)
        for record in batch
        if record.value is not None  # a compacted topic forgets a key by a record without a value
    ]
    return (
        [alert for alert in alerts if alert.decided_at_us >= since_us and alert.exchange != canary.EXCHANGE],
        [receipt for receipt in told if receipt.at_us >= since_us],
    )


async def read_feed(settings: KafkaSettings) -> AsyncIterator[FeedEvent]:
    """Everything that was said of feeds, oldest first. Raises InvalidRecord and UnknownSchema."""
    async for batch in _batches(settings, FEED):
        for record in batch:
            yield read_record(FeedEvent, record)


async def _batches(settings: KafkaSettings, topic: Topic, since_us: int = 0) -> AsyncIterator[list[ConsumerRecord]]:
    """Everything that a topic took in from `since_us` to now, each partition in its order."""
    partitions = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
    consumer = AIOKafkaConsumer(
        **client_options(settings, "reconcile"),
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        max_partition_fetch_bytes=MAX_REQUEST_BYTES,
    )
    await consumer.start()
    try:
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        found = await consumer.offsets_for_times(dict.fromkeys(partitions, since_us // 1000))
        waiting = set()
        for partition in partitions:
            first = found.get(partition)
            if first is not None and first.offset < ends[partition]:
                consumer.seek(partition, first.offset)
                waiting.add(partition)
        while waiting:
            for records in (await consumer.getmany(*waiting, timeout_ms=_WAIT_MS)).values():
                yield records
            # Not by the records: a compacted log may end before its end.
            waiting = {one for one in waiting if await consumer.position(one) < ends[one]}
    finally:
        await consumer.stop()
