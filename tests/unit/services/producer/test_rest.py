"""Binance's list leaves out what has nothing but a spot side that is switched off; asked by name it tells of it."""

import json
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from services.producer import rest
from services.producer.catalogue import Market
from services.producer.rest import Rest

BTC, ETH, LUNA = (Market(f"{base}USDT", base, "USDT") for base in ("BTC", "ETH", "LUNA"))


class Binance:
    """Lists bitcoin alone; by name it knows ether too, switched off.."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.headers: set[str] = set()
        self.status = 200
        self.url = ""

    async def exchange_info(self, request: web.Request) -> web.Response:
        self.headers |= {name.lower() for name in request.headers}
        symbol = request.query.get("symbol")
        if symbol is None:
            return web.json_response({"symbols": [_row("BTC", spot=True)]})
        self.asked.append(symbol)
        if self.status != 200:
            return web.Response(status=self.status)
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
