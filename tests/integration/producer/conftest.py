"""Producers and a simulated exchange as processes of their own, and what Kafka holds in the end."""

import asyncio
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiokafka.structs import TopicPartition

from services.simulator.app import Simulator, SimulatorOptions
from shared import wire
from shared.events import Event
from shared.kafka import PartitionReader
from shared.settings import KafkaSettings
from shared.topics import TRADES, Topic

TAPEWATCH = [sys.executable, "-c", "from services.cli.main import main; main()"]
BOTH = ("upbit", "binance")
CHANNELS = 3


@dataclass(frozen=True)
class Held:
    """A record as Kafka holds it."""

    partition: int
    offset: int
    key: bytes | None
    event: Any


async def read_topic(kafka: KafkaSettings, topic: Topic) -> list[Held]:
    """Every record of a topic, by partition and offset, header and value checked."""
    reader = PartitionReader(kafka, "test")
    await reader.connect()
    try:
        partitions = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
        starts, ends = await reader.log_starts(partitions), await reader.log_ends(partitions)
        unread = {p for p in partitions if starts[p] < ends[p]}
        held: list[Held] = []
        if unread:
            await reader.start({p: starts[p] for p in unread})
        while unread:
            for partition, records in (await reader.batch(500, 5000)).items():
                for record in records:
                    wire.check_schema(topic.event, record.headers)
                    event: Event = wire.decode(topic.event, record.value)
                    held.append(Held(partition.partition, record.offset, record.key, event))
                if records[-1].offset + 1 >= ends[partition]:
                    unread.discard(partition)
        return sorted(held, key=lambda one: (one.partition, one.offset))
    finally:
        await reader.close()


@dataclass
class Market:
    """The simulated exchanges as a process: `url` their addresses."""

    process: asyncio.subprocess.Process
    url: dict[str, str]
    truth_path: Path
    http: aiohttp.ClientSession

    async def control(self, what: str, **body: Any) -> dict[str, Any]:
        """POST to the simulator's side door."""
        async with self.http.post(f"{self.url['control_url']}/{what}", json=body) as answer:
            found: dict[str, Any] = await answer.json()
            assert answer.status == 200, found
            return found

    async def stop(self) -> list[dict[str, Any]]:
        """Close the market; what was published, in order."""
        await self.control("stop")
        return [json.loads(line) for line in self.truth_path.read_text(encoding="utf-8").splitlines()]


@dataclass
class Field:
    """What a test works with: start things, look into Kafka."""

    kafka: KafkaSettings
    directory: Path
    http: aiohttp.ClientSession
    environment: dict[str, str] = field(default_factory=dict)
    processes: list[asyncio.subprocess.Process] = field(default_factory=list)

    async def market(self, *flags: str, symbols: int = 6, rate: float = 400, expect: int | None = None) -> Market:
        """Start the simulator and point producers to it. It opens when `expect` streams are subscribed."""
        truth = self.directory / "truth.jsonl"
        if expect is None:
            expect = symbols * CHANNELS * len(BOTH)
        arguments = ["--scenario", "calm", "--rate", str(rate), "--symbols", str(symbols), "--expect", str(expect)]
        command = [*TAPEWATCH, "simulator", *arguments, "--seed", "7", "--truth", str(truth), *flags]
        with (self.directory / "simulator.log").open("w") as log:
            process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, stderr=log)
        self.processes.append(process)
        assert process.stdout is not None
        url = json.loads(await process.stdout.readline())
        for exchange in BOTH:
            for kind in ("websocket_url", "rest_url"):
                self.environment[f"TAPEWATCH_{exchange}__{kind}".upper()] = url[f"{exchange}_{kind}"]
        return Market(process, url, truth, self.http)

    async def producer(
        self, exchange: str, *arguments: str, log: str | None = None, **settings: str
    ) -> asyncio.subprocess.Process:
        """Start a producer; settings as ``BINANCE__SYMBOLS="…"``. What it says is in its log."""
        defaults = {
            "KAFKA__BOOTSTRAP_SERVERS": self.kafka.bootstrap_servers,
            "BINANCE__SYMBOLS": "quote:USDT",
            "BINANCE__ORDERBOOK_SYMBOLS": "quote:USDT",
            "UPBIT__ORDERBOOK_SYMBOLS": "quote:KRW",
        }
        chosen = {f"TAPEWATCH_{key}": value for key, value in (defaults | settings).items()}
        environment = {**os.environ, **self.environment, **chosen}
        command = [*TAPEWATCH, "producer", exchange, *arguments]
        with self.log(log or exchange).open("a") as file:
            process = await asyncio.create_subprocess_exec(*command, env=environment, stderr=file)
        self.processes.append(process)
        return process

    def log(self, name: str) -> Path:
        """Where a producer's log goes, by its exchange if no other name was given."""
        return self.directory / f"{name}.log"

    async def until(self, holds: Callable[[], Awaitable[bool]]) -> None:
        """Wait for something to become true; the test's timeout is the limit."""
        while not await holds():  # noqa: ASYNC110  # it happens in another process
            await asyncio.sleep(0.1)

    async def until_more(self, count: int, *exchanges: str, topic: Topic = TRADES) -> None:
        """Wait until Kafka holds so many records more of each of these exchanges than now."""
        before = await self._counts(topic)

        async def enough() -> bool:
            now = await self._counts(topic)
            return all(now[exchange] - before[exchange] >= count for exchange in exchanges or BOTH)

        await self.until(enough)

    async def _counts(self, topic: Topic) -> Counter[str]:
        return Counter(one.event.exchange for one in await read_topic(self.kafka, topic))

    async def held(self, topic: Topic) -> list[Held]:
        """Every record of a topic."""
        return await read_topic(self.kafka, topic)


async def ended(process: asyncio.subprocess.Process, sig: signal.Signals = signal.SIGTERM) -> int:
    """Send a signal and wait for the end; the exit code."""
    process.send_signal(sig)
    return await asyncio.wait_for(process.wait(), 15)


async def _start(kafka: KafkaSettings, directory: Path) -> AsyncIterator[Field]:
    async with aiohttp.ClientSession() as http:
        started = Field(kafka, directory, http)
        yield started
        for process in started.processes:
            if process.returncode is None:
                process.kill()
                await process.wait()


@pytest.fixture
async def field_on(tmp_path: Path) -> AsyncIterator[Callable[[KafkaSettings], Awaitable[Field]]]:
    """``await field_on(kafka)``: a field on a Kafka of the test's own."""
    fields: list[AsyncIterator[Field]] = []

    async def start(kafka: KafkaSettings) -> Field:
        fields.append(_start(kafka, tmp_path))
        return await anext(fields[-1])

    yield start
    for one in fields:
        async for _ in one:
            pass


@pytest.fixture
async def ground(fresh_topics: KafkaSettings, field_on: Callable[[KafkaSettings], Awaitable[Field]]) -> Field:
    """A field on the shared Kafka with empty topics."""
    return await field_on(fresh_topics)


@pytest.fixture
async def simulated() -> AsyncIterator[Callable[..., Awaitable[Simulator]]]:
    """``await simulated(rate=…)``: a simulator in the test's own event loop; it ends with the test."""
    async with AsyncExitStack() as ended:

        async def start(**options: Any) -> Simulator:
            simulator, stop = Simulator(SimulatorOptions(**{"symbols": 2, **options})), asyncio.Event()
            await simulator.start()
            playing = asyncio.create_task(simulator.run(stop))

            async def end() -> None:
                stop.set()
                await playing

            ended.push_async_callback(end)
            return simulator

        yield start


@pytest.fixture
def end_of() -> Callable[..., Awaitable[int]]:
    """``await end_of(process, signal.SIGTERM)``: its exit code."""
    return ended


@dataclass
class Compared:
    """Trades in Kafka against those that the exchanges published."""

    lost: list[dict[str, Any]]
    wrong: list[tuple[str, str, str]]
    out_of_order: list[tuple[str, str]]
    repeated: int

    @property
    def fine(self) -> bool:
        """Nothing lost, wrong or out of order."""
        return not (self.lost or self.wrong or self.out_of_order)


@pytest.fixture
def compare() -> Callable[[Sequence[dict[str, Any]], Sequence[Held]], Compared]:
    """Compare trades exactly, per symbol in order of first occurrence."""

    def compared(truth: Sequence[dict[str, Any]], held: Sequence[Held]) -> Compared:
        published = {_id(t): t for t in truth if t["channel"] == "trade"}
        found = {}
        for one in held:
            found.setdefault((one.event.exchange, one.event.symbol, one.event.trade_id), one.event)
        order = {name: rank for rank, name in enumerate(published)}
        ranks: dict[tuple[str, str], list[int]] = {}
        for name in found:
            if name in order:
                ranks.setdefault(name[:2], []).append(order[name])
        return Compared(
            lost=[t for name, t in published.items() if name not in found],
            wrong=[n for n, t in published.items() if n in found and _facts(t) != _facts_of(found[n])]
            + [n for n in found if n not in published],
            out_of_order=[symbol for symbol, numbers in ranks.items() if numbers != sorted(numbers)],
            repeated=len(held) - len(found),
        )

    return compared


def _id(line: dict[str, Any]) -> tuple[str, str, str]:
    return line["exchange"], line["symbol"], line["trade_id"]


def _facts(line: dict[str, Any]) -> tuple[Decimal, Decimal, str, int]:
    return Decimal(line["price"]), Decimal(line["quantity"]), line["side"], line["traded_at_us"]


def _facts_of(trade: Any) -> tuple[Decimal, Decimal, str, int]:
    return Decimal(trade.price), Decimal(trade.quantity), trade.side, trade.traded_at_us


def explained(lost: dict[str, Any], feed: Sequence[Held]) -> bool:
    """Whether some gap says that this trade may be missing."""
    return any(
        gap.event.kind == "gap"
        and gap.event.exchange == lost["exchange"]
        and (gap.event.symbols is None or lost["symbol"] in gap.event.symbols)
        and gap.event.from_us <= lost["published_at_us"] <= gap.event.to_us
        for gap in feed
    )


@pytest.fixture
def unexplained() -> Callable[..., list[dict[str, Any]]]:
    """Those of the lost trades that no gap names."""
    return lambda lost, feed: [one for one in lost if not explained(one, feed)]


@pytest.fixture
def monotonic() -> Callable[[], float]:
    """Seconds, never back."""
    return time.monotonic
