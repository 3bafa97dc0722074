"""The REST lists of both exchanges, their limits and their errors."""

import json
import time
from decimal import Decimal
from itertools import pairwise
from typing import Any


async def traded(simulate: Any, **options: Any) -> Any:
    running = await simulate(expect=0, **options)
    await running.until(lambda: running.simulator.hub.published["trade"] > 200)
    return running


async def test_upbit_lists_its_markets_with_and_without_details(simulate: Any) -> None:
    running = await simulate(symbols=10)
    plain = await running.get(running.url["upbit_rest_url"] + "/market/all")
    assert plain[0] == {"market": "KRW-BTC", "korean_name": "비트코인", "english_name": "Bitcoin"}
    assert {row["market"].partition("-")[0] for row in plain} == {"KRW", "BTC", "USDT"}
    details = await running.get(running.url["upbit_rest_url"] + "/market/all", is_details="true")
    assert details[0]["market_event"]["warning"] is False
    assert sum(any(row["market_event"]["caution"].values()) for row in details) == 1


async def test_upbit_tickers_of_a_quote_and_of_a_list(simulate: Any) -> None:
    running = await traded(simulate)
    everything = await running.get(running.url["upbit_rest_url"] + "/ticker/all", quote_currencies="KRW")
    assert [row["market"] for row in everything] == ["KRW-BTC", "KRW-ETH", "KRW-XRP"]
    assert all(row["low_price"] <= row["trade_price"] <= row["high_price"] for row in everything)
    turnovers = [row["acc_trade_price_24h"] for row in everything]
    assert turnovers == sorted(turnovers, reverse=True)


async def test_one_unknown_market_fails_the_whole_list(simulate: Any) -> None:
    running = await simulate()
    async with running.http.get(running.url["upbit_rest_url"] + "/ticker?markets=KRW-BTC,KRW-NOPE") as answer:
        assert answer.status == 404
        assert json.loads(await answer.text())["error"]["name"] == 404


async def test_upbit_trades_are_walked_back_by_cursor(simulate: Any) -> None:
    running = await traded(simulate, symbols=1)
    await running.control("stop")
    address = running.url["upbit_rest_url"] + "/trades/ticks"
    found, cursor = [], {}
    while page := await running.get(address, market="KRW-BTC", count=40, **cursor):
        found += page
        cursor = {"cursor": page[-1]["sequential_id"]}
    truth = [json.loads(line) for line in running.truth.read_text().splitlines()]
    ids = {int(line["trade_id"]) for line in truth if (line["exchange"], line["channel"]) == ("upbit", "trade")}
    assert [row["sequential_id"] for row in found] == sorted(ids, reverse=True)
    assert await running.get(address, market="KRW-BTC", count=5, days_ago=1) == []


async def test_upbit_candles_join_past_and_present_without_a_jump(simulate: Any) -> None:
    running = await traded(simulate, scenario="calm")
    rows = await running.get(running.url["upbit_rest_url"] + "/candles/minutes/1", market="KRW-BTC", count=200)
    assert len(rows) == 200
    assert all(newer["candle_date_time_utc"] > older["candle_date_time_utc"] for newer, older in pairwise(rows))
    prices = [row["trade_price"] for row in rows]
    assert max(prices) / min(prices) < 1.01
    fives = await running.get(running.url["upbit_rest_url"] + "/candles/minutes/5", market="KRW-BTC", count=3)
    assert [row["unit"] for row in fives] == [5, 5, 5]
    older = await running.get(
        running.url["upbit_rest_url"] + "/candles/minutes/1",
        market="KRW-BTC",
        count=1,
        to=rows[0]["candle_date_time_utc"],
    )
    assert older[0]["candle_date_time_utc"] == rows[1]["candle_date_time_utc"]


async def test_upbit_says_how_many_calls_are_left_and_refuses_the_eleventh(simulate: Any) -> None:
    running = await simulate()
    answers = []
    for _ in range(11):
        async with running.http.get(running.url["upbit_rest_url"] + "/market/all") as answer:
            answers.append((answer.status, answer.headers.get("Remaining-Req")))
    assert answers[0] == (200, "group=market; min=600; sec=9")
    assert answers[9] == (200, "group=market; min=600; sec=0")
    assert answers[10][0] == 429
    blocked = [await running.http.get(running.url["upbit_rest_url"] + "/market/all") for _ in range(25)]
    assert blocked[-1].status == 418


async def test_upbit_books(simulate: Any) -> None:
    running = await traded(simulate)
    [book] = await running.get(running.url["upbit_rest_url"] + "/orderbook", markets="KRW-BTC", count=5)
    assert len(book["orderbook_units"]) == 5


async def test_binance_lists_what_trades_and_what_does_not(simulate: Any) -> None:
    running = await simulate()
    info = await running.get(running.url["binance_rest_url"] + "/api/v3/exchangeInfo")
    status = {row["symbol"]: (row["status"], row["baseAsset"], row["quoteAsset"]) for row in info["symbols"]}
    assert status["BTCUSDT"] == ("TRADING", "BTC", "USDT")
    assert status["LUNAUSDT"] == ("BREAK", "LUNA", "USDT")
    assert {limit["rateLimitType"] for limit in info["rateLimits"]} == {"REQUEST_WEIGHT", "RAW_REQUESTS"}
    one = await running.get(running.url["binance_rest_url"] + "/api/v3/exchangeInfo", symbols='["BTCUSDT"]')
    assert [row["symbol"] for row in one["symbols"]] == ["BTCUSDT"]


async def test_binance_day_statistics(simulate: Any) -> None:
    running = await traded(simulate)
    address = running.url["binance_rest_url"] + "/api/v3/ticker/24hr"
    full = {row["symbol"]: row for row in await running.get(address)}
    assert Decimal(full["BTCUSDT"]["quoteVolume"]) > Decimal(full["XRPUSDT"]["quoteVolume"]) > 0
    assert full["LUNAUSDT"]["lastPrice"] == "0.00000000"
    mini = await running.get(address, type="MINI", symbol="BTCUSDT")
    assert set(mini) < set(full["BTCUSDT"])


async def test_binance_trades_are_walked_forward_by_id(simulate: Any) -> None:
    running = await traded(simulate, symbols=1)
    truth = await running.stop()
    ids = [int(line["trade_id"]) for line in truth if (line["exchange"], line["channel"]) == ("binance", "trade")]
    base = running.url["binance_rest_url"] + "/api/v3/"
    rows = await running.get(base + "historicalTrades", symbol="BTCUSDT", fromId=ids[3], limit=7)
    assert [row["id"] for row in rows] == ids[3:10]
    newest = await running.get(base + "trades", symbol="BTCUSDT", limit=4)
    assert [row["id"] for row in newest] == ids[-4:]
    aggregates = await running.get(base + "aggTrades", symbol="BTCUSDT", startTime=newest[0]["time"], limit=1)
    assert aggregates[0]["T"] >= newest[0]["time"]


async def test_binance_klines_hold_exactly_what_was_traded(simulate: Any) -> None:
    running = await traded(simulate, symbols=1)
    truth = await running.stop()
    mine = [line for line in truth if (line["exchange"], line["channel"]) == ("binance", "trade")]
    base = running.url["binance_rest_url"] + "/api/v3/"
    rows = await running.get(base + "klines", symbol="BTCUSDT", interval="1m", limit=1000)
    first_us = min(line["traded_at_us"] for line in mine) // 60_000_000 * 60_000
    live = [row for row in rows if row[0] >= first_us]
    assert sum(Decimal(row[5]) for row in live) == sum(Decimal(line["quantity"]) for line in mine)
    assert sum(Decimal(row[7]) for row in live) == sum(
        Decimal(line["quantity"]) * Decimal(line["price"]) for line in mine
    )
    assert sum(row[8] for row in live) == len(mine)
    assert len(rows) == 1000


async def test_binance_errors_and_weights(simulate: Any) -> None:
    running = await simulate()
    base = running.url["binance_rest_url"] + "/api/v3/"
    async with running.http.get(base + "klines?symbol=NOPE&interval=1m") as answer:
        assert (answer.status, (await answer.json())["code"]) == (400, -1121)
    async with running.http.get(base + "depth?symbol=BTCUSDT&limit=5000") as answer:
        assert answer.headers["X-MBX-USED-WEIGHT-1M"] == "252"
    statuses = []
    for _ in range(60):
        async with running.http.get(base + "depth?symbol=BTCUSDT&limit=5000") as answer:
            statuses.append((answer.status, int(answer.headers.get("Retry-After", 0))))
    assert statuses[0][0] == 200
    refused = [status for status in statuses if status[0] == 429]
    assert len(refused) == 20
    assert all(1 <= after_s <= 61 for _, after_s in refused)
    assert statuses[-1][0] == 418


async def test_binance_time_in_both_units(simulate: Any) -> None:
    running = await simulate()
    address = running.url["binance_rest_url"] + "/api/v3/time"
    milliseconds = (await running.get(address))["serverTime"]
    async with running.http.get(address, headers={"X-MBX-TIME-UNIT": "MICROSECOND"}) as answer:
        microseconds = (await answer.json())["serverTime"]
    assert abs(milliseconds / 1000 - time.time()) < 5
    assert 0 <= microseconds // 1000 - milliseconds < 5_000


async def test_it_listens_where_it_is_told_to(simulate: Any) -> None:
    elsewhere = await simulate(listen="127.0.0.2")
    assert elsewhere.url["upbit_rest_url"].startswith("http://127.0.0.2:")
    assert await elsewhere.get(f"{elsewhere.url['upbit_rest_url']}/market/all")


async def test_lists_change_on_command(simulate: Any) -> None:
    running = await simulate()
    upbit = running.url["upbit_rest_url"] + "/market/all"
    flags = {"warning": True, "cautions": ["PRICE_FLUCTUATIONS"]}
    await running.control("list", exchange="upbit", symbol="KRW-ETH", **flags)
    await running.control("list", exchange="upbit", symbol="KRW-BTC", listed=False)
    rows = {row["market"]: row for row in await running.get(upbit, is_details="true")}
    assert "KRW-BTC" not in rows
    assert rows["KRW-ETH"]["market_event"]["warning"] is True
    assert rows["KRW-ETH"]["market_event"]["caution"]["PRICE_FLUCTUATIONS"] is True
    await running.control("list", exchange="upbit", symbol="KRW-BTC", listed=True)
    await running.control("list", exchange="upbit", symbol="KRW-ETH", cautions=[])
    rows = {row["market"]: row for row in await running.get(upbit, is_details="true")}
    assert "KRW-BTC" in rows
    assert rows["KRW-ETH"]["market_event"]["warning"] is True
    assert not any(rows["KRW-ETH"]["market_event"]["caution"].values())
    await running.control("list", exchange="binance", symbol="ETHUSDT", trading=False)
    found = (await running.get(running.url["binance_rest_url"] + "/api/v3/exchangeInfo"))["symbols"]
    assert {row["symbol"]: row["status"] for row in found}["ETHUSDT"] == "BREAK"
    for wrong in ({"exchange": "upbit", "symbol": "KRW-NO"}, {"exchange": "upbit", "symbol": "KRW-BTC", "warning": 1}):
        async with running.http.post(f"{running.url['control_url']}/list", json=wrong) as answer:
            assert answer.status == 400
