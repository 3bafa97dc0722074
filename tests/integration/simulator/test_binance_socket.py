"""Binance's traps, one by one, as a client of its WebSocket meets them."""

import asyncio
import json
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from services.simulator.binance.socket import BinanceLimits


async def ask(client: ClientConnection, method: str, *params: Any, request_id: int = 1) -> Any:
    """Send a control message and give its answer; data that comes in between is left out."""
    await client.send(json.dumps({"method": method, "params": list(params), "id": request_id}))
    while True:
        answer = json.loads(await client.recv())
        if "result" in answer or "error" in answer:
            return answer


async def data(client: ClientConnection, count: int = 1) -> list[Any]:
    found = []
    while len(found) < count:
        text = await client.recv()
        assert isinstance(text, str)
        found.append(json.loads(text))
    return found


async def closed_with(client: ClientConnection) -> int | None:
    try:
        while True:
            await client.recv()
    except ConnectionClosed:
        return client.close_code


async def test_subscriptions_are_acknowledged_and_add_up(simulate: Any) -> None:
    running = await simulate()
    async with connect(running.url["binance_websocket_url"] + "/stream") as client:
        assert await ask(client, "SUBSCRIBE", "btcusdt@trade", request_id=7) == {"result": None, "id": 7}
        assert await ask(client, "SUBSCRIBE", "ethusdt@trade") == {"result": None, "id": 1}
        names = {frame["stream"] for frame in await data(client, 40)}
        assert names == {"btcusdt@trade", "ethusdt@trade"}
        assert (await ask(client, "LIST_SUBSCRIPTIONS"))["result"] == ["btcusdt@trade", "ethusdt@trade"]
        await ask(client, "UNSUBSCRIBE", "btcusdt@trade")
        assert {frame["stream"] for frame in await data(client, 20)} == {"ethusdt@trade"}


async def test_combined_can_be_set_and_asked_for(simulate: Any) -> None:
    running = await simulate()
    async with connect(running.url["binance_websocket_url"] + "/ws/btcusdt@trade") as client:
        assert (await data(client))[0]["e"] == "trade"
        assert (await ask(client, "GET_PROPERTY", "combined"))["result"] is False
        assert (await ask(client, "SET_PROPERTY", "combined", True))["result"] is None
        assert (await data(client))[0]["data"]["e"] == "trade"


async def test_every_stream_says_its_kind(simulate: Any) -> None:
    kinds = {
        "trade": {"e", "E", "s", "t", "p", "q", "T", "m", "M"},
        "aggTrade": {"e", "E", "s", "a", "p", "q", "f", "l", "T", "m", "M"},
        "ticker": set("eEspPwxcQbBaAohlvqOCFLn"),
        "miniTicker": set("eEscohlvq"),
        "kline_1m": {"e", "E", "s", "k"},
        "depth5": {"lastUpdateId", "bids", "asks"},
        "depth10@100ms": {"lastUpdateId", "bids", "asks"},
        "depth20@100ms": {"lastUpdateId", "bids", "asks"},
        "bookTicker": set("usbBaA"),
    }
    running = await simulate(symbols=1)
    names = "/".join(f"btcusdt@{kind}" for kind in kinds)
    async with connect(f"{running.url['binance_websocket_url']}/stream?streams={names}") as client:
        seen: dict[str, Any] = {}
        while len(seen) < len(kinds):
            frame = (await data(client))[0]
            seen[frame["stream"].partition("@")[2]] = frame["data"]
    assert {kind: set(body) for kind, body in seen.items()} == kinds
    assert [len(seen[kind]["bids"]) for kind in ("depth5", "depth10@100ms", "depth20@100ms")] == [5, 10, 20]


async def test_microseconds(simulate: Any) -> None:
    running = await simulate()
    url = running.url["binance_websocket_url"] + "/stream?streams=btcusdt@trade&timeUnit=MICROSECOND"
    async with connect(url) as client:
        trade = (await data(client))[0]["data"]
    assert trade["T"] > 10**15
    assert trade["T"] % 1000 == 0


async def test_unknown_streams_are_acknowledged_listed_and_silent(simulate: Any) -> None:
    running = await simulate(expect=0)
    names = ["nopeusdt@trade", "BTCUSDT@trade", "btcusdt@nope"]
    async with connect(running.url["binance_websocket_url"] + "/stream") as client:
        assert (await ask(client, "SUBSCRIBE", *names))["result"] is None
        assert (await ask(client, "LIST_SUBSCRIPTIONS"))["result"] == names
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.recv(), 0.3)


@pytest.mark.parametrize(("text", "code"), [("not json", 3), ('{"method":"NOPE","id":5}', 2)])
async def test_errors_are_nested(simulate: Any, text: str, code: int) -> None:
    running = await simulate()
    async with connect(running.url["binance_websocket_url"] + "/ws") as client:
        await client.send(text)
        assert json.loads(await client.recv())["error"]["code"] == code


async def test_six_messages_in_a_second_are_too_many_and_pings_count(simulate: Any) -> None:
    running = await simulate()
    async with connect(running.url["binance_websocket_url"] + "/ws", ping_interval=None) as client:
        for _ in range(3):
            await (await client.ping())
        for number in range(3):
            await client.send(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": number}))
        assert await closed_with(client) == 1008
        assert client.close_reason == "Too many requests"


async def test_one_stream_too_many_loses_all(simulate: Any) -> None:
    running = await simulate(binance_limits=BinanceLimits(streams=3))
    async with connect(running.url["binance_websocket_url"] + "/stream") as client:
        await ask(client, "SUBSCRIBE", "a@trade", "b@trade", "c@trade")
        answer = await ask(client, "SUBSCRIBE", "d@trade")
        assert answer["error"] == {"code": 4, "msg": "Too many subscriptions"}
        assert await closed_with(client) == 1008


async def test_a_request_that_is_too_long_is_ignored(simulate: Any) -> None:
    running = await simulate()
    async with connect(running.url["binance_websocket_url"] + "/stream") as client:
        await client.send(json.dumps({"method": "SUBSCRIBE", "params": ["btcusdt@trade"] * 600, "id": 1}))
        assert (await ask(client, "LIST_SUBSCRIPTIONS", request_id=2)) == {"result": [], "id": 2}


async def test_who_answers_pings_stays(simulate: Any) -> None:
    running = await simulate(binance_limits=BinanceLimits(ping_every_s=0.3, pong_within_s=1.0))
    async with connect(running.url["binance_websocket_url"] + "/stream?streams=btcusdt@trade") as client:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(closed_with(client), 1.5)
        assert client.close_code is None


async def test_who_does_not_answer_pings_is_dropped(simulate: Any) -> None:
    running = await simulate(binance_limits=BinanceLimits(ping_every_s=0.05, pong_within_s=0.2))
    address = running.url["binance_websocket_url"] + "/ws/btcusdt@trade"
    async with running.http.ws_connect(address, autoping=False) as client:
        kinds = [message.type.name async for message in client]
    assert "PING" in kinds
    assert client.close_code == 1006


async def test_a_connection_has_a_lifetime(simulate: Any) -> None:
    running = await simulate(binance_limits=BinanceLimits(lifetime_s=0.1))
    async with connect(running.url["binance_websocket_url"] + "/ws/btcusdt@trade") as client:
        assert await closed_with(client) == 1001


async def test_the_truth_counts_aggregates_apart_and_only_while_they_are_heard(simulate: Any) -> None:
    running = await simulate(symbols=1)
    address = running.url["binance_websocket_url"] + "/stream?streams=btcusdt@aggTrade"
    async with connect(address) as client:
        ids = [frame["data"]["a"] for frame in await data(client, 20)]
    truth = await running.stop()
    told = [line for line in truth if line["exchange"] == "binance_agg"]
    assert [int(line["trade_id"]) for line in told][:20] == ids
    assert all(line["heard"] == 1 for line in told)
    assert any(line["exchange"] == "binance" and line["channel"] == "trade" for line in truth)


async def test_a_book_heard_at_two_depths_counts_a_connection_once(simulate: Any) -> None:
    running = await simulate(symbols=1)
    address = running.url["binance_websocket_url"] + "/stream?streams=btcusdt@depth5/btcusdt@depth20@100ms"
    async with connect(address) as client:
        await data(client, 10)
    books = [line for line in await running.stop() if (line["exchange"], line["channel"]) == ("binance", "orderbook")]
    heard = [line for line in books if line["heard"]]
    assert {line["heard"] for line in heard} == {1}
    assert {len(line["bids"]) for line in heard} == {20}
