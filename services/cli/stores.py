"""How far Kafka and the two stores are, and what they last took in."""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass

import asyncpg
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition
from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.cli.status.state import Stream
from services.consumer.sinks.postgres_sink import PostgresSink
from services.consumer.sinks.redis_connection import reason
from services.consumer.sinks.redis_positions import TALLY_KEY, TALLY_KINDS
from services.consumer.sinks.redis_sink import RedisSink
from services.reconcile.latency import Partition
from shared import canary
from shared.connections import OPTIONS
from shared.errors import Unreachable, WrongUse
from shared.events import Alert, Notification
from shared.kafka import client_options, know_topics
from shared.partitioning import partition_of, symbol_key
from shared.settings import Settings
from shared.topics import ALERTS, NOTIFICATIONS, TOPICS, TRADES, Topic
from shared.wire import decode

# Only the last minutes are looked at: a day has millions of trades.
_NEWEST = """
    SELECT i.exchange, (extract(epoch FROM max(t.received_at)) * 1000000)::bigint
    FROM trade t JOIN instrument i ON i.id = t.instrument_id
    WHERE t.traded_at > (SELECT max(opened_at) - interval '10 minutes' FROM candle_1m)
    GROUP BY i.exchange
"""
_BATCHES = "SELECT coalesce(sum(batches), 0)::bigint, coalesce(sum(unacknowledged), 0)::bigint FROM sink_position"
_CONNECT_S = 5
Positions = dict[Partition, int]
TOPICS_OF_SINK: Mapping[str, Sequence[Topic]] = {"redis": RedisSink.topics, "postgres": PostgresSink.topics}
_POSITIONS = "SELECT topic, partition, next_offset FROM sink_position WHERE next_offset IS NOT NULL"


@dataclass(frozen=True)
class NewTrade:
    """One entry of a stream in Redis: where it lay in Kafka, when we received it."""

    partition: Partition
    offset: int
    received_at_us: int
    price: str


@dataclass(frozen=True)
class Batches:
    """What a store counted of the batches that it was given, over all restarts."""

    acknowledged: int
    unacknowledged: int


@dataclass(frozen=True)
class Progress:
    """The ends of Kafka's partitions, and the next offset of each partition by sink."""

    ends: Positions
    of_sink: Mapping[str, Positions]

    def held(self, topic: Topic) -> int:
        """The sum of a topic's ends."""
        return sum(end for place, end in self.ends.items() if place[0] == topic.name)

    def behind(self, sink: str, topic: Topic) -> int:
        """Records of a topic that a sink has not taken yet."""
        here = self.of_sink[sink]
        return sum(max(0, end - here.get(place, 0)) for place, end in self.ends.items() if place[0] == topic.name)

    def position(self, sink: str, topic: Topic) -> int:
        """The sum of a sink's positions in a topic."""
        return sum(here for place, here in self.of_sink[sink].items() if place[0] == topic.name)

    def behind_in_all(self, sink: str) -> int:
        """The same for all topics that the sink reads."""
        return sum(self.behind(sink, topic) for topic in TOPICS_OF_SINK[sink])


@contextmanager
def told() -> Iterator[None]:
    """Turn what stores say when they are away, or empty, into one line each. Raises Unreachable or WrongUse."""
    try:
        yield
    except asyncpg.UndefinedTableError:
        raise WrongUse("PostgreSQL has no tables of ours yet: run `tapewatch db migrate`") from None
    except RedisError as error:
        raise Unreachable(f"Redis: {reason(error)}; is TAPEWATCH_REDIS__URL right?") from None
    except (OSError, ValueError, asyncpg.PostgresError) as error:
        raise Unreachable(
            f"PostgreSQL: {str(error) or 'no answer in time'}; is TAPEWATCH_POSTGRES__DSN right?"
        ) from None


class Stores:
    """Connections to Kafka, Redis and Postgres that only look."""

    def __init__(self, kafka: AIOKafkaConsumer, redis: "Redis", postgres: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._kafka = kafka
        self._redis = redis
        self._postgres = postgres

    @classmethod
    @asynccontextmanager
    async def connect(cls, settings: Settings) -> AsyncIterator["Stores"]:
        """Connect to all three, and follow alerts from here on. Raises Unreachable."""
        async with cls.prepare(settings) as stores:
            with told():
                await stores._redis.ping()
                await stores._postgres.fetchval("SELECT 1")
            await stores.connect_kafka()
            stores._kafka.assign([TopicPartition(topic.name, 0) for topic in (ALERTS, NOTIFICATIONS)])
            await stores._kafka.seek_to_end()
            yield stores

    @classmethod
    @asynccontextmanager
    async def prepare(cls, settings: Settings) -> AsyncIterator["Stores"]:
        """Connect to each store once it is asked something, and to Kafka by `connect_kafka`. Raises Unreachable."""
        dsn, url = settings.postgres.dsn.get_secret_value(), settings.redis.url.get_secret_value()
        async with AsyncExitStack() as at_end:
            with told():
                redis = await at_end.enter_async_context(
                    Redis.from_url(
                        url,
                        socket_timeout=30,
                        socket_connect_timeout=_CONNECT_S,
                        socket_keepalive_options=OPTIONS,
                        decode_responses=True,
                    )
                )
                postgres = await at_end.enter_async_context(
                    asyncpg.create_pool(dsn, min_size=0, max_size=1, timeout=_CONNECT_S, command_timeout=30)
                )
            kafka = AIOKafkaConsumer(
                **client_options(settings.kafka, "look"), auto_offset_reset="latest", enable_auto_commit=False
            )
            at_end.push_async_callback(kafka.stop)
            yield cls(kafka, redis, postgres)

    async def connect_kafka(self) -> None:
        """Before anything is asked that Kafka knows. Raises KafkaError."""
        await self._kafka.start()

    async def progress(self) -> Progress:
        """Positions first, then Kafka's ends, so that nobody seems ahead of Kafka or done too early."""
        of_sink = {sink: await self.positions(sink) for sink in TOPICS_OF_SINK}
        return Progress(await self.ends(TOPICS), of_sink)

    async def ends(self, topics: Iterable[Topic]) -> Positions:
        """Offset of the next record to come, by partition."""
        partitions = [TopicPartition(topic.name, number) for topic in topics for number in range(topic.partitions)]
        await know_topics(self._kafka, partitions)
        return {(p.topic, p.partition): end for p, end in (await self._kafka.end_offsets(partitions)).items()}

    async def positions(self, sink: str) -> Positions:
        """Offset of the next record that a sink will store, by partition."""
        return await (self._redis_positions() if sink == "redis" else self._postgres_positions())

    async def news(self) -> tuple[list[Alert], list[Notification]]:
        """Alerts and receipts since the last call."""
        alerts, receipts = [], []
        for partition, records in (await self._kafka.getmany(timeout_ms=0)).items():
            for record in records:
                if partition.topic == ALERTS.name:
                    alert = decode(Alert, record.value)
                    alerts += [alert] if alert.exchange != canary.EXCHANGE else []
                elif record.value is not None:
                    receipts.append(decode(Notification, record.value))
        return alerts, receipts

    async def newest_trades(self, symbols: Sequence[tuple[str, str]], count: int) -> list[list[NewTrade]]:
        """The last `count` trades of each (exchange, symbol) in Redis, newest first."""
        pipe = self._redis.pipeline(transaction=False)
        for exchange, symbol in symbols:
            pipe.xrevrange(f"trades:{exchange}:{symbol}", count=count)
        found = await pipe.execute()
        return [
            [_new_trade(place, entry_id, fields) for entry_id, fields in entries]
            for place, entries in zip(map(_place, symbols), found, strict=True)
        ]

    async def busiest(self) -> list[tuple[str, str]]:
        """Every (exchange, symbol) of which Redis holds trades, most trades first."""
        keys = [str(key) async for key in self._redis.scan_iter("trades:*", count=1_000)]
        pipe = self._redis.pipeline(transaction=False)
        for key in keys:
            pipe.xlen(key)
        by_length = sorted(zip(await pipe.execute(), keys, strict=True), reverse=True)
        return [(exchange, symbol) for _, key in by_length for _, exchange, symbol in [key.split(":", 2)]]

    async def streams(self) -> list[Stream]:
        """Every market of which Redis holds trades."""
        return await read_streams(self._redis)

    async def newest_in_postgres_us(self) -> dict[str, int]:
        """When the newest trade of each exchange was received; exchanges without a trade are left out."""
        return {str(row[0]): int(row[1]) for row in await self._postgres.fetch(_NEWEST)}

    async def batches(self, sink: str) -> Batches:
        """What came of all batches of a sink."""
        if sink == "postgres":
            [counts] = await self._postgres.fetch(_BATCHES)
            return Batches(*counts)
        counted = (await self._redis.hgetall(TALLY_KEY)).items()
        return Batches(*(sum(int(n) for name, n in counted if str(name).startswith(kind)) for kind in TALLY_KINDS))

    async def _redis_positions(self) -> Positions:
        found: Positions = {}
        for topic in TOPICS_OF_SINK["redis"]:
            for partition, position in (await self._redis.hgetall(f"position:{topic.name}")).items():
                next_offset = str(position).split(" ")[0]
                if next_offset != "-":
                    found[topic.name, int(partition)] = int(next_offset)
        return found

    async def _postgres_positions(self) -> Positions:
        return {(topic, partition): here for topic, partition, here in await self._postgres.fetch(_POSITIONS)}


async def read_streams(redis: "Redis") -> list[Stream]:
    """Every market of which Redis holds trades."""
    keys = [str(key) async for key in redis.scan_iter("trades:*", count=1_000)]
    pipe = redis.pipeline(transaction=False)
    for key in keys:
        pipe.xlen(key)
        pipe.xrange(key, count=1)
        pipe.xrevrange(key, count=1)
    found = await pipe.execute()
    return [
        Stream(exchange, symbol, length, _received_at_us(oldest), _received_at_us(newest))
        for key, length, oldest, newest in zip(keys, found[::3], found[1::3], found[2::3], strict=True)
        for _, exchange, symbol in [key.split(":", 2)]
        if oldest and newest  # it may have run out since
    ]


def _place(symbol: tuple[str, str]) -> Partition:
    return TRADES.name, partition_of(symbol_key(*symbol), TRADES.partitions)


def _new_trade(place: Partition, entry_id: str, fields: Mapping[str, str]) -> NewTrade:
    offset = int(entry_id.split("-")[1])
    return NewTrade(place, offset, int(fields["received_at_us"]), fields["price"])


def _received_at_us(entries: Sequence[tuple[str, Mapping[str, str]]]) -> int:
    [(_, fields)] = entries
    return int(fields["received_at_us"])
