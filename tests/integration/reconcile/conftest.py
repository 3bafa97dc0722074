"""A small run on the real servers: a truth log, its records in Kafka, and both stores filled by the real consumers."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import asyncpg
import msgspec
import pytest
from aiokafka import AIOKafkaProducer
from pydantic import SecretStr
from redis.asyncio import Redis

from services.cli.stores import Stores
from services.consumer.app import Duty, consume
from services.consumer.migrate import migrate
from services.reconcile.app import reconcile
from services.reconcile.report import Report, judge
from shared.events import Event, OrderBook, Ticker, Trade
from shared.kafka import make_producer
from shared.liveness import Liveness
from shared.partitioning import partition_of, symbol_key
from shared.settings import KafkaSettings, LogSettings, PostgresSettings, RedisSettings, Settings, StartSettings
from shared.topics import TOPIC_OF_EVENT
from shared.wire import HEADERS_OF_EVENT, encode

START_US = 1_767_225_600_000_000  # 2026-01-01T00:00:00Z
TRANSIT_US = 1_000
SYMBOLS = {"KRW-BTC": ("upbit", "BTC", "KRW"), "ETHUSDT": ("binance", "ETH", "USDT")}


@dataclass
class Run:
    """What was published, and ways to break what the stores hold."""

    settings: Settings
    truth: Path
    journals: list[Path]
    redis: "Redis"
    create_database: Callable[..., Awaitable[str]]
    producer: AIOKafkaProducer

    async def report(self) -> Report:
        """Compare everything."""
        return judge(await reconcile(self.settings, self.truth, self.journals))

    async def report_after(self, *sql: str) -> Report:
        """Compare everything with a copy of the database in which these statements were run."""
        own_dsn = self.settings.postgres.dsn.get_secret_value()
        copy_dsn = await self.create_database(template=own_dsn.rpartition("/")[2])
        connection = await asyncpg.connect(copy_dsn)
        for statement in sql:
            await connection.execute(statement)
        await connection.close()
        settings = self.settings.model_copy(update={"postgres": PostgresSettings(dsn=SecretStr(copy_dsn))})
        return judge(await reconcile(settings, self.truth, self.journals))

    async def send(self, event: Event) -> None:
        """Put one more record into Kafka, where its symbol belongs."""
        await _send(self.producer, event)


@pytest.fixture
async def run(
    fresh_topics: KafkaSettings,
    fresh_database: PostgresSettings,
    fresh_redis: RedisSettings,
    create_database: Callable[..., Awaitable[str]],
    tmp_path: Path,
) -> AsyncIterator[Run]:
    """Sixty seconds of two symbols, everything where it must be."""
    await asyncio.to_thread(migrate, fresh_database, 10)
    settings = Settings(
        kafka=fresh_topics,
        postgres=fresh_database,
        redis=fresh_redis.model_copy(update={"stream_cap": 20}),
        start=StartSettings(wait_s=10),
    )
    events = [event for second in range(60) for symbol in SYMBOLS for event in _second(symbol, second)]
    truth = tmp_path / "truth.jsonl"
    truth.write_bytes(b"".join(_truth_line(event) + b"\n" for event in events))
    producer = make_producer(settings.kafka, "test")
    await producer.start()
    await asyncio.gather(*(_send(producer, event) for event in events))
    journals = [tmp_path / "redis.jsonl", tmp_path / "postgres.jsonl"]
    await _fill_stores(settings, journals)
    async with Redis.from_url(settings.redis.url.get_secret_value(), decode_responses=True) as redis:
        yield Run(settings, truth, journals, redis, create_database, producer)
    await producer.stop()


async def _send(producer: AIOKafkaProducer, event: Any) -> None:
    topic, key = TOPIC_OF_EVENT[type(event)], symbol_key(event.exchange, event.symbol)
    await producer.send_and_wait(
        topic.name,
        encode(event),
        key=key.encode(),
        headers=HEADERS_OF_EVENT[type(event)],
        partition=partition_of(key, topic.partitions),
    )


async def _fill_stores(settings: Settings, journals: list[Path]) -> None:
    """Run both consumers until they have everything."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group, Stores.connect(settings) as stores:
        for sink, journal in zip(("redis", "postgres"), journals, strict=True):
            own = settings.model_copy(update={"log": LogSettings(batch_journal=journal)})
            group.create_task(consume(Duty(sink), own, stop, Liveness(monotonic, 30, 30)))
        while True:
            progress = await stores.progress()
            if not any(progress.behind_in_all(sink) for sink in ("redis", "postgres")):
                break
            await asyncio.sleep(0.05)
        stop.set()


def _second(symbol: str, second: int) -> list[Event]:
    exchange, base, quote = SYMBOLS[symbol]
    at_us = START_US + second * 1_000_000
    common = {
        "exchange": exchange,
        "symbol": symbol,
        "base": base,
        "quote": quote,
        "received_at_us": at_us + TRANSIT_US,
    }
    statistics = dict.fromkeys(("open", "high", "low", "volume_24h", "turnover_24h"), "1234.5")
    levels = [(str(100 + step), "1.5") for step in range(5)]
    is_upbit = exchange == "upbit"
    found = [
        common
        | {"trade_id": str(1_000 + second), "price": f"{100 + second}.10", "quantity": "0.00012300", "side": "buy"}
        | {"traded_at_us": at_us},
        common | statistics | {"price": f"{100 + second}", "event_at_us": at_us, "window": "utc_day"},
        common
        | {"bids": levels[::-1], "asks": levels, "sequence": None if is_upbit else 7 + second}
        | {"event_at_us": at_us if is_upbit else None},
    ]
    return [msgspec.convert(fields, kind) for fields, kind in zip(found, (Trade, Ticker, OrderBook), strict=True)]


_CHANNELS = {Trade: "trade", Ticker: "ticker", OrderBook: "orderbook"}


def _truth_line(event: Event) -> bytes:
    fields = msgspec.to_builtins(event)
    published_at_us = fields.pop("received_at_us") - TRANSIT_US
    return msgspec.json.encode(
        fields | {"channel": _CHANNELS[type(event)], "published_at_us": published_at_us, "heard": 1}
    )
