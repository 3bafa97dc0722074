"""A market that is taken off its exchange's list, or halted there, is no longer heard of."""

import asyncio
import json
from typing import Any

from websockets.asyncio.client import connect

from shared.clock import now_us


async def test_a_market_that_left_its_list_says_nothing_more_until_it_is_back(simulate: Any) -> None:
    running = await simulate(symbols=2, rate=2_000.0, expect=1)
    streams = "/stream?streams=btcusdt@trade/btcusdt@aggTrade/btcusdt@miniTicker/ethusdt@trade"
    published = running.simulator.hub.published

    async def some_time() -> None:
        enough = published["trade"] + 300
        await running.until(lambda: published["trade"] > enough)

    async with connect(running.url["binance_websocket_url"] + streams, max_queue=None) as client:
        await some_time()
        for exchange, symbol in (("upbit", "KRW-BTC"), ("binance", "BTCUSDT")):
            await running.control("list", exchange=exchange, symbol=symbol, listed=False)
        left_at_us = now_us()
        await some_time()
        assert all(feed.last is None for feed in running.simulator.hub.feeds() if "BTC" in feed.key[2])
        back_at_us = now_us()
        await running.control("list", exchange="binance", symbol="BTCUSDT", listed=True)
        await some_time()
        shown = await running.get(running.url["binance_rest_url"] + "/api/v3/trades", symbol="BTCUSDT", limit="1000")
        truth = await running.stop()
        asyncio.get_running_loop().call_later(0.2, running.simulator.connections("binance")[0].close, 1000)
        heard = [json.loads(frame)["data"] async for frame in client]
    resting = {line["symbol"] for line in truth if left_at_us < line["published_at_us"] < back_at_us}
    assert resting == {"KRW-ETH", "ETHUSDT"}
    assert {line["symbol"] for line in truth if line["published_at_us"] > back_at_us} == {*resting, "BTCUSDT"}
    bitcoin = [line for line in truth if (line["exchange"], line["symbol"]) == ("binance", "BTCUSDT")]
    ids = [int(line["trade_id"]) for line in bitcoin if line["channel"] == "trade"]
    assert ids == [frame["t"] for frame in heard if (frame["e"], frame["s"]) == ("trade", "BTCUSDT")]
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    assert [row["id"] for row in shown][-100:] == [one for one in ids if one <= shown[-1]["id"]][-100:]
    tickers = [line for line in bitcoin if line["channel"] == "ticker"]
    assert len(tickers) == sum(frame["e"] == "24hrMiniTicker" for frame in heard)


async def test_a_market_that_is_halted_stays_on_its_list_and_says_nothing(simulate: Any) -> None:
    running = await simulate(symbols=1, rate=2_000.0, expect=0)
    await running.until(lambda: running.simulator.hub.published["trade"] > 50)
    await running.control("list", exchange="binance", symbol="BTCUSDT", trading=False)
    halted_at_us = now_us()
    enough = running.simulator.hub.published["trade"] + 50
    await running.until(lambda: running.simulator.hub.published["trade"] > enough)
    later = [line["symbol"] for line in await running.stop() if line["published_at_us"] > halted_at_us]
    assert set(later) == {"KRW-BTC"}
