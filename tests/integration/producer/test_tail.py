"""What a producer finds in Kafka at its start: since when trades may be missing, complete and no longer than needed."""

from collections.abc import Iterable

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete
from aiokafka.structs import TopicPartition

from services.producer import tail as tail_module
from services.producer.gaps import STANDS, Tail
from services.producer.tail import read_tail
from shared.events import Event, FeedEvent, FeedKind, Trade
from shared.kafka import make_producer
from shared.partitioning import partition_of, symbol_key
from shared.settings import KafkaSettings
from shared.topics import FEED, TOPIC_OF_EVENT, TRADES
from shared.wire import HEADERS_OF_EVENT, encode

S = 1_000_000
NOW_US = 1_800_000_000 * S
DOWN_SINCE_US = NOW_US - 600 * S
TAIL = 20


@pytest.fixture(autouse=True)
def short_tails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail_module, "TAIL_RECORDS", TAIL)


def trade(exchange: str, symbol: str, at_us: int) -> Trade:
    return Trade(
        exchange=exchange,
        symbol=symbol,
        base="B",
        quote="Q",
        trade_id="1",
        price="1",
        quantity="1",
        side="buy",
        traded_at_us=at_us,
        received_at_us=at_us,
    )


def said(kind: FeedKind, exchange: str, at_us: int, *symbols: str, reason: str = "", to_us: int | None = None) -> Event:
    return FeedEvent(
        kind=kind,
        exchange=exchange,
        channel="trade",
        reason=reason,
        at_us=at_us,
        to_us=to_us,
        symbols=list(symbols),
    )


async def publish(kafka: KafkaSettings, events: Iterable[Event]) -> None:
    async with make_producer(kafka, "test") as producer:
        for event in events:
            topic = TOPIC_OF_EVENT[type(event)]
            key = symbol_key(event.exchange, event.symbol) if isinstance(event, Trade) else "upbit"
            partition, headers = partition_of(key, topic.partitions), HEADERS_OF_EVENT[type(event)]
            await producer.send(topic.name, encode(event), key.encode(), partition, headers=headers)


async def forget(kafka: KafkaSettings, before: int) -> None:
    """As Kafka does with what is older than it keeps: the first records of the feed topic."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    try:
        await admin.delete_records({TopicPartition(FEED.name, 0): RecordsToDelete(before_offset=before)})
    finally:
        await admin.close()


async def found(kafka: KafkaSettings, *symbols: str) -> Tail:
    return await read_tail(kafka, "upbit", range(TRADES.partitions), symbols, NOW_US)


def others_fill_the_tails() -> list[Event]:
    """The other exchange's trades of the last half minute, and its connections that came and went."""
    trades = [trade("binance", f"S{n % 97}USDT", NOW_US - 32 * S + n) for n in range(97 * TAIL)]
    news = [said("disconnected", "binance", DOWN_SINCE_US + n, "S1USDT") for n in range(5 * TAIL)]
    return [*trades, *news]


async def test_a_long_outage_begins_where_the_connection_was_last_said_to_stand(fresh_topics: KafkaSettings) -> None:
    stood_us = DOWN_SINCE_US - 40 * S
    await publish(
        fresh_topics,
        [
            said("connected", "upbit", NOW_US - 3 * 86_400 * S, "KRW-BTC", "KRW-ETH"),
            trade("upbit", "KRW-BTC", DOWN_SINCE_US),
            said("connected", "upbit", stood_us + S, "KRW-BTC", "KRW-ETH", reason=STANDS, to_us=stood_us),
            *others_fill_the_tails(),
        ],
    )
    tail = await found(fresh_topics, "KRW-BTC", "KRW-ETH", "KRW-NEW")
    heard = [tail.heard_until_us("upbit", symbol) for symbol in ("KRW-BTC", "KRW-ETH", "KRW-NEW")]
    assert heard == [stood_us, stood_us, None]


async def test_what_was_never_said_to_stand_may_be_missing_for_as_long_as_the_feed_keeps_anything(
    fresh_topics: KafkaSettings,
) -> None:
    await publish(fresh_topics, [said("connected", "upbit", NOW_US - 8 * 86_400 * S, "KRW-BTC")])
    await publish(fresh_topics, [trade("upbit", "KRW-BTC", DOWN_SINCE_US), *others_fill_the_tails()])
    tail = await found(fresh_topics, "KRW-BTC", "KRW-NEW")
    assert tail.heard_until_us("upbit", "KRW-NEW") is None, "the feed still has all that was ever said"
    await forget(fresh_topics, before=1)
    tail = await found(fresh_topics, "KRW-BTC")
    assert tail.heard_until_us("upbit", "KRW-BTC") == NOW_US - (FEED.retention_ms or 0) * 1000


async def test_a_market_that_was_not_read_before_is_not_missing_where_others_were_said_to_stand(
    fresh_topics: KafkaSettings,
) -> None:
    stands = said("connected", "upbit", DOWN_SINCE_US, "KRW-BTC", reason=STANDS, to_us=DOWN_SINCE_US)
    await publish(fresh_topics, [said("connected", "upbit", 1, "KRW-BTC"), stands])
    await forget(fresh_topics, before=1)
    tail = await found(fresh_topics, "KRW-BTC", "KRW-NEW")
    assert tail.heard_until_us("upbit", "KRW-BTC") == DOWN_SINCE_US
    assert tail.heard_until_us("upbit", "KRW-NEW") is None
    assert await found(fresh_topics) == tail
