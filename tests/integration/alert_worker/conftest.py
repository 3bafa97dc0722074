"""A simulated Slack, and the alert worker as a process of its own that can be killed."""

import asyncio
import itertools
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from aiokafka import AIOKafkaProducer

from services.alert_worker.topic_reader import read_topic
from services.simulator.slack.api import SlackApi, SlackFault, SlackLimits
from services.simulator.slack.workspace import Message, Workspace
from shared.clock import now_us
from shared.events import Alert, Candle, Control, DeadLetter, Event, Instrument, Notification, Trade
from shared.kafka import make_producer
from shared.partitioning import partition_of, symbol_key
from shared.settings import KafkaSettings
from shared.topics import ALERTS, CANDLES, CONTROL, DEAD_LETTERS, INSTRUMENTS, NOTIFICATIONS, TRADES
from shared.wire import HEADERS_OF_EVENT, decode, encode


@dataclass
class Slack:
    """The simulated workspace with one channel, and its address."""

    workspace: Workspace
    api: SlackApi
    url: str

    @property
    def messages(self) -> list[Message]:
        return list(self.workspace.channels[0].messages)

    @property
    def parents(self) -> list[Message]:
        return [message for message in self.messages if message.thread_ts is None]

    def fail(self, kind: str, count: int = 1, **details: object) -> None:
        self.api.plan_fault(SlackFault(kind, count, **details))  # type: ignore[arg-type]


@pytest.fixture
async def slack() -> AsyncIterator[Slack]:
    workspace = Workspace(["tapewatch", "ops"])
    api = SlackApi(workspace, SlackLimits(), now_us)
    application = web.Application()
    application.add_routes(api.routes())
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    yield Slack(workspace, api, f"http://{host}:{port}/api/")
    await runner.cleanup()


@dataclass
class Worker:
    """The alert worker's process; `start` again after it ended. `before` is what runs before it, a line of Python."""

    environment: dict[str, str]
    before: str = ""
    process: asyncio.subprocess.Process | None = None
    log: list[bytes] = field(default_factory=list)
    _watching: asyncio.Event = field(default_factory=asyncio.Event)
    _reading: asyncio.Task[None] | None = None

    async def start(self) -> None:
        command = f"{self.before}\nimport sys; from services.alert_worker.app import run; sys.exit(run())"
        environment = {**os.environ, **self.environment}
        self._watching.clear()
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", command, env=environment, stderr=asyncio.subprocess.PIPE
        )
        self._reading = asyncio.create_task(self._read_log(self.process))

    async def watching(self) -> None:
        """Wait until it says that it reads trades."""
        await self._watching.wait()

    def said(self, text: str) -> bool:
        """Whether its log has this by now."""
        return any(text.encode() in line for line in self.log)

    async def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.kill()
        assert await self._ended() == -signal.SIGKILL

    async def ended_by_kill(self) -> None:
        """Wait until it killed itself at a fail-point."""
        assert await self._ended() == -signal.SIGKILL

    async def ended(self) -> int:
        """The exit code, once it ended by itself."""
        return await asyncio.wait_for(self._ended(), 30)

    async def stop(self) -> int:
        """SIGTERM; the exit code."""
        assert self.process is not None
        self.process.terminate()
        return await asyncio.wait_for(self._ended(), 15)

    async def _ended(self) -> int:
        assert self.process is not None
        assert self._reading is not None
        await self._reading
        return await self.process.wait()

    async def _read_log(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        async for line in process.stderr:
            sys.stderr.write(line.decode())
            self.log.append(line)
            if b'"event": "watching"' in line:
                self._watching.set()


@pytest.fixture
async def worker(fresh_topics: KafkaSettings, slack: Slack) -> AsyncIterator[Worker]:
    one = Worker(
        {
            "TAPEWATCH_KAFKA__BOOTSTRAP_SERVERS": fresh_topics.bootstrap_servers,
            "TAPEWATCH_SLACK__BOT_TOKEN": "xoxb-simulated",
            "TAPEWATCH_SLACK__API_URL": slack.url,
            "TAPEWATCH_LOG__FORMAT": "json",
            "TAPEWATCH_ALERTS__GREETING": "false",
            "TAPEWATCH_ALERTS__DAILY_DIGEST": "false",
        }
    )
    yield one
    if one.process is not None and one.process.returncode is None:
        await one.kill()


@pytest.fixture
async def producer(fresh_topics: KafkaSettings) -> AsyncIterator[AIOKafkaProducer]:
    one = make_producer(fresh_topics, "test")
    await one.start()
    yield one
    await one.stop()


Publish = Callable[[Iterable[Trade]], Awaitable[None]]


@pytest.fixture
def publish(producer: AIOKafkaProducer) -> Publish:
    async def publish(trades: Iterable[Trade]) -> None:
        for trade in trades:
            key = symbol_key(trade.exchange, trade.symbol)
            await producer.send(
                TRADES.name, encode(trade), key.encode(), partition_of(key, TRADES.partitions),
                headers=HEADERS_OF_EVENT[Trade],
            )  # fmt: skip
        await producer.flush()

    return publish


@pytest.fixture
def publish_candles(producer: AIOKafkaProducer) -> Callable[[int], Awaitable[None]]:
    """Three hours of quiet minutes of KRW-BTC before a time, newest first, as a producer tells them."""

    async def publish(before_us: int) -> None:
        rng, minute = random.Random(3), before_us // 60_000_000
        for back in range(1, 181):
            price = str(round(130_000_000 * (1 + rng.gauss(0, 0.0003))))
            candle = Candle(
                exchange="upbit", symbol="KRW-BTC", base="BTC", quote="KRW", opened_at_us=(minute - back) * 60_000_000,
                open=price, high=price, low=price, close=price, volume="6", turnover="800000000",
                received_at_us=before_us,
            )  # fmt: skip
            await producer.send(
                CANDLES.name, encode(candle), b"upbit:KRW-BTC", partition_of("upbit:KRW-BTC", CANDLES.partitions),
                headers=HEADERS_OF_EVENT[Candle],
            )  # fmt: skip
        await producer.flush()

    return publish


@pytest.fixture
def publish_instruments(producer: AIOKafkaProducer) -> Callable[..., Awaitable[None]]:
    async def publish(*instruments: Instrument) -> None:
        for one in instruments:
            key = symbol_key(one.exchange, one.symbol).encode()
            await producer.send_and_wait(INSTRUMENTS.name, encode(one), key, headers=HEADERS_OF_EVENT[Instrument])

    return publish


@pytest.fixture
def wish(producer: AIOKafkaProducer) -> Callable[[Control], Awaitable[None]]:
    async def publish(control: Control) -> None:
        await producer.send_and_wait(
            CONTROL.name, encode(control), control.target.encode(), headers=HEADERS_OF_EVENT[Control]
        )

    return publish


@pytest.fixture
def alerts(fresh_topics: KafkaSettings) -> Callable[[], Awaitable[list[Alert]]]:
    async def read() -> list[Alert]:
        return [decode(Alert, record.value) async for record in read_topic(fresh_topics, ALERTS)]

    return read


@pytest.fixture
def notifications(fresh_topics: KafkaSettings) -> Callable[[], Awaitable[list[Notification]]]:
    async def read() -> list[Notification]:
        return [decode(Notification, record.value) async for record in read_topic(fresh_topics, NOTIFICATIONS)]

    return read


@pytest.fixture
def dead_letters(fresh_topics: KafkaSettings) -> Callable[[], Awaitable[list[DeadLetter]]]:
    async def read() -> list[DeadLetter]:
        return [decode(DeadLetter, record.value) async for record in read_topic(fresh_topics, DEAD_LETTERS)]

    return read


@pytest.fixture
def eventually() -> Callable[..., Awaitable[None]]:
    """Wait until a condition holds; the test's own limit ends a wait in vain."""

    async def wait(condition: Callable[[], bool | Awaitable[bool]]) -> None:
        while True:
            held = condition()
            if held if isinstance(held, bool) else await held:
                return
            await asyncio.sleep(0.05)

    return wait


_numbers = itertools.count(1)
_CRASH = ((0.0, 0.0), (2.0, 0.0), (4.0, -5.0), (4.5, -5.0), (6.0, -0.2), (60.0, -0.2))


def _percent_at(at: float) -> float:
    for (from_s, low), (to_s, high) in itertools.pairwise(_CRASH):
        if from_s <= at < to_s:
            return low + (high - low) * (at - from_s) / (to_s - from_s)
    raise ValueError(at)


@pytest.fixture
def crash() -> Callable[..., list[Trade]]:
    """A crash of KRW-BTC by 5 % and its recovery, twenty trades a second; `until` cuts it off, in seconds."""

    def make(began_us: int, from_s: float = 0.0, until_s: float = 12.0) -> list[Trade]:
        return [_trade(began_us, number) for number in range(int(from_s * 20), int(until_s * 20))]

    return make


def _trade(began_us: int, number: int) -> Trade:
    at_us = began_us + number * 50_000
    return Trade(
        exchange="upbit", symbol="KRW-BTC", base="BTC", quote="KRW", trade_id=str(number + 1),
        price=str(round(130_000_000 * (1 + _percent_at(number / 20) / 100))), quantity="0.01", side="buy",
        traded_at_us=at_us, received_at_us=at_us + 12_000,
    )  # fmt: skip


__all__ = ["Event", "Slack", "Worker"]
