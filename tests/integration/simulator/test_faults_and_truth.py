"""Faults on command strike the connections and leave the truth what it is."""

import asyncio
import json
import time
from base64 import b64encode
from decimal import Decimal
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from services.simulator.app import Simulator, SimulatorOptions
from shared.errors import WrongUse

STREAMS = "/stream?streams=btcusdt@trade/ethusdt@trade"


async def drain(client: ClientConnection) -> list[str | bytes]:
    """Everything up to the end of the connection."""
    found = []
    try:
        while True:
            found.append(await client.recv())
    except ConnectionClosed:
        return found


async def gather(client: ClientConnection, running: Any) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Stop the market; give the trades that arrived and the trades' truth."""
    truth = await running.stop()
    asyncio.get_running_loop().call_later(0.2, running.simulator.connections("binance")[0].close, 1000)
    frames = [json.loads(frame)["data"] for frame in await drain(client)]
    return frames, [line for line in truth if (line["exchange"], line["channel"]) == ("binance", "trade")]


async def test_what_was_heard_is_what_arrived_in_the_same_order(simulate: Any) -> None:
    running = await simulate(symbols=2, rate=2_000.0, expect=2)
    async with connect(running.url["binance_websocket_url"] + STREAMS) as client:
        await running.until(lambda: running.simulator.hub.published["trade"] > 500)
        frames, truth = await gather(client, running)
    arrived = [(f["s"], str(f["t"]), f["p"].rstrip("0"), f["q"].rstrip("0")) for f in frames]
    heard = [(t["symbol"], t["trade_id"], t["price"], t["quantity"]) for t in truth if t["heard"]]
    assert [a[:2] for a in arrived] == [h[:2] for h in heard]
    assert [a[2] for a in arrived] == [h[2].rstrip("0") for h in heard]
    assert len(arrived) > 200
    assert all(line["heard"] == 1 for line in truth)


async def test_stop_completes_the_truth_and_status_agrees(simulate: Any) -> None:
    running = await simulate(expect=0)
    await running.until(lambda: running.simulator.hub.published["trade"] > 100)
    truth = await running.stop()
    status = await running.get(running.url["control_url"] + "/status")
    assert status["market"] == "stopped"
    assert status["truth_lines"] == len(truth) == sum(status["published"].values())
    assert status["unheard"] == status["published"]
    await asyncio.sleep(0.05)
    assert len(await running.stop()) == len(truth)


async def test_one_symbol_falls_silent_while_the_exchange_trades_it(simulate: Any) -> None:
    running = await simulate(symbols=2, rate=1_000.0, expect=2)
    async with connect(running.url["binance_websocket_url"] + STREAMS) as client:
        await running.until(lambda: running.simulator.hub.published["trade"] > 100)
        await running.control("fault", fault="silence_symbol", exchange="binance", symbol="BTCUSDT", seconds=0.3)
        await asyncio.sleep(0.5)
        frames, truth = await gather(client, running)
    bitcoin = [line["heard"] for line in truth if line["symbol"] == "BTCUSDT"]
    assert 0 in bitcoin
    assert bitcoin[-1] == 1
    assert all(line["heard"] for line in truth if line["symbol"] == "ETHUSDT")
    assert len(frames) == sum(line["heard"] for line in truth)


async def test_a_half_open_connection_gets_nothing_and_is_not_closed(simulate: Any) -> None:
    running = await simulate(symbols=2, rate=1_000.0, expect=2)
    async with connect(running.url["binance_websocket_url"] + STREAMS, ping_interval=None) as client:
        await client.recv()
        await running.control("fault", fault="half_open", exchange="binance")
        published = running.simulator.hub.published["trade"]
        await running.until(lambda: running.simulator.hub.published["trade"] > published + 100)
        assert client.close_code is None
        truth = await running.stop()
    heard = [line["heard"] for line in truth if (line["exchange"], line["channel"]) == ("binance", "trade")]
    assert heard[0] == 1
    assert heard[-10:] == [0] * 10


async def test_a_line_that_drips_brings_everything_late_and_in_order(simulate: Any) -> None:
    running = await simulate(symbols=2, rate=1_000.0, expect=2)
    async with connect(running.url["binance_websocket_url"] + STREAMS, ping_interval=0.05) as client:
        await client.recv()
        await running.control("fault", fault="slow_drip", exchange="binance", bytes_per_s=2_000, seconds=0.6)
        await asyncio.sleep(0.5)
        [line] = running.simulator.connections("binance")
        sent = line.sent_messages
        arrived = 1 + len(client.recv_messages.frames)
        assert arrived < sent / 2, "most of what was said is still on its way"
        await running.until(lambda: running.simulator.hub.published["trade"] > 800)
        frames, truth = await gather(client, running)
    assert client.close_code == 1000
    assert len(frames) + 1 == len(truth)
    ids = [(f["s"], str(f["t"])) for f in frames]
    assert ids == [(line["symbol"], line["trade_id"]) for line in truth[1:]]


async def test_who_leaves_a_line_that_drips_gets_no_close_frame(simulate: Any) -> None:
    running = await simulate(symbols=2, rate=1_000.0, expect=0)
    async with connect(running.url["upbit_websocket_url"], ping_interval=None) as client:
        await client.send('[{"ticket":"t"},{"type":"trade","codes":["KRW-BTC"]}]')
        await client.recv()
        await running.control("fault", fault="slow_drip", exchange="upbit", bytes_per_s=100)
        published = running.simulator.hub.published["trade"]
        await running.until(lambda: running.simulator.hub.published["trade"] > published + 100)
        await client.close()
        assert client.protocol.close_rcvd is None
    await running.until(lambda: not running.simulator.connections("upbit"))


@pytest.mark.parametrize("ahead_ms", [-90_000, 90_000])
async def test_a_clock_that_is_wrong_tells_wrong_times_and_right_ids(simulate: Any, ahead_ms: int) -> None:
    running = await simulate(symbols=1, rate=2_000.0, expect=0)
    hub = running.simulator.hub
    await running.until(lambda: hub.published["trade"] > 100)
    for exchange in ("upbit", "binance"):
        await running.control("fault", fault="clock_skew", exchange=exchange, ahead_ms=ahead_ms, seconds=0.3)
    told = await running.get(running.url["binance_rest_url"] + "/api/v3/time")
    assert abs(told["serverTime"] - ahead_ms - time.time() * 1000) < 5_000
    await asyncio.sleep(0.4)
    published = hub.published["trade"]
    await running.until(lambda: hub.published["trade"] > published + 300)
    trades = [line for line in await running.stop() if line["channel"] == "trade"]
    for exchange in ("upbit", "binance"):
        own = [line for line in trades if line["exchange"] == exchange]
        off_s = [(line["traded_at_us"] - line["published_at_us"]) / 1e6 for line in own]
        assert any(abs(off - ahead_ms / 1000) < 5 for off in off_s)
        assert abs(off_s[0]) < 5
        assert abs(off_s[-1]) < 5
        assert len({line["trade_id"] for line in own}) == len(own)


async def test_heard_counts_the_connections(simulate: Any) -> None:
    running = await simulate(symbols=2, rate=1_000.0, expect=2)
    address = running.url["binance_websocket_url"]
    async with connect(address + STREAMS) as both, connect(address + "/ws/btcusdt@trade") as one:
        await both.recv()
        await one.recv()
        truth = await running.stop()
    last = {
        line["symbol"]: line["heard"] for line in truth if line["exchange"] == "binance" and line["channel"] == "trade"
    }
    assert last == {"BTCUSDT": 2, "ETHUSDT": 1}


async def test_duplicates_arrive_twice_and_are_published_once(simulate: Any) -> None:
    running = await simulate(symbols=2, rate=1_000.0, expect=2)
    async with connect(running.url["binance_websocket_url"] + STREAMS) as client:
        await running.control("fault", fault="duplicate", exchange="binance", seconds=0.3)
        await asyncio.sleep(0.5)
        frames, truth = await gather(client, running)
    assert len({(f["s"], f["t"]) for f in frames}) == len(truth)
    assert len(frames) > len(truth)


async def test_a_renamed_field_is_renamed_for_its_time_and_the_truth_stays(simulate: Any) -> None:
    running = await simulate(symbols=2, rate=1_000.0, expect=2)
    async with connect(running.url["binance_websocket_url"] + STREAMS) as client:
        order = {"exchange": "binance", "channel": "trade", "name": "p", "into": "price", "seconds": 0.3}
        await running.control("fault", fault="rename_field", **order)
        await asyncio.sleep(0.6)
        frames, truth = await gather(client, running)
    names = ["p" if "p" in frame else "price" for frame in frames]
    assert set(names) == {"p", "price"}
    assert "p" in names[names.index("price") :]
    assert [Decimal(f.get("p") or f["price"]) for f in frames] == [Decimal(line["price"]) for line in truth]


async def test_an_id_gap_is_a_hole_in_the_ids_and_not_in_the_truth(simulate: Any) -> None:
    running = await simulate(symbols=1, expect=0)
    await running.until(lambda: running.simulator.hub.published["trade"] > 50)
    await running.control("fault", fault="id_gap", symbol="BTCUSDT", count=7)
    await running.until(lambda: running.simulator.hub.published["trade"] > 150)
    truth = await running.stop()
    ids = [int(line["trade_id"]) for line in truth if (line["exchange"], line["channel"]) == ("binance", "trade")]
    assert ids[-1] - ids[0] + 1 == len(ids) + 7
    first = ids[0] - 500_000_000
    address = running.url["binance_rest_url"] + "/api/v3/aggTrades"
    rows = await running.get(address, symbol="BTCUSDT", fromId=first, limit=1000)
    assert [row["a"] for row in rows] == list(range(first, first + len(rows)))
    assert [(row["p"], row["q"], row["l"]) for row in rows if row["f"] == -1] == [("0", "0", -1)] * 7


async def test_resets_closes_and_shutdowns(simulate: Any) -> None:
    running = await simulate(expect=0)
    address = running.url["binance_websocket_url"] + STREAMS
    async with connect(address) as client:
        await running.control("fault", fault="reset", exchange="binance")
        await drain(client)
        assert client.close_code == 1006
    async with connect(address) as client:
        await running.control("fault", fault="close", exchange="binance", code=1012, reason="restart")
        await drain(client)
        assert (client.close_code, client.close_reason) == (1012, "restart")
    async with connect(address) as client:
        await running.control("fault", fault="server_shutdown", seconds=0.1)
        frames = [json.loads(frame) for frame in await drain(client)]
        assert sum(frame["stream"] == "!serverShutdown" for frame in frames) == 1
        assert client.close_code == 1001


async def test_malformed_frames_arrive_as_they_are(simulate: Any) -> None:
    running = await simulate()
    async with connect(running.url["upbit_websocket_url"]) as client:
        await running.until(lambda: len(running.simulator.connections("upbit")) == 1)
        await running.control("fault", fault="malformed", exchange="upbit", text='{"type":"trade","code":')
        assert await client.recv() == b'{"type":"trade","code":'
        await running.control("fault", fault="malformed", exchange="upbit", base64=b64encode(b"\xff\xfe{").decode())
        assert await client.recv() == b"\xff\xfe{"


async def test_a_frame_of_ten_megabytes_arrives_whole(simulate: Any) -> None:
    running = await simulate()
    async with connect(running.url["upbit_websocket_url"], max_size=None) as client:
        await running.until(lambda: len(running.simulator.connections("upbit")) == 1)
        await running.control("fault", fault="malformed", exchange="upbit", text="x", times=10_000_000)
        assert len(await client.recv()) == 10_000_000


@pytest.mark.parametrize(
    "order",
    [
        {},
        {"fault": "nope"},
        {"fault": "close"},
        {"fault": "crash", "exchange": "binance", "symbol": "KRW-BTC"},
        {"fault": "close", "exchange": "upbit", "code": 7},
        {"fault": "slow_drip", "exchange": "upbit", "bytes_per_s": 0},
        {"fault": "clock_skew", "exchange": "upbit"},
        {"fault": "clock_skew", "exchange": "nope", "ahead_ms": 5},
        {"fault": "silence_symbol", "exchange": "upbit", "symbol": "KRW-NOPE"},
        {"fault": "malformed", "exchange": "upbit"},
        {"fault": "malformed", "exchange": "upbit", "base64": "?"},
        {"fault": "slack", "kind": "nope"},
        {"fault": "rename_field", "exchange": "upbit", "name": "code"},
    ],
)
async def test_a_wrong_order_is_told_in_one_line(simulate: Any, order: dict[str, Any]) -> None:
    running = await simulate()
    async with running.http.post(running.url["control_url"] + "/fault", json=order) as answer:
        assert answer.status == 400
        error = (await answer.json())["error"]
    assert error
    assert "\n" not in error


async def test_start_opens_the_market_without_its_listeners(simulate: Any) -> None:
    running = await simulate(expect=1_000)
    assert running.simulator.player.state == "waiting"
    await running.control("start")
    await running.until(lambda: running.simulator.hub.published["trade"] > 0)


async def test_a_port_in_use_is_named(simulate: Any) -> None:
    running = await simulate()
    port = int(running.url["binance_rest_url"].rpartition(":")[2])
    with pytest.raises(WrongUse, match=f"--port {port}"):
        await Simulator(SimulatorOptions(port=port)).start()


@pytest.mark.parametrize(
    ("options", "named"),
    [({"scenario": "nope"}, "--scenario"), ({"symbols": 0}, "--symbols"), ({"speed": 2.0}, "--speed")],
)
def test_wrong_options_are_named(options: dict[str, Any], named: str) -> None:
    with pytest.raises(WrongUse, match=named):
        Simulator(SimulatorOptions(**options))


async def test_a_paused_market_says_nothing_and_then_goes_on_as_if_no_time_had_passed(simulate: Any) -> None:
    running = await simulate(expect=0, rate=2_000.0)
    await running.until(lambda: running.simulator.hub.published["trade"] > 100)
    paused = await running.control("pause")
    lines = len(running.truth.read_text(encoding="utf-8").splitlines())
    await asyncio.sleep(0.3)
    assert lines == paused["truth_lines"] == (await running.get(running.url["control_url"] + "/status"))["truth_lines"]
    await running.control("resume")
    await running.until(lambda: running.simulator.hub.published["trade"] > paused["published"]["trade"] + 100)
    assert running.simulator.player.late_s < 0.3
