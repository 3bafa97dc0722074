"""Faults of what the exchanges send, and of the lines to them."""

import asyncio
from random import Random
from time import monotonic
from typing import TYPE_CHECKING

import asyncpg

from tests.faults.fault import Fault, Struck

if TYPE_CHECKING:
    from tests.faults.world import World

_EXCHANGES = ("upbit", "binance")
_BUSY = {"upbit": "KRW-BTC", "binance": "BTCUSDT"}
_STALL_TOLD_WITHIN_S = 120.0
"""Twenty seconds of silence, a question a minute at the most, and what a busy machine takes besides."""
_REPLACED_WITHIN_S = 5.0
_MALFORMED = (
    "{",
    "\x00\x01",
    '"a string"',
    "[" * 5_000,
    '{"type":"trade","code":"KRW-BTC","trade_price":1e400}',
    '{"type":"trade","code":"KRW-BTC","trade_price":NaN,"trade_volume":"1"}',
    '{"type":"trade","code":"KRW-BTC","ask_bid":"INSURANCE_FUND","trade_price":1,"trade_volume":1}',
    '{"stream":"btcusdt@trade","data":{"e":"trade","s":"BTCUSDT","t":"one","p":1,"q":null}}',
    '{"stream":"btcusdt@trade","data":{"e":"trade","s":"BTCUSDT","t":-1,"p":"1e99999999","q":"1","T":0,"m":2}}',
)
_LETTERS = "SELECT coalesce(sum(1 + suppressed), 0)::bigint FROM dead_letter WHERE exchange = $1 AND topic IS NULL"


async def malformed(world: "World", random: Random) -> Struck:
    """Frames that cannot be read, between those that can, on every connection of both exchanges."""
    connection = await asyncpg.connect(world.settings.postgres.dsn.get_secret_value())
    try:
        before = {exchange: await connection.fetchval(_LETTERS, exchange) for exchange in _EXCHANGES}
    finally:
        await connection.close()
    for text in random.sample(_MALFORMED, len(_MALFORMED)):
        for exchange in _EXCHANGES:
            await world.market.play("malformed", exchange=exchange, text=text)
        await asyncio.sleep(random.uniform(0.0, 0.3))

    async def check(world: "World") -> list[str]:
        connection = await asyncpg.connect(world.settings.postgres.dsn.get_secret_value())
        try:
            await asyncio.sleep(1)
            after = {exchange: await connection.fetchval(_LETTERS, exchange) for exchange in _EXCHANGES}
        finally:
            await connection.close()
        return [
            f"{exchange}: {after[exchange] - before[exchange]} dead letters for {len(_MALFORMED)} unreadable frames"
            for exchange in _EXCHANGES
            if after[exchange] - before[exchange] < len(_MALFORMED) - 2
        ]

    return Struck(2 * len(_MALFORMED), check=check)


async def connections_reset(world: "World", random: Random) -> Struck:
    """Every connection breaks inside a frame."""
    for exchange in random.sample(_EXCHANGES, 2):
        await world.market.play("reset", exchange=exchange)
    return Struck(2)


async def symbol_stalled(world: "World", random: Random) -> Struck:
    """One symbol of an exchange is traded on and comes no more, while the others of its line flow.

    Its trades alone: nobody watches a ticker or a book, and what is told of them after the gap would count as lost.
    """
    exchange = random.choice(_EXCHANGES)
    before, began_s = await world.gaps(), monotonic()
    await world.market.play("stall_symbol", exchange=exchange, symbol=_BUSY[exchange], channel="trade")
    while await world.gaps() == before and monotonic() - began_s < _STALL_TOLD_WITHIN_S:  # noqa: ASYNC110  # no event says so
        await asyncio.sleep(0.5)
    told_s = monotonic() - began_s
    await asyncio.sleep(_REPLACED_WITHIN_S)
    return Struck(broken=[] if told_s < _STALL_TOLD_WITHIN_S else [f"nobody told of it within {told_s:.0f} s"])


async def symbols_repeated(world: "World", _random: Random) -> Struck:
    """Everything arrives twice for five seconds."""
    for exchange in _EXCHANGES:
        await world.market.play("duplicate", exchange=exchange, seconds=5)
    await asyncio.sleep(5)
    return Struck(2)


async def frame_too_large(world: "World", random: Random) -> Struck:
    """A frame of megabytes on every connection: it is not read, and the connection is made anew."""
    for exchange in random.sample(_EXCHANGES, 2):
        await world.market.play("malformed", exchange=exchange, text="[" + "1," * (3 << 20) + "1]")
    return Struck(2)


async def burst(world: "World", _random: Random) -> Struck:
    """Fifty times as much of everything for ten seconds, or as much of that as the simulator can tell."""
    await world.market.play("burst", factor=50, seconds=10)
    await asyncio.sleep(10)
    return Struck()


FAULTS = [
    Fault("F29", "frame-too-large", "6 MB on every connection", frame_too_large, bound_s=5, makes_gap=True),
    Fault("F26", "symbol-stalled", "one of a line is not heard", symbol_stalled, bound_s=10, makes_gap=True),
    Fault("F31", "burst", "50 times the rate for 10 s, as far as can be", burst, bound_s=10),
    Fault("F29", "malformed-frames", "frames that cannot be read", malformed, bound_s=2, target="test-long"),
    Fault("F27", "connections-reset", "broken inside a frame", connections_reset, bound_s=5, makes_gap=True),
    Fault("F28", "everything-twice", "both exchanges repeat themselves", symbols_repeated, bound_s=2),
]
