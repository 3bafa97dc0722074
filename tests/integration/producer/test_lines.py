"""One line to an exchange, without Kafka: what keeps it, what ends it, and what is told of its end."""

import asyncio
import json
import random
import time
from base64 import b64decode
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import pytest
from websockets.asyncio.server import ServerConnection, serve

from services.producer import backoff
from services.producer.backoff import FIRST_S, Uniform
from services.producer.exchanges import ADAPTERS
from services.producer.exchanges.base import MAX_FRAME_BYTES, TOO_LARGE, AdapterOptions, Listing, Stream
from services.producer.feed import Feed
from services.producer.lanes import Lanes
from services.producer.plan import Connection
from services.producer.publisher import Publisher
from services.producer.session import Means
from services.producer.tokens import Budget
from services.simulator.app import Simulator
from services.simulator.binance.socket import BinanceLimits
from services.simulator.upbit.socket import UpbitLimits
from shared.clock import now_us
from shared.events import DeadLetter, Event, FeedEvent
from shared.metrics import INVALID_FRAMES
from shared.wire import decode

SYMBOLS = {"upbit": ("KRW-BTC", "KRW-ETH"), "binance": ("BTCUSDT", "ETHUSDT")}
AnyEvent = TypeVar("AnyEvent", bound=Event)
Simulate = Callable[..., Awaitable[Simulator]]


@dataclass
class Line:
    """A feed, and what it has handed over to be published."""

    feed: Feed
    lanes: Lanes

    def told(self, kind: type[AnyEvent]) -> list[AnyEvent]:
        return [decode(kind, value) for lane in self.lanes.of(kind) for _, value in lane.waiting]

    def kinds(self) -> list[str]:
        return [event.kind for event in self.told(FeedEvent)]

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait for something to become true; the test's timeout is the limit."""
        while not holds():  # noqa: ASYNC110  # no event says so
            await asyncio.sleep(0.02)


Listen = Callable[..., Line]


@pytest.fixture
async def listen() -> AsyncIterator[Listen]:
    """``listen(simulator, "upbit", …)``: trades of both symbols on one line, with another conduct where it says so."""
    feeds: dict[Feed, asyncio.Task[None]] = {}

    def begin(where: Simulator | str, exchange: str, uniform: Uniform = random.uniform, **conduct: Any) -> Line:
        url = where if isinstance(where, str) else where.addresses()[f"{exchange}_websocket_url"]
        listings = {symbol: Listing(symbol, symbol, symbol) for symbol in SYMBOLS[exchange]}
        adapter = ADAPTERS[exchange](AdapterOptions(url, listings))
        adapter.conduct = replace(adapter.conduct, **conduct)
        lanes = Lanes()
        publisher = Publisher(lambda: pytest.fail("nobody connects"), exchange, 5, now_us, lanes)
        work = Connection("a-line", exchange, tuple(Stream("trade", symbol) for symbol in SYMBOLS[exchange]))
        means = Means(adapter, publisher, now_us, time.monotonic, Budget([]), uniform=uniform)
        feed = Feed(work, means, {}, 0)
        feeds[feed] = asyncio.create_task(feed.run())
        return Line(feed, lanes)

    yield begin
    for feed, running in feeds.items():
        await feed.hang_up()
        await running


@pytest.mark.parametrize("exchange", SYMBOLS)
async def test_a_frame_longer_than_we_read_is_counted_and_kept_as_a_letter_and_a_gap(
    simulated: Simulate, listen: Listen, exchange: str
) -> None:
    simulator = await simulated()
    line = listen(simulator, exchange)
    await line.until(lambda: line.feed.is_up)
    before = INVALID_FRAMES.labels(exchange)._value.get()
    for connection in simulator.connections(exchange):
        connection.tell(b"[" + b"1," * MAX_FRAME_BYTES + b"1]")
    await line.until(lambda: line.kinds().count("connected") == 2)
    assert INVALID_FRAMES.labels(exchange)._value.get() == before + 1
    [letter] = line.told(DeadLetter)
    assert (letter.reason, letter.connection, b64decode(letter.payload)) == (TOO_LARGE, "a-line", b"")
    assert letter.payload_bytes > MAX_FRAME_BYTES, "so that nobody takes the empty letter for the whole frame"
    assert line.kinds() == ["connected", "disconnected", "gap", "connected"]
    gap = line.told(FeedEvent)[2]
    assert gap.reason == f"connection lost: a frame {TOO_LARGE}"
    assert sorted(gap.symbols or ()) == sorted(SYMBOLS[exchange])


@pytest.mark.parametrize(("frames", "grows"), [(1, True), (6, False)])
async def test_a_line_is_well_again_once_data_came_for_a_while_and_not_when_it_only_stood(
    listen: Listen, monkeypatch: pytest.MonkeyPatch, frames: int, grows: bool
) -> None:
    monkeypatch.setattr(backoff, "HEALTHY_AFTER_S", 1.0)
    limits_s: list[float] = []

    def at_once(low: float, high: float) -> float:
        limits_s.extend([high] if low == 0 else [])
        return low

    async def stand_for_a_while(client: ServerConnection) -> None:
        await client.recv()
        await client.send('{"result":null,"id":1}')
        for number in range(6):
            if number < frames:
                data = {"e": "trade", "s": "BTCUSDT", "t": number, "p": "1", "q": "1", "T": 1, "m": False}
                await client.send(json.dumps({"stream": "btcusdt@trade", "data": data}))
            await asyncio.sleep(0.6)

    async with serve(stand_for_a_while, "127.0.0.1", 0) as server:
        host, port = next(iter(server.sockets)).getsockname()[:2]
        line = listen(f"ws://{host}:{port}", "binance", at_once)
        await line.until(lambda: len(limits_s) >= 2)
    assert limits_s[:2] == [FIRST_S, 2 * FIRST_S if grows else FIRST_S]


async def test_a_quiet_line_to_upbit_is_kept_by_words(simulated: Simulate, listen: Listen) -> None:
    limits = UpbitLimits(idle_s=1, snapshot_after_s=(0.01, 0.02))
    simulator = await simulated(upbit_limits=limits)
    line = listen(simulator, "upbit", text_ping_s=0.3)
    await line.until(lambda: line.feed.is_up)
    simulator.player.pause()
    standing = simulator.connections("upbit")
    await asyncio.sleep(3 * limits.idle_s)
    assert simulator.connections("upbit") == standing
    assert line.kinds() == ["connected"]


async def test_binances_pings_are_answered(simulated: Simulate, listen: Listen) -> None:
    limits = BinanceLimits(ping_every_s=0.4, pong_within_s=0.8)
    simulator = await simulated(binance_limits=limits)
    line = listen(simulator, "binance")
    await line.until(lambda: line.feed.is_up)
    simulator.player.pause()
    standing = simulator.connections("binance")
    await asyncio.sleep(3 * limits.pong_within_s)
    assert simulator.connections("binance") == standing
    assert line.kinds() == ["connected"]


async def test_no_line_names_an_origin(simulated: Simulate, listen: Listen) -> None:
    simulator = await simulated(upbit_limits=UpbitLimits(origin_every_s=3600))
    lines = [listen(simulator, "upbit") for _ in range(2)]
    for line in lines:
        await line.until(lambda line=line: line.feed.is_up)
    assert [line.feed.last_ending for line in lines] == ["", ""], "the second would have got HTTP 429"
