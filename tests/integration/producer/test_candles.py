"""A day of the exchange's own minutes beside the tape: all of them, exactly, once, and never in the tape's way."""

from decimal import Decimal

from shared.partitioning import partition_of
from shared.topics import CANDLES, FEED, TRADES

MINUTE_US = 60_000_000
QUICK = {"BINANCE__CHANNELS": "trade", "UPBIT__CHANNELS": "trade"}


async def told_by_rest(market, exchange, symbol):
    """The newest minutes as the exchange's REST has them, by their begin: open, high, low, close."""
    upbit = f"{market.url['upbit_rest_url']}/candles/minutes/1?market={symbol}&count=200"
    binance = f"{market.url['binance_rest_url']}/api/v3/klines?symbol={symbol}&interval=1m&limit=200"
    async with market.http.get(upbit if exchange == "upbit" else binance) as answer:
        rows = await answer.json()
    if exchange == "binance":
        return {row[0] * 1000: tuple(map(Decimal, row[1:5])) for row in rows}
    names = ("opening_price", "high_price", "low_price", "trade_price")
    return {row["candle_date_time_utc"]: tuple(Decimal(str(row[name])) for name in names) for row in rows}


async def candles_of(ground):
    found = {}
    for one in await ground.held(CANDLES):
        found.setdefault((one.event.exchange, one.event.symbol), []).append(one)
    return found


async def test_a_fresh_install_gets_a_day_of_every_market_and_a_restart_asks_only_for_the_rest(ground, compare, end_of):
    market = await ground.market(symbols=2, expect=4)
    producers = [await ground.producer(exchange, **QUICK) for exchange in ("upbit", "binance")]

    async def a_day_of_each() -> bool:
        found = await candles_of(ground)
        return len(found) == 4 and all(len(held) >= 1_430 for held in found.values())

    await ground.until(a_day_of_each)
    found = await candles_of(ground)
    for (exchange, symbol), held in found.items():
        assert {one.partition for one in held} == {partition_of(f"{exchange}:{symbol}", CANDLES.partitions)}
        opened = [one.event.opened_at_us for one in held]
        assert opened == sorted(set(opened), reverse=True)  # newest first, each once
        assert opened[0] + MINUTE_US < held[0].event.received_at_us
        assert all(Decimal(one.event.low) <= Decimal(one.event.close) <= Decimal(one.event.high) for one in held)
        assert all(Decimal(one.event.turnover) > 0 for one in held)
    by_rest = await told_by_rest(market, "binance", "BTCUSDT")
    ours = {
        one.event.opened_at_us: tuple(map(Decimal, (one.event.open, one.event.high, one.event.low, one.event.close)))
        for one in found["binance", "BTCUSDT"]
    }
    both = by_rest.keys() & ours.keys()
    assert len(both) > 190
    assert all(by_rest[at_us] == ours[at_us] for at_us in both)
    assert [await end_of(producer) for producer in producers] == [0, 0]
    again = await ground.producer("upbit", **QUICK)
    await ground.until_more(150, "upbit")  # what it would ask for, it would have asked for by now
    assert await end_of(again) == 0
    assert {name: len(held) for name, held in (await candles_of(ground)).items()} == {
        name: len(held) for name, held in found.items()
    }
    assert not [one for one in await ground.held(FEED) if one.event.kind == "degraded"]
    heard = [line for line in await market.stop() if line["heard"]]
    assert compare(heard, await ground.held(TRADES)).lost == []


async def test_an_exchange_without_candles_is_told_once_and_the_tape_goes_on(ground, end_of, tmp_path):
    await ground.market(symbols=2, expect=2)
    kept = {"STATE__DIRECTORY": str(tmp_path / "state"), "START__WAIT_S": "1", **QUICK}
    first = await ground.producer("upbit", **kept)
    await ground.until_more(10, "upbit")
    assert await end_of(first) == 0
    before = len(await ground.held(CANDLES))
    second = await ground.producer("upbit", UPBIT__REST_URL="http://127.0.0.1:9/v1", **kept)

    async def said() -> bool:
        return any(one.event.kind == "degraded" for one in await ground.held(FEED))

    await ground.until(said)
    await ground.until_more(30, "upbit")
    assert await end_of(second) == 0
    [told] = [one.event for one in await ground.held(FEED) if one.event.kind == "degraded"]
    assert "candles have to wait" in told.reason
    assert (told.connection, told.symbols) == ("upbit-0-candles", None)
    assert len(await ground.held(CANDLES)) == before
