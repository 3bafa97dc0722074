"""Faults of what the exchanges send, and of the lines to them."""

import asyncio
from base64 import b64encode
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from random import Random
from time import monotonic
from typing import TYPE_CHECKING

from shared.clock import now_us
from tests.faults.fault import Fault, Struck
from tests.faults.limits import complaints_after
from tests.faults.market import ALERTS
from tests.faults.stores import postgres

if TYPE_CHECKING:
    from tests.faults.world import World

_EXCHANGES = ("upbit", "binance")
_BUSY = {"upbit": "KRW-BTC", "binance": "BTCUSDT"}
_STALL_TOLD_WITHIN_S = 120.0
"""Twenty seconds of silence, a question a minute at the most, and what a busy machine takes besides."""
_REPLACED_WITHIN_S = 5.0
_CRASH_DAY_S, _FALLS = 60.0, 5
_FALL_TOLD_WITHIN_S = 10.0
_MALFORMED = (
    b"{",
    b"\x00\x01",
    b'"a string"',
    b"[" * 5_000,
    b'{"type":"trade","code":"KRW-BTC","trade_price":1e400}',
    b'{"type":"trade","code":"KRW-BTC","trade_price":NaN,"trade_volume":"1"}',
    b'{"type":"trade","code":"KRW-BTC","ask_bid":"INSURANCE_FUND","trade_price":1,"trade_volume":1}',
    b'{"stream":"btcusdt@trade","data":{"e":"trade","s":"BTCUSDT","t":"one","p":1,"q":null}}',
    b'{"stream":"btcusdt@trade","data":{"e":"trade","s":"BTCUSDT","t":-1,"p":"1e99999999","q":"1","T":0,"m":2}}',
    b"\xff\xfe\xfa",
    b'{"type":"trade","code":"\xc3\x28","trade_price":1,"trade_volume":1}',
    b'{"type":"liquidation","code":"KRW-BTC","trade_price":1,"trade_volume":1}',
    b'{"stream":"btcusdt@trade","data":{"e":"liquidation","s":"BTCUSDT","t":1,"p":"1","q":"1","T":0,"m":true}}',
)
_LARGE_BYTES = 10_000_000
_AN_EXAMPLE_A_SECOND_S = 3.0
"""On lines without trades a producer keeps a letter a second; the next tells how many it left out before."""
_LETTERS = "SELECT coalesce(sum(1 + suppressed), 0)::bigint FROM dead_letter WHERE exchange = $1 AND topic IS NULL"
_LETTERS_WITHIN_S = 10.0


async def malformed(world: "World", random: Random) -> Struck:
    """Frames that cannot be read, between those that can, on every connection of both exchanges."""
    before, sent = await _letters(world), Counter[str]()
    for frame in random.sample(_MALFORMED, len(_MALFORMED)):
        await _send(world, frame, sent)
        await asyncio.sleep(random.uniform(0.0, 0.3))
    return Struck(sent.total(), check=partial(_each_is_a_letter, before, sent))


async def frame_too_large(world: "World", _random: Random) -> Struck:
    """A frame of megabytes on every connection: it is not read, and the connection is made anew."""
    before, sent = await _letters(world), Counter[str]()
    await _send(world, b"[", sent, times=_LARGE_BYTES)
    return Struck(sent.total(), check=partial(_each_is_a_letter, before, sent))


async def _send(world: "World", frame: bytes, sent: Counter[str], times: int = 1) -> None:
    """Let every connection receive this, so many times in one frame; `sent` counts them."""
    order = {"base64": b64encode(frame).decode(), "times": times}
    for exchange in _EXCHANGES:
        sent[exchange] += await world.market.play("malformed", exchange=exchange, **order)


async def _each_is_a_letter(before: Mapping[str, int], sent: Counter[str], world: "World") -> Sequence[str]:
    """Whether as many dead letters came as frames were sent, neither less nor more."""
    await asyncio.sleep(_AN_EXAMPLE_A_SECOND_S)
    await _send(world, _MALFORMED[0], sent)

    async def look() -> list[str]:
        after = await _letters(world)
        found = {exchange: after[exchange] - before[exchange] for exchange in _EXCHANGES}
        return [
            f"{exchange}: {found[exchange]} dead letters for {sent[exchange]} unreadable frames"
            for exchange in _EXCHANGES
            if found[exchange] != sent[exchange]
        ]

    return await complaints_after(_LETTERS_WITHIN_S, look)


async def _letters(world: "World") -> dict[str, int]:
    async with postgres(world) as connection:
        return {exchange: await connection.fetchval(_LETTERS, exchange) for exchange in _EXCHANGES}


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


async def burst(world: "World", _random: Random) -> Struck:
    """Fifty times as much of everything for ten seconds, or as much of that as the simulator can tell."""
    await world.market.play("burst", factor=50, seconds=10)
    await asyncio.sleep(10)
    return Struck()


async def crash_day(world: "World", random: Random) -> Struck:
    """Every market of both exchanges falls and recovers, again and again, at ten times the rate for a minute."""
    since_us = now_us()
    await world.market.play("burst", factor=10, seconds=_CRASH_DAY_S)
    for _ in range(_FALLS):
        for exchange, symbol in random.sample(world.wanted.traded, len(world.wanted.traded)):
            await world.market.play("crash", exchange=exchange, symbol=symbol)
        await asyncio.sleep(_CRASH_DAY_S / _FALLS)

    async def check(world: "World") -> Sequence[str]:
        async def look() -> list[str]:
            told = [one for one in await world.market.messages_in(ALERTS) if float(one["ts"]) * 1e6 >= since_us]
            return [] if told else ["nobody was told that everything falls"]

        return await complaints_after(_FALL_TOLD_WITHIN_S, look)

    return Struck(_FALLS, check=check)


FAULTS = [
    Fault("F29", "frame-too-large", "10 MB on every connection", frame_too_large, bound_s=5, makes_gap=True),
    Fault("F26", "symbol-stalled", "one of a line is not heard", symbol_stalled, bound_s=10, makes_gap=True),
    Fault("F31", "burst", "50 times the rate for 10 s, as far as can be", burst, bound_s=10),
    Fault("F31", "crash-day", "every market falls 5 times in a minute of 10 times the rate", crash_day, bound_s=10),
    Fault(
        "F29",
        "malformed-frames",
        "frames that cannot be read: each is a dead letter",
        malformed,
        bound_s=2,
        target="test-long",
    ),
    Fault("F27", "connections-reset", "broken inside a frame", connections_reset, bound_s=5, makes_gap=True),
    Fault("F28", "everything-twice", "both exchanges repeat themselves", symbols_repeated, bound_s=2),
]
