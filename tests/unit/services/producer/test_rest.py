"""Binance's list leaves out what has nothing but a spot side that is switched off; asked by name it tells of it."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from tenacity import RetryCallState

from services.producer import rest
from services.producer.catalogue import Market
from services.producer.endings import LONGEST_WAIT_S
from services.producer.kept_wish import Wish, keep_wish, read_wish
from services.producer.rest import ListUnavailable, NoAnswer, Rest, make_session
from services.producer.selection import no_wish_and_after
from shared.clock import now_us

BTC, ETH, LUNA = (Market(f"{base}USDT", base, "USDT") for base in ("BTC", "ETH", "LUNA"))


class Binance:
    """Lists bitcoin alone; by name it knows ether too, switched off.."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.headers: set[str] = set()
        self.status = 200
        self.says: dict[str, str] = {}
        self.url = ""

    async def exchange_info(self, request: web.Request) -> web.Response:
        self.headers |= {name.lower() for name in request.headers}
        symbol = request.query.get("symbol")
        if symbol is None:
            return web.json_response({"symbols": [_row("BTC", spot=True)]})
        self.asked.append(symbol)
        if self.status != 200:
            return web.Response(status=self.status, headers=self.says)
        if symbol == "ETHUSDT":
            return web.json_response({"symbols": [_row("ETH", spot=False)]})
        return web.json_response({"code": -1121, "msg": "Invalid symbol."}, status=400)


def _row(base: str, *, spot: bool) -> dict[str, object]:
    row = {"symbol": f"{base}USDT", "status": "TRADING", "baseAsset": base, "quoteAsset": "USDT"}
    return row | {"isSpotTradingAllowed": spot}


@pytest.fixture
async def binance() -> AsyncIterator[Binance]:
    exchange, app = Binance(), web.Application()
    app.router.add_get("/api/v3/exchangeInfo", exchange.exchange_info)
    async with TestServer(app) as server:
        exchange.url = str(server.make_url(""))
        yield exchange


async def test_what_the_list_lacks_is_asked_for_by_name_halted_if_it_is_there_and_absent_if_not(binance):
    found = await Rest("binance", binance.url).markets([BTC, ETH, LUNA])
    assert {market.symbol: market.trading for market in found} == {"BTCUSDT": True, "ETHUSDT": False}
    assert sorted(binance.asked) == ["ETHUSDT", "LUNAUSDT"]
    assert "accept-encoding" in binance.headers
    assert "origin" not in binance.headers


@pytest.mark.parametrize("status", [400, 429, 503])
async def test_a_question_that_is_refused_takes_nothing_away_and_is_the_last(binance, status):
    binance.status = status
    found = await Rest("binance", binance.url).markets([BTC, ETH, LUNA])
    assert {market.symbol for market in found} == {"BTCUSDT", "ETHUSDT", "LUNAUSDT"}
    assert len(binance.asked) == 1


async def test_beyond_a_bound_markets_stay_as_they_were_known(binance, monkeypatch):
    monkeypatch.setattr(rest, "MOST_BY_NAME", 1)
    known = [Market(json.dumps(n), "X", "USDT") for n in range(3)]
    found = await Rest("binance", binance.url).markets(known)
    assert len(binance.asked) == 1
    assert len([market for market in found if market in known]) == 2


async def test_a_maintenance_page_is_not_believed_for_days_and_its_status_is_nobody_elses_answer(binance):
    binance.status, binance.says = 404, {"Retry-After": "86400"}
    asked = Rest("binance", binance.url)
    async with make_session() as session:
        with pytest.raises(NoAnswer) as answered:
            await asked.fetch(session, "/api/v3/exchangeInfo?symbol=X", 1_000)
        with pytest.raises(NoAnswer) as held:
            await asked.fetch(session, "/api/v3/klines", 1_000)
    assert (answered.value.status, answered.value.wait_s) == (404, LONGEST_WAIT_S)
    assert held.value.status is None
    assert 0 < held.value.wait_s <= LONGEST_WAIT_S + 1


async def test_a_ban_that_does_not_say_how_long_is_taken_for_a_long_one(binance):
    binance.status = 418
    asked = Rest("binance", binance.url)
    await asked.markets([ETH])
    assert rest.BANNED_S < asked.quiet_s <= rest.BANNED_S + 1


@pytest.mark.parametrize(("wishes_s", "stops"), [
    ([(0, 0), (29, 0), (30, 0)], [False, False, True]),
    ([(1, 600), (602, 0), (629, 0), (631, 0)], [False, False, False, True]),
    ([(29, 600), (640, 600), (1_240, 0)], [False, False, True]),
])  # fmt: skip
def test_how_long_a_start_waits_is_without_the_time_that_the_exchange_wished_for(wishes_s, stops):
    stop, told = no_wish_and_after(30), []
    for at_s, wish_s in wishes_s:
        state = RetryCallState(None, None, (), {})
        error = ListUnavailable("not now", wish_s)
        state.set_exception((type(error), error, None))
        state.start_time, state.outcome_timestamp = 0.0, float(at_s)
        told.append(stop(state))
    assert told == stops


async def test_the_first_answer_after_a_wish_removes_what_was_kept_of_it(binance, tmp_path: Path):
    path = tmp_path / "quiet-binance.json"
    keep_wish(path, Wish(now_us() - 2_000_000, now_us() - 1_000_000, "HTTP 418"))
    asked = Rest("binance", binance.url, tmp_path)
    assert path.exists()
    await asked.markets()
    assert not path.exists()
    binance.status, binance.says = 429, {"Retry-After": "60"}
    await asked.markets([ETH])
    assert read_wish(path).refusal.endswith("HTTP 429")


async def test_the_answer_to_a_question_from_before_a_wish_does_not_remove_it(binance, tmp_path: Path, monkeypatch):
    refused, asked = asyncio.Event(), Rest("binance", binance.url, tmp_path)

    async def answers(_session: object, _url: str, path: str, _most_bytes: int) -> bytes:
        if path == "banned":
            raise NoAnswer("HTTP 418", 418, 60.0)
        await refused.wait()
        return b"{}"

    monkeypatch.setattr(rest, "fetch", answers)
    before = asyncio.create_task(asked.fetch(None, "late", 1_000))
    await asyncio.sleep(0)
    with pytest.raises(NoAnswer):
        await asked.fetch(None, "banned", 1_000)
    refused.set()
    assert await before == b"{}"
    assert read_wish(tmp_path / "quiet-binance.json").refusal == "HTTP 418"


async def test_of_two_refusals_at_once_the_longer_wish_is_kept_however_slow_the_disk(tmp_path: Path, monkeypatch):
    is_writing, may_write = asyncio.Event(), threading.Event()
    loop, asked = asyncio.get_running_loop(), Rest("binance", "http://127.0.0.1:1", tmp_path)

    async def refuses(_session: object, _url: str, path: str, _most_bytes: int) -> bytes:
        raise NoAnswer(path, 429, float(path))

    def slow(path: Path, wish: Wish) -> None:
        if wish.refusal == "10":
            loop.call_soon_threadsafe(is_writing.set)
            assert may_write.wait(5)
        keep_wish(path, wish)
        if wish.refusal == "60":
            may_write.set()

    async def ask(path: str) -> None:
        with pytest.raises(NoAnswer):
            await asked.fetch(None, path, 1_000)

    monkeypatch.setattr(rest, "fetch", refuses)
    monkeypatch.setattr(rest, "keep_wish", slow)
    first = asyncio.create_task(ask("10"))
    await is_writing.wait()
    asked._quiet_until_s, at_s = 0.0, asked._quiet_until_s  # the second question was on its way by then
    second = asyncio.create_task(ask("60"))
    await asyncio.sleep(0.05)
    assert asked._quiet_until_s > at_s
    may_write.set()
    await asyncio.gather(first, second)
    assert read_wish(tmp_path / "quiet-binance.json").refusal == "60"
