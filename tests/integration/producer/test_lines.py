"""One line to an exchange, without Kafka: what keeps it, what ends it, and what is told of its end."""

import asyncio
import json
import random
import time
from base64 import b64decode
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from http import HTTPStatus
from typing import Any, TypeVar, cast

import pytest
import structlog
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from services.producer import backoff, gaps, session, standing, symbol_watch
from services.producer import feed as feed_module
from services.producer.backoff import FIRST_S, Uniform
from services.producer.exchanges import ADAPTERS
from services.producer.exchanges.base import MAX_FRAME_BYTES, TOO_LARGE, AdapterOptions, Listing, Stream
from services.producer.feed import Feed
from services.producer.lanes import Lanes, Place
from services.producer.plan import Connection
from services.producer.publisher import Publisher
from services.producer.rest import Rest
from services.producer.session import Means
from services.producer.stalls import Stalls
from services.producer.standing import tell_standing
from services.producer.symbol_watch import watch_symbols
from services.producer.tokens import Budget
from services.simulator.app import Simulator
from services.simulator.binance.socket import BinanceLimits
from services.simulator.upbit.socket import UpbitLimits
from shared.clock import now_us
from shared.events import DeadLetter, Event, FeedEvent, Trade
from shared.metrics import CONNECTIONS_LOST, INVALID_FRAMES
from shared.wire import decode

SYMBOLS = {"upbit": ("KRW-BTC", "KRW-ETH"), "binance": ("BTCUSDT", "ETHUSDT")}
AnyEvent = TypeVar("AnyEvent", bound=Event)
Simulate = Callable[..., Awaitable[Simulator]]


@dataclass
class Line:
    """A feed, and what it has handed over to be published; Kafka takes its trades while a test waits for something."""

    feed: Feed
    lanes: Lanes
    publisher: Publisher
    kafka_takes: bool = True

    def told(self, kind: type[AnyEvent]) -> list[AnyEvent]:
        return [decode(kind, value) for lane in self.lanes.of(kind) for _, value in lane.waiting]

    def kinds(self) -> list[str]:
        return [event.kind for event in self.told(FeedEvent)]

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait for something to become true; the test's timeout is the limit."""
        while not holds():
            if self.kafka_takes:
                self.acknowledge()
            await asyncio.sleep(0.02)

    def acknowledge(self) -> None:
        """Kafka has all trades that came."""
        for lane in self.lanes.of(Trade):
            lane.take(len(lane.waiting))
            self.lanes.acknowledged(lane)
        self.publisher._settled.set()


Listen = Callable[..., Line]


@pytest.fixture
async def listen() -> AsyncIterator[Listen]:
    """``listen(simulator, "upbit", …)``: trades of both symbols on one line, with another conduct where it says so."""
    feeds: dict[Feed, asyncio.Task[None]] = {}

    def begin(
        where: Simulator | str,
        exchange: str,
        uniform: Uniform = random.uniform,
        heard_until_us: Mapping[str, int] | None = None,
        **conduct: Any,
    ) -> Line:
        url = where if isinstance(where, str) else where.addresses()[f"{exchange}_websocket_url"]
        listings = {symbol: Listing(symbol, symbol, symbol) for symbol in SYMBOLS[exchange]}
        adapter = ADAPTERS[exchange](AdapterOptions(url, listings))
        adapter.conduct = replace(adapter.conduct, **conduct)
        lanes = Lanes()
        publisher = Publisher(lambda: pytest.fail("nobody connects"), exchange, 5, now_us, lanes)
        work = Connection("a-line", exchange, tuple(Stream("trade", symbol) for symbol in SYMBOLS[exchange]))
        means = Means(adapter, publisher, now_us, time.monotonic, Budget([]), uniform=uniform)
        feed = Feed(work, means, heard_until_us or {}, 0)
        feeds[feed] = asyncio.create_task(feed.run())
        return Line(feed, lanes, publisher)

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


async def assert_a_quiet_line_stands(simulator: Simulator, line: Line, exchange: str, for_s: float) -> None:
    await line.until(lambda: line.feed.is_up)
    simulator.player.pause()
    connections = simulator.connections(exchange)
    await asyncio.sleep(for_s)
    assert simulator.connections(exchange) == connections
    assert line.kinds() == ["connected"]


async def test_a_quiet_line_to_upbit_is_kept_by_words(simulated: Simulate, listen: Listen) -> None:
    limits = UpbitLimits(idle_s=1, snapshot_after_s=(0.01, 0.02))
    simulator = await simulated(upbit_limits=limits)
    line = listen(simulator, "upbit", text_ping_s=0.3)
    await assert_a_quiet_line_stands(simulator, line, "upbit", 3 * limits.idle_s)


async def test_binances_pings_are_answered(simulated: Simulate, listen: Listen) -> None:
    limits = BinanceLimits(ping_every_s=0.4, pong_within_s=0.8)
    simulator = await simulated(binance_limits=limits)
    line = listen(simulator, "binance")
    await assert_a_quiet_line_stands(simulator, line, "binance", 3 * limits.pong_within_s)


async def test_no_line_names_an_origin(simulated: Simulate, listen: Listen) -> None:
    simulator = await simulated(upbit_limits=UpbitLimits(origin_every_s=3600))
    lines = [listen(simulator, "upbit") for _ in range(2)]
    for line in lines:
        await line.until(lambda line=line: line.feed.is_up)
    assert [line.feed.last_ending for line in lines] == ["", ""], "the second would have got HTTP 429"


@dataclass
class Exchange:
    """A Binance that says to each connection, by its number from 0 on, what the test wants."""

    address: str = ""
    says: list[list[str]] = field(default_factory=list)
    connections: int = 0
    client: ServerConnection | None = None
    bans_s: int = 0
    refused: int = 0

    def answer(self, client: ServerConnection, _: Request) -> Response | None:
        if not self.bans_s:
            return None
        self.refused += 1
        banned = client.respond(HTTPStatus.IM_A_TEAPOT, "")
        banned.headers["Retry-After"] = str(self.bans_s)
        return banned

    async def serve(self, client: ServerConnection) -> None:
        await client.recv()
        number, self.connections, self.client = self.connections, self.connections + 1, client
        for frame in self.says[number]:
            await client.send(frame)
        await client.wait_closed()


CONFIRMED = '{"result":null,"id":1}'
CLOSING = '{"e":"serverShutdown","E":1770123456789}'


def trade_of(symbol: str, number: int, before_s: int = 0) -> str:
    at_ms = now_us() // 1000 - 1000 * before_s
    data = {"e": "trade", "s": symbol, "t": number, "p": "1", "q": "1", "T": at_ms, "m": False}
    return json.dumps({"stream": f"{symbol.lower()}@trade", "data": data})


@pytest.fixture
async def scripted(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Exchange]:
    monkeypatch.setattr(feed_module, "OVERLAP_S", 0.0)
    exchange = Exchange()
    async with serve(exchange.serve, "127.0.0.1", 0, process_request=exchange.answer) as server:
        host, port = next(iter(server.sockets)).getsockname()[:2]
        exchange.address = f"ws://{host}:{port}"
        yield exchange


async def test_one_that_was_replaced_before_it_was_confirmed_leaves_its_gap_to_its_successor(
    scripted: Exchange, listen: Listen
) -> None:
    scripted.says = [[CLOSING], [CONFIRMED]]
    line = listen(scripted.address, "binance", heard_until_us={"BTCUSDT": now_us() - 60_000_000})
    await line.until(lambda: line.feed.is_up)
    assert line.kinds() == ["gap", "connected"]


@pytest.mark.parametrize(("answers", "told"), [(True, []), (False, ["gap"])])
async def test_one_that_was_dead_when_it_was_replaced_has_its_gap(
    scripted: Exchange, listen: Listen, monkeypatch: pytest.MonkeyPatch, answers: bool, told: list[str]
) -> None:
    monkeypatch.setattr(session, "_CLOSE_WITHIN_S", 0.2)
    scripted.says = [[CONFIRMED, trade_of("BTCUSDT", 1)], [CONFIRMED]]
    line = listen(scripted.address, "binance")
    await line.until(lambda: bool(line.feed.heard))
    assert scripted.client is not None
    old = scripted.client.transport
    if not answers:
        old.pause_reading()
    line.feed._session.leave.set()  # type: ignore[union-attr]
    await line.until(lambda: line.kinds().count("connected") == 2)
    assert line.kinds() == ["connected", "disconnected", *told, "connected"]
    old.abort()


async def test_what_was_missed_while_our_clock_was_set_back_is_a_gap(scripted: Exchange, listen: Listen) -> None:
    scripted.says = [[CONFIRMED]]
    line = listen(scripted.address, "binance", heard_until_us={"BTCUSDT": now_us() + 600_000_000})
    await line.until(lambda: line.feed.is_up)
    gap, _ = line.told(FeedEvent)
    assert (gap.kind, gap.symbols) == ("gap", ["BTCUSDT"])
    assert gap.from_us == line.feed.confirmed_at_us - gaps.CLOCK_BACK_US - gaps.LATE_US


async def test_a_successor_that_is_given_up_leaves_no_trace(
    scripted: Exchange, listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "REPLACE_WITHIN_S", 0.2)
    scripted.says = [[CONFIRMED, trade_of("BTCUSDT", 1), CLOSING], [trade_of("BTCUSDT", 2), trade_of("ETHUSDT", 1)]]
    line = listen(scripted.address, "binance")
    with structlog.testing.capture_logs() as logs:
        await line.until(lambda: any(entry["event"] == "no second connection yet" for entry in logs))
    assert {symbol: trade.trade_id for symbol, trade in line.feed.heard.items()} == {"BTCUSDT": "1"}


async def test_a_successor_that_the_exchange_bans_is_counted_and_not_tried_again_before_the_ban_is_over(
    scripted: Exchange, listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "_TRY_TO_REPLACE_AGAIN_S", 0.01)
    scripted.says = [[CONFIRMED]]
    line = listen(scripted.address, "binance")
    await line.until(lambda: line.feed.is_up)
    scripted.bans_s = 3600
    limited = CONNECTIONS_LOST.labels("binance", "limited")
    before = limited._value.get()
    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            line.feed.stall(["BTCUSDT"])
            await line.until(lambda: any(entry["event"] == "no second connection yet" for entry in logs))
            await asyncio.sleep(0.1)
    assert scripted.refused == 1
    assert limited._value.get() == before + 1
    [kept] = (entry for entry in logs if entry["event"] == "no second connection yet")
    assert (kept["reason"], kept["again_in_s"]) == ("HTTP 418 to the handshake", 3600.0)
    assert line.feed.is_up


async def test_a_successor_that_could_not_be_made_is_tried_again(
    scripted: Exchange, listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "_TRY_TO_REPLACE_AGAIN_S", 0.01)
    scripted.says = [[CONFIRMED], [CONFIRMED]]
    line = listen(scripted.address, "binance")
    await line.until(lambda: line.feed.is_up)
    scripted.bans_s = 1
    assert scripted.client is not None
    await scripted.client.send(CLOSING)
    await line.until(lambda: scripted.refused == 1)
    scripted.bans_s = 0
    await line.until(lambda: line.kinds() == ["connected", "disconnected", "connected"])


async def test_a_replacement_is_no_sign_of_life_of_any_symbol(scripted: Exchange, listen: Listen) -> None:
    scripted.says = [[CONFIRMED, trade_of("BTCUSDT", 1), "no JSON", "neither"], [CONFIRMED]]
    line = listen(scripted.address, "binance")
    await line.until(lambda: line.feed.signs()["ETHUSDT"] == 2)
    before = line.feed.signs()
    line.feed.stall(["BTCUSDT"])
    await line.until(lambda: line.kinds().count("connected") == 2)
    await asyncio.sleep(0.05)
    assert line.feed.signs() == before


async def test_a_line_that_went_silent_is_silent_until_the_next_one_brings_something(
    scripted: Exchange, listen: Listen
) -> None:
    scripted.says = [[CONFIRMED, trade_of("BTCUSDT", 1)], [CONFIRMED]]
    line = listen(scripted.address, "binance", silent_s=2.0)
    await line.until(lambda: line.feed.is_up)
    assert not line.feed.is_silent
    await line.until(lambda: line.kinds().count("connected") == 2)
    assert line.kinds().count("stalled") == 1
    assert line.feed.is_silent
    assert scripted.client is not None
    await scripted.client.send(trade_of("BTCUSDT", 2))
    await line.until(lambda: not line.feed.is_silent)


async def test_what_lies_between_two_stalls_of_a_symbol_is_told(
    scripted: Exchange, listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "_STALLS_AHEAD_US", 0)
    monkeypatch.setattr(gaps, "LATE_US", 0)
    scripted.says = [[CONFIRMED]] * 4
    line = listen(scripted.address, "binance")
    for number, symbol in enumerate(["ETHUSDT", "BTCUSDT", "ETHUSDT"], 1):
        await line.until(lambda number=number: line.kinds().count("connected") == number)
        await asyncio.sleep(0.05)
        line.feed.stall([symbol])
    await line.until(lambda: line.kinds().count("connected") == 4)
    first, second = (one for one in line.told(FeedEvent) if one.kind == "gap" and one.symbols == ["ETHUSDT"])
    assert first.to_us is not None
    assert second.from_us is not None
    assert second.from_us <= first.to_us


async def test_who_is_told_to_stop_while_a_line_is_replaced_ends(
    scripted: Exchange, listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "OVERLAP_S", 0.5)
    scripted.says = [[CONFIRMED], [CONFIRMED]]
    line = listen(scripted.address, "binance")
    await line.until(lambda: line.feed.is_up)
    line.feed.stall(["BTCUSDT"])
    await line.until(lambda: scripted.connections == 2)
    await line.feed.hang_up()
    await line.until(lambda: line.kinds().count("disconnected") == 2)


async def test_a_stall_is_not_over_with_a_trade_from_before_the_subscription(
    scripted: Exchange, listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "_STALLS_AHEAD_US", 0)
    monkeypatch.setattr(gaps, "LATE_US", 0)
    scripted.says = [[CONFIRMED], [CONFIRMED, trade_of("BTCUSDT", 1, before_s=9)]]
    line = listen(scripted.address, "binance")
    await line.until(lambda: line.feed.is_up)
    line.feed.stall(["BTCUSDT"])
    await line.until(lambda: "BTCUSDT" in line.feed.heard)
    line.feed.end_stalls()
    assert line.kinds().count("gap") == 1
    assert scripted.client is not None
    await asyncio.sleep(0.02)
    await scripted.client.send(trade_of("BTCUSDT", 2))
    await line.until(lambda: line.feed.heard["BTCUSDT"].trade_id == "2")
    line.feed.end_stalls()
    told, rest = (one for one in line.told(FeedEvent) if one.kind == "gap")
    assert (rest.from_us, rest.to_us) == (told.to_us, line.feed.heard["BTCUSDT"].received_at_us)


async def test_a_stall_that_goes_on_when_we_are_told_to_stop_is_told_up_to_then(
    scripted: Exchange, listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "_STALLS_AHEAD_US", 0)
    monkeypatch.setattr(gaps, "LATE_US", 0)
    scripted.says = [[CONFIRMED], [CONFIRMED]]
    line = listen(scripted.address, "binance")
    await line.until(lambda: line.feed.is_up)
    line.feed.stall(["BTCUSDT"])
    await line.until(lambda: line.kinds().count("connected") == 2)
    stopped_us = now_us()
    await line.feed.hang_up()
    told, rest = (one for one in line.told(FeedEvent) if one.kind == "gap")
    assert rest.from_us == told.to_us
    assert rest.to_us is not None
    assert rest.to_us >= stopped_us


@dataclass
class LastTrades:
    """What the exchange's REST side says of how far its trading has come."""

    marks: dict[str, int]
    exchange: str = "binance"
    quiet_s: float = 0.0

    async def last_trades(self) -> dict[str, int]:
        return self.marks


async def test_a_stall_is_told_once_and_its_end_is_no_other_gap(
    scripted: Exchange, listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks, looks_for, stalled_at = 0, Stalls.look, 0

    def look(stalls: Stalls, heard: Mapping[str, int]) -> list[str]:
        nonlocal looks
        looks += 1
        looks_for(stalls, heard)
        return ["BTCUSDT"] if heard.get("BTCUSDT") == stalled_at else []

    monkeypatch.setattr(symbol_watch, "SETTLE_S", 0.0)
    monkeypatch.setattr(symbol_watch, "_LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(Stalls, "look", look)
    scripted.says = [[CONFIRMED, trade_of("BTCUSDT", 1)], [CONFIRMED]]
    line = listen(scripted.address, "binance")
    await line.until(lambda: "BTCUSDT" in line.feed.heard)
    stalled_at = line.feed.signs()["BTCUSDT"]
    rest = cast("Rest", LastTrades({"BTCUSDT": 5}))
    watching = asyncio.create_task(watch_symbols(rest, [line.feed], 1, now_us))
    await line.until(lambda: line.kinds().count("connected") == 2)
    assert scripted.client is not None
    await asyncio.sleep(0.02)
    await scripted.client.send(trade_of("BTCUSDT", 9))
    await line.until(lambda: not line.feed.stalled)
    seen = looks
    await line.until(lambda: looks >= seen + 3)
    watching.cancel()
    assert line.kinds().count("stalled") == 1
    [gap] = (one for one in line.told(FeedEvent) if one.kind == "gap")
    assert (gap.symbols, gap.reason) == (["BTCUSDT"], feed_module.STALLED)


def answer_of_upbit(at_us: int) -> str:
    """The last trade of a symbol, with which a subscription is answered."""
    at_ms = at_us // 1000
    data = {"type": "trade", "code": "KRW-BTC", "trade_price": 1, "trade_volume": 1, "ask_bid": "BID"}
    times = {"trade_timestamp": at_ms, "timestamp": at_ms, "sequential_id": 1, "stream_type": "SNAPSHOT"}
    return json.dumps(data | times)


async def test_a_trade_that_confirms_its_connection_was_heard_on_it(scripted: Exchange, listen: Listen) -> None:
    scripted.says = [[answer_of_upbit(now_us())]]
    line = listen(scripted.address, "upbit")
    await line.until(lambda: line.feed.is_up and "KRW-BTC" in line.feed.heard)
    assert line.feed.confirmed_at_us == line.feed.heard["KRW-BTC"].received_at_us


async def test_the_age_of_the_trade_that_answers_a_subscription_makes_no_gap_longer(
    scripted: Exchange, listen: Listen
) -> None:
    began_us = now_us()
    scripted.says = [[answer_of_upbit(began_us - 3 * 3_600_000_000)]] * 2
    line = listen(scripted.address, "upbit", silent_s=2.0)
    await line.until(lambda: line.kinds().count("connected") == 2)
    [gap] = (one for one in line.told(FeedEvent) if one.kind == "gap")
    assert gap.from_us is not None
    assert gap.from_us >= began_us - gaps.LATE_US


async def test_a_line_that_stands_says_so_again_once_kafka_holds_what_came_on_it(
    scripted: Exchange, listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing, "TELL_EVERY_S", 0.2)
    scripted.says = [[CONFIRMED, trade_of("BTCUSDT", 1)]]
    line = listen(scripted.address, "binance")
    line.kafka_takes = False
    await line.until(lambda: bool(line.feed.heard))
    asked, holds = asyncio.Event(), line.publisher.holds

    def asks(put: Mapping[Place, int]) -> bool:
        asked.set()
        return holds(put)

    monkeypatch.setattr(line.publisher, "holds", asks)
    telling = asyncio.create_task(tell_standing(line.publisher, [line.feed]))
    for _ in range(2):  # the second time, the answer to the first is known
        asked.clear()
        await asked.wait()
    assert line.kinds() == ["connected"], "the trade is not acknowledged"
    line.acknowledge()
    await line.until(lambda: line.kinds().count("connected") == 2)
    telling.cancel()
    [again] = line.told(FeedEvent)[1:]
    assert again.reason == gaps.STANDS
    assert again.to_us == line.feed.complete_us
    assert sorted(again.symbols or ()) == sorted(SYMBOLS["binance"])


async def test_lines_made_again_say_so_once_kafka_holds_what_came_before_and_only_the_one_that_stands(
    scripted: Exchange, listen: Listen
) -> None:
    scripted.says = [[CONFIRMED, trade_of("BTCUSDT", 1)], [CONFIRMED], [CONFIRMED]]
    line = listen(scripted.address, "binance", lambda low, _: low)
    line.kafka_takes = False
    await line.until(lambda: bool(line.feed.heard))
    for gaps_told in (1, 2):
        assert scripted.client is not None
        await scripted.client.close()
        await line.until(partial(lambda told: line.kinds().count("gap") == told, gaps_told))
    assert line.kinds() == ["connected", *["disconnected", "gap"] * 2], "the trade is not acknowledged"
    line.acknowledge()
    await line.until(lambda: line.kinds().count("connected") == 2)
    assert line.told(FeedEvent)[-1].at_us == line.feed.confirmed_at_us
    assert line.told(FeedEvent)[-1].to_us is None


async def test_a_line_on_which_nothing_at_all_is_served_is_told(simulated: Simulate, listen: Listen) -> None:
    simulator = await simulated(upbit_limits=UpbitLimits(snapshot_after_s=(3600, 3600)))
    simulator.player.pause()
    line = listen(simulator, "upbit", first_data_s=1)
    await line.until(lambda: bool(line.kinds()))
    [event] = line.told(FeedEvent)
    assert (event.kind, event.reason) == ("degraded", "nothing within 1 s of subscribing")
    assert event.symbols == sorted(SYMBOLS["upbit"])
    assert not line.feed.is_up


async def test_of_a_line_that_is_not_acknowledged_yet_nobody_knows_what_is_served(
    scripted: Exchange, listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "CONFIRM_WITHIN_S", 2)
    scripted.says = [[], []]
    line = listen(scripted.address, "binance", first_data_s=1)
    await line.until(lambda: bool(line.feed.last_ending))
    assert line.feed.last_ending == "the subscription is not confirmed after 2 s"
    assert line.kinds() == []
