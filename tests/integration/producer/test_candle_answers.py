"""What an exchange may answer to the question for candles: each is counted and told, none of them stops the rest."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from services.producer import candle_filling, rest
from services.producer.candle_filling import CandleFilling
from services.producer.exchanges.base import Listing
from services.producer.lanes import Lanes
from services.producer.publisher import Publisher
from services.producer.rest import NoAnswer, Rest, make_session
from shared.clock import now_us
from shared.events import Candle, FeedEvent
from shared.metrics import CANDLE_REQUESTS
from shared.partitioning import Shard
from shared.wire import decode


@dataclass
class Exchange:
    """Binance's klines: a market's planned answers first, then candles of the last hour, for it was listed then."""

    planned: dict[str, deque[web.Response]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    url: str = ""

    async def answer(self, request: web.Request) -> web.Response:
        symbol = request.query["symbol"]
        self.asked.append(symbol)
        if self.planned.get(symbol):
            return self.planned[symbol].popleft()
        last_ms = int(request.query["endTime"]) // 60_000 * 60_000
        rows = [[last_ms - n * 60_000, "1", "1", "1", "1", "5", last_ms, "5", 3, "1", "1", "0"] for n in range(60)]
        return web.json_response(rows[::-1])


@pytest.fixture
async def exchange() -> AsyncIterator[Exchange]:
    one = Exchange()
    app = web.Application()
    app.router.add_get("/api/v3/klines", one.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    one.url = f"http://{host}:{port}"
    yield one
    await runner.cleanup()


def answers_taken() -> float:
    """How many answers of whatever kind were taken in so far."""
    [metric] = CANDLE_REQUESTS.collect()
    return sum(sample.value for sample in metric.samples if sample.name.endswith("_total"))


@pytest.fixture
def fill(exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> Callable[..., object]:
    """Ask for candles of these markets until `enough`; what waits for Kafka then: candles by symbol, feed events."""
    monkeypatch.setattr(candle_filling, "_FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(rest, "BANNED_S", 0.05)
    monkeypatch.setattr(rest, "_ROUNDED_S", 0.0)

    async def run(symbols: list[str], enough: int) -> tuple[Counter[str], list[FeedEvent]]:
        lanes = Lanes()
        publisher = Publisher(lambda: pytest.fail("nobody connects"), "binance", 5, now_us, lanes)
        filling = CandleFilling(Rest("binance", exchange.url), "binance", Shard(), publisher, now_us)
        filling.cover({symbol: Listing(symbol, symbol[:3], "USDT") for symbol in symbols})
        before = answers_taken()
        running = asyncio.create_task(filling.fill())
        while answers_taken() - before < enough:  # noqa: ASYNC110  # no event says so
            await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.wait([running])
        candles = [decode(Candle, value) for lane in lanes.of(Candle) for _, value in lane.waiting]
        feed = [decode(FeedEvent, value) for lane in lanes.of(FeedEvent) for _, value in lane.waiting]
        return Counter(candle.symbol for candle in candles), feed

    return run


async def test_told_to_slow_down_it_waits_and_goes_on_and_both_are_told(exchange, fill):
    exchange.planned["AAA"] = deque([web.Response(status=429), web.Response(status=418), web.Response(status=502)])
    candles, feed = await fill(["AAA", "BBB"], 5)
    assert candles == {"AAA": 60, "BBB": 60}
    assert Counter(exchange.asked) == {"AAA": 4, "BBB": 1}
    assert [(event.kind, event.symbols) for event in feed] == [("degraded", None), ("resumed", None)] * (len(feed) // 2)
    assert "HTTP 429" in feed[0].reason


async def test_how_long_an_exchange_wants_us_to_wait_is_heard(exchange):
    exchange.planned["AAA"] = deque([web.Response(status=429, headers={"Retry-After": "7"})])
    async with make_session() as session:
        with pytest.raises(NoAnswer) as refused:
            await Rest("binance", exchange.url).fetch(session, "/api/v3/klines?symbol=AAA", 1 << 20)
    assert (refused.value.status, refused.value.wait_s) == (429, 7)


async def test_what_is_a_market_s_own_fault_leaves_the_others_alone(exchange, fill):
    exchange.planned["BAD"] = deque([web.json_response({"code": -1121, "msg": "Invalid symbol."}, status=400)])
    exchange.planned["ODD"] = deque([web.Response(text="<html>")])
    exchange.planned["BIG"] = deque([web.Response(text="[" * (2 << 20))])
    candles, feed = await fill(["BAD", "ODD", "BIG", "FIN"], 5)
    assert candles == {"FIN": 60, "BIG": 60}  # what is too large may have been cut: it is asked again
    told = [(event.kind, tuple(event.symbols or ())) for event in feed]
    assert told[:2] == [("degraded", ("BAD",)), ("degraded", ("ODD",))]
    assert Counter(exchange.asked) == {"BAD": 1, "ODD": 1, "BIG": 2, "FIN": 1}


async def test_when_no_market_has_candles_it_is_told_of_some_and_then_of_all(exchange, fill, monkeypatch):
    monkeypatch.setattr(candle_filling, "_NAMED", 3)
    symbols = [f"S{n:02}" for n in range(6)]
    for symbol in symbols:
        exchange.planned[symbol] = deque([web.Response(status=404)])
    candles, feed = await fill(symbols, 6)
    assert not candles
    assert [event.symbols for event in feed] == [["S00"], ["S01"], None]
    assert "3 markets" in feed[-1].reason
