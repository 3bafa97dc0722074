"""An exchange that wants no questions is asked none before the time is over, whoever of us would like to ask."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import msgspec
import pytest

from services.producer.catalogue import Market
from services.producer.list_watch import watch_list
from services.producer.market_list import Changes, MarketList
from services.producer.rest import ListUnavailable, NoAnswer, Rest, make_session
from services.producer.selection import Kept, Selection, select
from services.simulator.app import Simulator
from services.simulator.binance.rest import RestLimits
from shared.clock import now_us

BAN_S = 2
BTC = Market("BTCUSDT", "BTC", "USDT")


@pytest.fixture
async def banned(simulated: Callable[..., Awaitable[Simulator]]) -> Simulator:
    """A Binance that has banned us for asking too much, and begins anew with every question."""
    limits = RestLimits(weight_a_minute=100, refusals_until_banned=1, ban_s=BAN_S)
    simulator = await simulated(binance_rest_limits=limits)
    async with aiohttp.ClientSession() as http:
        for expected in (429, 418):
            async with http.get(f"{simulator.addresses()['binance_rest_url']}/api/v3/depth?limit=5000") as answer:
                assert answer.status == expected
    return simulator


def binance_of(simulator: Simulator, directory: Path | None = None) -> Rest:
    return Rest("binance", simulator.addresses()["binance_rest_url"], directory)


async def chosen(simulator: Simulator, told: list[str], directory: Path | None = None, wait_s: int = 1) -> Selection:
    upbit = Rest("upbit", simulator.addresses()["upbit_rest_url"])
    return await select(binance_of(simulator), upbit, ["BTCUSDT"], (), wait_s, directory, told.append)


async def test_the_list_that_is_asked_for_again_and_again_waits_for_the_end_of_a_ban(banned: Simulator) -> None:
    read = asyncio.Event()

    async def take(_: Changes) -> None:
        read.set()

    binance = binance_of(banned)
    asking = asyncio.create_task(watch_list(binance, MarketList([BTC]), 0.05, now_us, take))
    while not binance.wish:  # noqa: ASYNC110  # no event says so
        await asyncio.sleep(0.01)
    assert binance.wish.startswith("binance wants no questions for ")
    assert binance.wish.endswith("HTTP 418")
    await read.wait()
    asking.cancel()
    assert banned.binance_rest.asked_too_early == 1, "nobody can know of a ban before the first refusal"
    assert binance.wish == ""


async def test_a_start_without_a_list_waits_for_the_end_of_a_ban_beyond_its_own_limit(banned: Simulator) -> None:
    told: list[str] = []
    selection = await chosen(banned, told, wait_s=0)
    assert selection.symbols == ["BTCUSDT"]
    assert banned.binance_rest.asked_too_early == 1
    assert told[0].startswith("waiting for the list of binance: http://127.0.0.1:")
    assert told[0].endswith(f"answered HTTP 418; asked again in {BAN_S + 1} s")


async def test_a_start_with_a_list_in_hand_asks_no_more(banned: Simulator, tmp_path: Path) -> None:
    path = tmp_path / "lists-binance.json"
    path.write_bytes(msgspec.json.encode(Kept([BTC], {}, [])))
    told: list[str] = []
    selection = await chosen(banned, told, tmp_path, wait_s=60)
    assert selection.markets == [BTC]
    assert (banned.binance_rest.asked_too_early, told) == (1, [])


async def test_what_one_was_told_holds_for_everybody_who_asks(banned: Simulator) -> None:
    binance = binance_of(banned)
    async with make_session() as session:
        with pytest.raises(NoAnswer) as refused:
            await binance.fetch(session, "/api/v3/klines?symbol=BTCUSDT&interval=1m", 1 << 20)
    assert (refused.value.status, refused.value.wait_s) == (418, BAN_S)
    with pytest.raises(ListUnavailable) as held:
        await binance.markets()
    assert 0 < held.value.wait_s <= BAN_S + 1
    assert banned.binance_rest.asked_too_early == 1


async def test_a_producer_that_is_started_anew_during_a_ban_asks_nothing_before_its_end(
    banned: Simulator, tmp_path: Path
) -> None:
    before = binance_of(banned, tmp_path)
    with pytest.raises(ListUnavailable):
        await before.markets()
    after = binance_of(banned, tmp_path)
    assert before.quiet_s - 0.5 < after.quiet_s <= before.quiet_s + 0.01
    assert after.wish.endswith("HTTP 418")
    with pytest.raises(ListUnavailable) as held:
        await after.markets()
    assert held.value.wait_s > 0
    assert banned.binance_rest.asked_too_early == 1, "nobody can know of a ban before the first refusal"
    while after.quiet_s:  # noqa: ASYNC110  # no event says so
        await asyncio.sleep(after.quiet_s)
    assert await after.markets()
    assert banned.binance_rest.asked_too_early == 1
    assert Rest("upbit", "http://127.0.0.1:1", tmp_path).wish == "", "it is no wish of the other exchange"


async def test_upbit_says_how_long_a_ban_is_in_its_text(simulated: Callable[..., Awaitable[Simulator]]) -> None:
    upbit = Rest("upbit", (await simulated()).addresses()["upbit_rest_url"])
    refusals = []
    while upbit.quiet_s == 0:
        try:
            await upbit.markets()
        except ListUnavailable as error:
            refusals.append(error.wait_s)
    assert refusals[:-1] == [0.0] * 20, "Upbit's 429 names no time"
    assert 0 < refusals[-1] <= 62, "its block is over within a minute"
