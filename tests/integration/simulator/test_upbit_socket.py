"""Upbit's traps, one by one, as a client of its WebSocket meets them."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from services.simulator.upbit.socket import UpbitLimits

TRADES = {"type": "trade", "codes": ["KRW-BTC", "KRW-ETH"]}


async def subscribe(client: ClientConnection, *types: dict[str, Any], told_format: str = "DEFAULT") -> None:
    await client.send(json.dumps([{"ticket": "t"}, *types, {"format": told_format}]))


async def frames(client: ClientConnection, enough: Callable[[list[Any]], bool]) -> list[Any]:
    found: list[Any] = []
    while not enough(found):
        data = await client.recv()
        assert isinstance(data, bytes)
        found.append(json.loads(data))
    return found


async def closed_with(client: ClientConnection) -> int | None:
    try:
        while True:
            await client.recv()
    except ConnectionClosed:
        return client.close_code


async def test_the_first_frame_is_data_and_frames_are_binary(simulate: Any) -> None:
    running = await simulate()
    async with connect(running.url["upbit_websocket_url"]) as client:
        assert client.response is not None
        assert client.response.headers["remaining-req"].startswith("group=websocket; min=300; sec=")
        assert client.response.headers["limit-by-ip"] == "Yes"
        await subscribe(client, TRADES)
        for frame in await frames(client, lambda found: len(found) >= 20):
            assert (frame["type"], frame["code"] in TRADES["codes"]) == ("trade", True)


async def test_snapshots_repeat_the_last_message_of_each_code_before_realtime(simulate: Any) -> None:
    running = await simulate(expect=0)
    await running.until(lambda: running.simulator.hub.published["trade"] > 50)
    async with connect(running.url["upbit_websocket_url"]) as client:
        await subscribe(
            client, TRADES, {"type": "ticker", "codes": ["KRW-BTC"]}, {"type": "orderbook", "codes": ["KRW-BTC"]}
        )
        found = await frames(client, lambda found: len(found) >= 60)
    truth = await running.stop()
    first: dict[tuple[str, str], str] = {}
    for frame in found:
        first.setdefault((frame["type"], frame["code"]), frame["stream_type"])
    assert first == dict.fromkeys(
        [("trade", "KRW-BTC"), ("trade", "KRW-ETH"), ("ticker", "KRW-BTC"), ("orderbook", "KRW-BTC")], "SNAPSHOT"
    )
    repeated = {str(f["sequential_id"]) for f in found if f["type"] == "trade" and f["stream_type"] == "SNAPSHOT"}
    lines = [line for line in truth if line["channel"] == "trade" and line["trade_id"] in repeated]
    assert len(lines) == len(repeated) == 2
    assert all(line["heard"] == 0 for line in lines)


async def test_only_snapshot_and_only_realtime(simulate: Any) -> None:
    running = await simulate(expect=0)
    await running.until(lambda: running.simulator.hub.published["trade"] > 50)
    async with connect(running.url["upbit_websocket_url"]) as client:
        await subscribe(
            client,
            {"type": "ticker", "codes": ["KRW-BTC"], "isOnlySnapshot": True},
            {"type": "trade", "codes": ["KRW-BTC"], "is_only_realtime": True},
        )
        found = await frames(client, lambda found: sum(f["type"] == "trade" for f in found) >= 30)
    assert [f["stream_type"] for f in found if f["type"] == "ticker"] == ["SNAPSHOT"]
    assert {f["stream_type"] for f in found if f["type"] == "trade"} == {"REALTIME"}


async def test_a_second_subscription_replaces_the_first_and_keeps_what_is_in_both(simulate: Any) -> None:
    running = await simulate(expect=0)
    async with connect(running.url["upbit_websocket_url"]) as client:
        await subscribe(client, {"type": "trade", "codes": ["KRW-BTC", "KRW-ETH"], "is_only_realtime": True})
        await frames(client, lambda found: {f["code"] for f in found} == {"KRW-BTC", "KRW-ETH"})
        await subscribe(client, {"type": "trade", "codes": ["KRW-BTC", "KRW-XRP"], "is_only_realtime": True})
        found = await frames(client, lambda found: any(f["code"] == "KRW-XRP" for f in found))
        found += await frames(client, lambda more: len(more) >= 50)
    last_of_old = max((place for place, f in enumerate(found) if f["code"] == "KRW-ETH"), default=-1)
    assert last_of_old < len(found) - 50
    truth = await running.stop()
    bitcoin = [line["heard"] for line in truth if (line["channel"], line["symbol"]) == ("trade", "KRW-BTC")]
    heard = "".join(map(str, bitcoin)).strip("0")
    assert heard
    assert "0" not in heard


async def test_unknown_and_lower_case_codes_are_ignored_in_silence(simulate: Any) -> None:
    running = await simulate(expect=0)
    async with connect(running.url["upbit_websocket_url"]) as client:
        await subscribe(client, {"type": "trade", "codes": ["KRW-NOPE", "krw-btc", "KRW-ETH"]})
        found = await frames(client, lambda found: len(found) >= 20)
    assert {frame["code"] for frame in found} == {"KRW-ETH"}


@pytest.mark.parametrize(("suffix", "levels"), [(".1", 1), (".5", 5), (".15", 15), (".30", 30), (".7", 30), ("", 30)])
async def test_levels_of_a_book(simulate: Any, suffix: str, levels: int) -> None:
    running = await simulate(expect=0)
    async with connect(running.url["upbit_websocket_url"]) as client:
        await subscribe(client, {"type": "orderbook", "codes": ["KRW-BTC" + suffix]})
        for frame in await frames(client, lambda found: len(found) >= 3):
            assert (frame["code"], len(frame["orderbook_units"])) == ("KRW-BTC", levels)


@pytest.mark.parametrize("told_format", ["DEFAULT", "SIMPLE", "JSON_LIST", "SIMPLE_LIST"])
async def test_formats(simulate: Any, told_format: str) -> None:
    running = await simulate(expect=0)
    async with connect(running.url["upbit_websocket_url"]) as client:
        await subscribe(client, TRADES, told_format=told_format)
        frame = (await frames(client, lambda found: len(found) >= 1))[0]
    body = frame[0] if told_format.endswith("LIST") else frame
    assert body["ty" if told_format.startswith("SIMPLE") else "type"] == "trade"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("hello", "WRONG_FORMAT"),
        ('[{"type":"trade","codes":["KRW-BTC"]}]', "NO_TICKET"),
        ('[{"ticket":"t"}]', "NO_TYPE"),
        ('[{"ticket":"t"},{"type":"trade"}]', "NO_CODES"),
        ('[{"ticket":"t"},{"type":"nope","codes":["A"]}]', "INVALID_PARAM"),
    ],
)
async def test_errors_come_as_an_object_and_then_a_normal_close(simulate: Any, text: str, name: str) -> None:
    running = await simulate()
    async with connect(running.url["upbit_websocket_url"]) as client:
        await client.send(text)
        assert json.loads(await client.recv())["error"]["name"] == name
        assert await closed_with(client) == 1000


async def test_text_ping_is_answered_by_up_again_and_again(simulate: Any) -> None:
    limits = UpbitLimits(up_every_s=0.02)
    running = await simulate(upbit_limits=limits)
    async with connect(running.url["upbit_websocket_url"]) as client:
        await client.send("PING")
        assert [await client.recv() for _ in range(3)] == [b'{"status":"UP"}'] * 3


async def test_an_idle_client_is_dropped_without_a_close_frame_and_a_ping_does_not_help(simulate: Any) -> None:
    running = await simulate(upbit_limits=UpbitLimits(idle_s=0.2))
    async with connect(running.url["upbit_websocket_url"], ping_interval=0.03) as client:
        assert await closed_with(client) == 1006


async def test_a_client_that_hears_something_is_not_idle(simulate: Any) -> None:
    limits = UpbitLimits(idle_s=0.2, up_every_s=0.05)
    running = await simulate(upbit_limits=limits)
    async with connect(running.url["upbit_websocket_url"]) as client:
        await client.send("PING")
        for _ in range(10):
            await client.recv()


async def test_too_many_messages_close_with_1008(simulate: Any) -> None:
    running = await simulate()
    async with connect(running.url["upbit_websocket_url"]) as client:
        for _ in range(6):
            await client.send('[{"ticket":"t"},{"method":"LIST_SUBSCRIPTIONS"}]')
        assert await closed_with(client) == 1008


async def test_too_many_connections_get_429(simulate: Any) -> None:
    running = await simulate()
    clients = [await connect(running.url["upbit_websocket_url"]) for _ in range(5)]
    with pytest.raises(InvalidStatus) as refused:
        await connect(running.url["upbit_websocket_url"])
    assert refused.value.response.status_code == 429
    for client in clients:
        await client.close()


async def test_an_origin_header_is_allowed_once_in_ten_seconds(simulate: Any) -> None:
    running = await simulate()
    async with connect(running.url["upbit_websocket_url"], origin="http://example.org"):
        with pytest.raises(InvalidStatus) as refused:
            await connect(running.url["upbit_websocket_url"], origin="http://example.org")
    assert refused.value.response.status_code == 429


async def test_list_subscriptions_tells_what_was_asked_for_and_switches_the_format(simulate: Any) -> None:
    running = await simulate(expect=0)
    async with connect(running.url["upbit_websocket_url"]) as client:
        await subscribe(client, TRADES)
        await frames(client, lambda found: len(found) >= 1)
        await client.send('[{"ticket":"q"},{"method":"LIST_SUBSCRIPTIONS"},{"format":"SIMPLE"}]')
        found = await frames(client, lambda found: any("mthd" in f for f in found) and "ty" in found[-1])
    answer = next(f for f in found if "mthd" in f)
    assert answer == {"mthd": "LIST_SUBSCRIPTIONS", "rslt": [{"ty": "trade", "cds": TRADES["codes"]}], "tckt": "q"}


@pytest.mark.parametrize("compression", [None, "deflate"])
async def test_compression_is_accepted_when_it_is_offered(simulate: Any, compression: str | None) -> None:
    running = await simulate()
    async with connect(running.url["upbit_websocket_url"], compression=compression) as client:
        assert client.response is not None
        assert ("Sec-WebSocket-Extensions" in client.response.headers) == (compression is not None)
        await subscribe(client, TRADES, {"type": "orderbook", "codes": ["KRW-BTC"]})
        assert len(await frames(client, lambda found: len(found) >= 100)) == 100


async def test_a_client_that_does_not_read_is_cut_off_and_what_it_missed_is_unheard(simulate: Any) -> None:
    running = await simulate(rate=20_000.0, symbols=1)
    async with connect(running.url["upbit_websocket_url"], max_queue=1, compression=None) as client:
        await subscribe(client, {"type": "orderbook", "codes": ["KRW-BTC"]}, {"type": "trade", "codes": ["KRW-BTC"]})
        [listener] = running.simulator.connections("upbit")
        listener.max_unsent_bytes = 1 << 16
        await running.until(lambda: not running.simulator.connections("upbit"))
        unheard = running.simulator.hub.unheard
        so_far = unheard["trade"]  # nobody listens to Binance at all
        await running.until(lambda: unheard["trade"] > so_far + 500)
        client.transport.abort()
    truth = await running.stop()
    heard = [line["heard"] for line in truth if line["symbol"] == "KRW-BTC" and line["channel"] == "trade"]
    assert heard[-1] == 0
    assert 1 in heard


async def test_the_market_opens_when_every_expected_subscription_is_there(simulate: Any) -> None:
    running = await simulate(expect=3)
    async with connect(running.url["upbit_websocket_url"]) as client:
        await subscribe(client, TRADES)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.recv(), 0.2)
        assert running.simulator.player.state == "waiting"
        await subscribe(client, TRADES, {"type": "ticker", "codes": ["KRW-BTC"]})
        await client.recv()
    truth = await running.stop()
    assert {(line["channel"], line["symbol"]) for line in truth if line["heard"]} >= {
        ("trade", "KRW-BTC"),
        ("trade", "KRW-ETH"),
        ("ticker", "KRW-BTC"),
    }
