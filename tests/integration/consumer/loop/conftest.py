"""A tape that a test writes itself, and real consumer processes that read it into a real Redis."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.structs import TopicPartition
from redis.asyncio import Redis

from shared.events import Event, Ticker, Trade
from shared.kafka import PartitionReader, create_topics, make_producer
from shared.partitioning import partition_of, symbol_key
from shared.settings import KafkaSettings, RedisSettings
from shared.topics import TOPIC_BY_NAME, TRADES, Topic
from shared.wire import HEADERS_OF_EVENT, decode, encode

AT_US = 1_790_000_000_000_000
SYMBOLS = tuple(("binance" if i % 2 else "upbit", f"S{i}") for i in range(12))


@dataclass
class Tape:
    """Kafka's side: what was published, by symbol in its order."""

    kafka: KafkaSettings
    producer: AIOKafkaProducer
    published: dict[tuple[str, str], list[int]] = field(default_factory=lambda: {key: [] for key in SYMBOLS})

    async def trades(self, count: int) -> None:
        """Publish `count` more trades in turn over the symbols, ids rising; every fiftieth comes twice."""
        sent = []
        done = sum(map(len, self.published.values()))
        for i in range(done, done + count):
            key = SYMBOLS[i % len(SYMBOLS)]
            self.published[key].append(i)
            event = trade(key, i)
            sent += [await self.send(event) for _ in range(2 if i % 50 == 0 else 1)]
        await asyncio.gather(*sent)

    async def send(self, event: Trade | Ticker, topic: Topic = TRADES) -> Any:
        """Publish one event; gives a future for its acknowledgement."""
        key = symbol_key(event.exchange, event.symbol)
        partition = partition_of(key, topic.partitions)
        headers = HEADERS_OF_EVENT[type(event)]
        return await self.producer.send(topic.name, encode(event), key.encode(), partition, headers=headers)

    async def raw(self, value: bytes, partition: int = 0, schema: bytes | None = b"trade/1") -> int:
        """Publish any bytes as a trade; returns their offset."""
        headers = [] if schema is None else [("schema", schema)]
        sent = await self.producer.send_and_wait(TRADES.name, value, partition=partition, headers=headers)
        return int(sent.offset)

    async def make_anew(self) -> None:
        """Delete the topic of trades with all that is on it, and make it again."""
        await self.producer.flush()
        admin = AIOKafkaAdminClient(bootstrap_servers=self.kafka.bootstrap_servers)
        await admin.start()
        try:
            await admin.delete_topics([TRADES.name])
            while TRADES.name in await admin.list_topics():
                pass
            await create_topics(self.kafka)
        finally:
            await admin.close()

    async def delete_before(self, offsets: dict[TopicPartition, int]) -> None:
        """Let Kafka delete what lies before these offsets, as retention does."""
        await self.producer.flush()
        admin = AIOKafkaAdminClient(bootstrap_servers=self.kafka.bootstrap_servers)
        await admin.start()
        try:
            await admin.delete_records({place: RecordsToDelete(offset) for place, offset in offsets.items()})
        finally:
            await admin.close()

    async def until_committed(self, group: str) -> None:
        """Return once Kafka was told that all trades are stored."""
        partitions = [TopicPartition(TRADES.name, number) for number in range(TRADES.partitions)]
        reader = PartitionReader(self.kafka, "test", group_id=group)
        try:
            await reader.connect()
            ends = await reader.log_ends(partitions)
            while await reader.advised(partitions) != ends:  # noqa: ASYNC110  Kafka tells nobody
                await asyncio.sleep(0.1)
        finally:
            await reader.close()

    async def read(self, topic: Topic) -> list[Event]:
        """Everything that is on the first partition of a topic."""
        partition = TopicPartition(topic.name, 0)
        reader = PartitionReader(self.kafka, "test")
        try:
            await reader.connect()
            start, end = (
                (await reader.log_starts([partition]))[partition],
                (await reader.log_ends([partition]))[partition],
            )
            await reader.start({partition: start})
            events: list[Event] = []
            while start + len(events) < end:
                for records in (await reader.batch(1000, 1000)).values():
                    events += [decode(TOPIC_BY_NAME[topic.name].event, record.value) for record in records]
            return events
        finally:
            await reader.close()


def trade(key: tuple[str, str], trade_id: int) -> Trade:
    return Trade(
        exchange=key[0],
        symbol=key[1],
        base=key[1],
        quote="KRW",
        trade_id=str(trade_id),
        price="100.5",
        quantity="1",
        side="buy",
        traded_at_us=AT_US + trade_id,
        received_at_us=AT_US + trade_id,
    )


@pytest.fixture
async def tape(fresh_topics: KafkaSettings) -> AsyncIterator[Tape]:
    producer = make_producer(fresh_topics, "test")
    await producer.start()
    yield Tape(fresh_topics, producer)
    await producer.stop()


@dataclass
class Cache:
    """Redis' side: how consumers log in, and a client of ours that may do everything."""

    settings: RedisSettings
    client: "Redis"

    async def held(self) -> dict[tuple[str, str], list[int]]:
        """Trade ids by symbol, in the order of the streams."""
        found = {}
        for key in SYMBOLS:
            entries = await self.client.xrange("trades:{}:{}".format(*key))
            found[key] = [int(fields[b"trade_id"]) for _, fields in entries]
        return found

    async def until_there(self, *keys: str) -> None:
        """Return once Redis has every one of the keys."""
        there = 0
        while there < len(keys):
            await asyncio.sleep(0.02)
            there = await self.client.exists(*keys)

    async def until_newest(self, event_at_us: dict[str, bytes]) -> None:
        """Return once every ticker is the one of that time, by key."""
        found: dict[str, bytes | None] = {}
        while found != event_at_us:
            await asyncio.sleep(0.02)
            found = {key: await self.client.hget(key, "event_at_us") for key in event_at_us}

    async def until_holding(self, expected: dict[tuple[str, str], list[int]]) -> None:
        """Return once as many trades are there as expected; the comparison of which is the test's."""
        wanted = sum(map(len, expected.values()))
        held = 0
        while held < wanted:
            await asyncio.sleep(0.02)
            held = sum([await self.client.xlen("trades:{}:{}".format(*key)) for key in SYMBOLS])


@pytest.fixture
async def cache(
    fresh_redis: RedisSettings, redis_user: Callable[..., Awaitable[RedisSettings]]
) -> AsyncIterator[Cache]:
    client = Redis.from_url(fresh_redis.url.get_secret_value())
    yield Cache(await redis_user(fresh_redis, "writer"), client)
    await client.aclose()


class ConsumerProcess:
    """One ``tapewatch consumer …``."""

    def __init__(self, argv: Sequence[str], environ: dict[str, str], log: Path) -> None:
        self.log = log
        with log.open("wb") as stderr:
            self._process = subprocess.Popen(argv, env=os.environ | environ, stderr=stderr)

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        self._process.send_signal(number)

    async def ended(self) -> int:
        """Its exit code, once it ended."""
        return await asyncio.to_thread(self._process.wait, 30)

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def said(self) -> list[dict[str, Any]]:
        """Its log so far. A line that is no JSON is the last word to a person, as {"event": line}."""
        lines = self.log.read_text().splitlines()
        return [json.loads(line) if line.startswith("{") else {"event": line} for line in lines]

    async def until_said(self, event: str, times: int = 1) -> dict[str, Any]:
        """The log line with this event, once it came so often; fails when the process ends without it."""
        while True:
            found = [line for line in self.said() if event in line["event"]]
            if len(found) >= times:
                return found[times - 1]
            assert self.running, self.log.read_text()
            await asyncio.sleep(0.02)


StartConsumer = Callable[..., ConsumerProcess]


@pytest.fixture
def start_consumer(tape: Tape, cache: Cache, tmp_path: Path) -> Iterator[StartConsumer]:
    """``start_consumer("--shard", "0/2", sink="redis", SETTING="…")`` starts one; all are gone after the test."""
    started: list[ConsumerProcess] = []
    environ = {
        "TAPEWATCH_KAFKA__BOOTSTRAP_SERVERS": tape.kafka.bootstrap_servers,
        "TAPEWATCH_REDIS__URL": cache.settings.url.get_secret_value(),
        "TAPEWATCH_LOG__FORMAT": "json",
        "TAPEWATCH_LOG__BATCH_JOURNAL": str(tmp_path / "journal"),
        "TAPEWATCH_START__WAIT_S": "1",
    }

    def start(*arguments: str, sink: str = "redis", **settings: str) -> ConsumerProcess:
        command = str(Path(sys.executable).with_name("tapewatch"))
        given = environ | {f"TAPEWATCH_{name}": value for name, value in settings.items()}
        log = tmp_path / f"consumer-{len(started)}.log"
        started.append(ConsumerProcess([command, "consumer", sink, *arguments], given, log))
        return started[-1]

    yield start
    for process in started:
        if process.running:
            process.kill(signal.SIGKILL)
            process._process.wait(10)
