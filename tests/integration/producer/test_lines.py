"""One line to an exchange, without Kafka: what keeps it, what ends it, and what is told of its end."""

import asyncio
import time
from base64 import b64decode
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import pytest

from services.producer.exchanges import ADAPTERS
from services.producer.exchanges.base import MAX_FRAME_BYTES, TOO_LARGE, AdapterOptions, Listing, Stream
from services.producer.feed import Feed
from services.producer.lanes import Lanes
from services.producer.plan import Connection
from services.producer.publisher import Publisher
from services.producer.session import Means
from services.producer.tokens import Budget
from services.simulator.app import Simulator
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

    def begin(simulator: Simulator, exchange: str, **conduct: Any) -> Line:
        listings = {symbol: Listing(symbol, symbol, symbol) for symbol in SYMBOLS[exchange]}
        adapter = ADAPTERS[exchange](AdapterOptions(simulator.addresses()[f"{exchange}_websocket_url"], listings))
        adapter.conduct = replace(adapter.conduct, **conduct)
        lanes = Lanes()
        publisher = Publisher(lambda: pytest.fail("nobody connects"), exchange, 5, now_us, lanes)
        work = Connection("a-line", exchange, tuple(Stream("trade", symbol) for symbol in SYMBOLS[exchange]))
        feed = Feed(work, Means(adapter, publisher, now_us, time.monotonic, Budget([])), {}, 0)
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
