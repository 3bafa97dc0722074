"""An empty Redis of every kind that this machine has, sinks on it, and a client that looks at what is there.

Sinks log in with the writer's rights alone.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiokafka.structs import TopicPartition
from redis.asyncio import Redis

from services.consumer.batch import Batch, Slice
from services.consumer.sinks.redis_rights import Role
from services.consumer.sinks.redis_sink import RedisSink
from shared.events import Event, OrderBook, Ticker, Trade
from shared.settings import RedisSettings, Settings, StartSettings
from shared.topics import TOPIC_OF_EVENT, TRADES

RedisUser = Callable[[RedisSettings, Role], Awaitable[RedisSettings]]
AT_US = 1_790_000_000_000_000
TRADES_0 = TopicPartition(TRADES.name, 0)


@dataclass
class Cache:
    """One Redis."""

    settings: Settings
    client: "Redis"
    sinks: list[RedisSink] = field(default_factory=list)

    def sink(self, **redis: Any) -> RedisSink:
        """Another copy of the sink, closed when the test ends. `redis` are settings other than the usual."""
        settings = self.settings.model_copy(update={"redis": self.settings.redis.model_copy(update=redis)})
        self.sinks.append(RedisSink(settings))
        return self.sinks[-1]

    async def opened(self, *partitions: TopicPartition, topic_id: str = "first", **redis: Any) -> RedisSink:
        """A sink that owns `partitions`, by default the first of the trades."""
        sink = self.sink(**redis)
        await sink.open(dict.fromkeys(partitions or (TRADES_0,), topic_id))
        return sink

    async def trade_ids(self, symbol: str = "BTCUSDT") -> list[int]:
        """Trade ids in the symbol's stream, in its order."""
        entries = await self.client.xrange(f"trades:binance:{symbol}")
        return [int(fields[b"trade_id"]) for _, fields in entries]

    async def entry_ids(self, symbol: str = "BTCUSDT") -> list[str]:
        """Entry ids of the symbol's stream, in its order."""
        return [entry_id.decode() for entry_id, _ in await self.client.xrange(f"trades:binance:{symbol}")]

    async def position(self, partition: TopicPartition = TRADES_0) -> str:
        """``<next offset> <generation> <topic id>`` as it is stored."""
        text = await self.client.hget(f"position:{partition.topic}", str(partition.partition))
        return " ".join(text.decode().split()[:3]) if text else ""

    async def everything(self) -> dict[bytes, Any]:
        """All data, for the comparison of before and after. Positions without their owner."""
        found: dict[bytes, Any] = {}
        async for key in self.client.scan_iter():
            if key.startswith((b"position:owner:", b"position:batches")):
                continue
            is_stream = await self.client.type(key) == b"stream"
            content = await (self.client.xrange(key) if is_stream else self.client.hgetall(key))
            if key.startswith(b"position:"):
                content = {field: value.rsplit(b" ", 1)[0] for field, value in content.items()}
            found[key] = content
        return found


@pytest.fixture
async def cache(each_redis: RedisSettings, redis_user: RedisUser) -> AsyncIterator[Cache]:
    client = Redis.from_url(each_redis.url.get_secret_value())
    settings = await redis_user(each_redis, "writer")
    made = Cache(Settings(redis=settings, start=StartSettings(wait_s=0)), client)
    yield made
    for sink in made.sinks:
        await sink.close()
    await client.aclose()


@pytest.fixture
def make_batch() -> Callable[..., Batch]:
    """A batch of one slice: the events, and the offset of the first; partition 0 of their topic."""

    def make(events: Sequence[Event], first: int = 0, partition: int = 0) -> Batch:
        topic = TOPIC_OF_EVENT[type(events[0])] if events else TRADES
        offsets = list(range(first, first + len(events)))
        return Batch(f"at {first}", (Slice(topic.name, partition, first, first + len(events), offsets, list(events)),))

    return make


@pytest.fixture
def make_trade() -> Callable[..., Trade]:
    """A trade of binance BTCUSDT; every field can be given."""

    def make(trade_id: int, **fields: Any) -> Trade:
        given = {
            "exchange": "binance",
            "symbol": "BTCUSDT",
            "base": "BTC",
            "quote": "USDT",
            "trade_id": str(trade_id),
            "price": "60000.10",
            "quantity": "0.00100",
            "side": "buy",
            "traded_at_us": AT_US + trade_id,
            "received_at_us": AT_US + trade_id + 5,
        }
        return Trade(**(given | fields))

    return make


@pytest.fixture
def make_ticker() -> Callable[..., Ticker]:
    """A ticker of binance BTCUSDT at a price and time."""

    def make(price: str, event_at_us: int) -> Ticker:
        return Ticker(
            exchange="binance",
            symbol="BTCUSDT",
            base="BTC",
            quote="USDT",
            price=price,
            window="rolling_24h",
            open="1",
            high="3",
            low="1",
            volume_24h="10",
            turnover_24h="20",
            event_at_us=event_at_us,
            received_at_us=event_at_us + 5,
        )

    return make


@pytest.fixture
def make_book() -> Callable[..., OrderBook]:
    """An order book of binance BTCUSDT with a sequence, received at a time."""

    def make(sequence: int, received_at_us: int = AT_US) -> OrderBook:
        return OrderBook(
            exchange="binance",
            symbol="BTCUSDT",
            base="BTC",
            quote="USDT",
            bids=[("1.0", "2")],
            asks=[("1.1", "3")],
            sequence=sequence,
            received_at_us=received_at_us,
        )

    return make
