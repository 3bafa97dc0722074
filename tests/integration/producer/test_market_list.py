"""The exchange's list changes while a producer runs: published, told, and what is new is read without a restart."""

import asyncio

import pytest

from shared.topics import FEED, INSTRUMENTS, TRADES

OFTEN = {"UPBIT__LIST_EVERY_S": "1"}


async def test_flags_listings_and_leaving_are_published_and_a_new_market_is_read(ground, end_of):
    market = await ground.market(symbols=3, expect=0)
    await market.control("list", exchange="upbit", symbol="KRW-XRP", listed=False)
    producer = await ground.producer("upbit", **OFTEN)
    await ground.until_more(20, "upbit")
    assert "KRW-XRP" not in {one.event.symbol for one in await ground.held(TRADES)}
    await market.control("list", exchange="upbit", symbol="KRW-XRP", listed=True)
    await market.control("list", exchange="upbit", symbol="KRW-BTC", warning=True)
    await market.control("list", exchange="upbit", symbol="KRW-ETH", listed=False)

    async def all_told():
        newest = {one.event.symbol: one.event for one in await ground.held(INSTRUMENTS)}
        return (
            newest["KRW-BTC"].warning
            and newest["KRW-ETH"].status == "gone"
            and "KRW-XRP" in newest
            and "KRW-XRP" in {one.event.symbol for one in await ground.held(TRADES)}
        )

    await ground.until(all_told)
    assert await end_of(producer) == 0
    instruments = [one.event for one in await ground.held(INSTRUMENTS)]
    assert sum(one.symbol == "KRW-BTC" for one in instruments) == 2
    [listed] = [one for one in instruments if one.symbol == "KRW-XRP"]
    assert listed.listed_at_us is not None
    feed = [one.event for one in await ground.held(FEED)]
    assert [(one.kind, one.symbols) for one in feed if one.kind in ("listed", "gone")] == [
        ("listed", ["KRW-XRP"]),
        ("gone", ["KRW-ETH"]),
    ]
    [gap] = [one for one in feed if one.kind == "gap"]
    assert gap.symbols == ["KRW-XRP"]
    assert "before it was subscribed" in gap.reason


@pytest.mark.parametrize("switch", ["trading", "spot"])
async def test_a_market_that_stands_still_or_has_its_spot_side_switched_off_is_halted_and_not_gone(
    ground, end_of, switch
):
    market = await ground.market(symbols=2, expect=0)
    producer = await ground.producer("binance", BINANCE__LIST_EVERY_S="1")
    await ground.until_more(20, "binance")

    async def is_told(*statuses):
        told = [one.event.status for one in await ground.held(INSTRUMENTS) if one.event.symbol == "ETHUSDT"]
        return told == list(statuses)

    await market.control("list", exchange="binance", symbol="ETHUSDT", **{switch: False})
    await ground.until(lambda: is_told("trading", "halted"))
    await asyncio.sleep(2.5)  # two more lists that lack it
    await market.control("list", exchange="binance", symbol="ETHUSDT", **{switch: True})
    await ground.until(lambda: is_told("trading", "halted", "trading"))
    assert await end_of(producer) == 0
    assert not [one for one in await ground.held(FEED) if one.event.kind == "gone"]


async def test_a_market_of_binance_that_is_taken_off_is_gone(ground, end_of):
    market = await ground.market(symbols=2, expect=0)
    producer = await ground.producer("binance", BINANCE__LIST_EVERY_S="1")
    await ground.until_more(20, "binance")
    await market.control("list", exchange="binance", symbol="ETHUSDT", listed=False)

    async def is_gone():
        return "gone" in {one.event.status for one in await ground.held(INSTRUMENTS) if one.event.symbol == "ETHUSDT"}

    await ground.until(is_gone)
    assert await end_of(producer) == 0
    assert [one.event.symbols for one in await ground.held(FEED) if one.event.kind == "gone"] == [["ETHUSDT"]]


async def test_a_list_that_is_refused_is_counted_and_the_tape_goes_on(ground, end_of):
    market = await ground.market(symbols=2, expect=0)
    producer = await ground.producer("upbit", **OFTEN)
    await ground.until_more(20, "upbit")

    async def one_is_refused():
        for _ in range(11):  # the exchange's own limit: ten a second
            async with market.http.get(f"{market.url['upbit_rest_url']}/market/all") as answer:
                await answer.read()
        return "gave no list" in ground.log("upbit").read_text()

    await ground.until(one_is_refused)
    await ground.until_more(50, "upbit")
    assert await end_of(producer) == 0
