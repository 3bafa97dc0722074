"""The machine under everything stands still, as one that sleeps or is moved: servers and services at once."""

import asyncio
import signal
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import TYPE_CHECKING, Any

from services.reconcile.kafka_reader import read_feed
from shared.clock import now_us
from shared.events import FeedEvent
from tests.faults.fault import Fault, Struck
from tests.faults.limits import complaints_after
from tests.faults.market import ALERTS
from tests.faults.watchers import Told, told_since, unended

if TYPE_CHECKING:
    from tests.faults.world import World

_TIMES = 4
_ASLEEP_S = 100.0
"""Longer than Binance keeps a connection that answers no ping. Upbit keeps one that reads nothing: what was sent
meanwhile waits in the network, and either arrives or is in a gap, which the count tells apart."""
_GIVES_UP = "binance"
_AWAKE_S = (8.0, 15.0)
_TOLD_WITHIN_S = 120.0
"""A part that had to start anew is told as well only once it has stayed up for a while."""
_NOBODY_WATCHED = "nobody watched"
Sleep = tuple[int, int]
"""(from, to), microseconds UTC"""


async def asleep_again_and_again(world: "World", random: Random) -> Struck:
    """Four times in a night, which is one thread. Each time the gap of the exchange that gave us up is told.

    Nobody is told afterwards of a move that is long over.
    """
    since_us, sleeps = now_us(), list[Sleep]()

    async def look() -> list[str]:
        gaps = [event async for event in read_feed(world.settings.kafka) if event.kind == "gap"]
        told, moves = await told_since(world.market, since_us), await world.market.messages_in(ALERTS)
        stale = [f"told after the machine slept: {one['text']}" for one in moves if _at_us(one) > sleeps[0][0]]
        missed = [
            f"nobody outside missed the machine when it slept for the {number}. time"
            for number, (from_us, to_us) in enumerate(sleeps, start=1)
            if not any(one.is_silence and from_us < one.at_us < to_us for one in told)
        ]
        return _untold(sleeps, gaps) + missed + _not_one_thread(told) + unended(told) + stale

    async with world.watchers.at_work():
        for _ in range(_TIMES):
            await asyncio.sleep(random.uniform(*_AWAKE_S))
            sleeps.append(await _sleep(world))
        broken = await complaints_after(_TOLD_WITHIN_S, look)
    return Struck(_TIMES, broken=list(broken))


async def _sleep(world: "World") -> Sleep:
    servers: list[Callable[[signal.Signals], None]] = [one.kill for one in (*world.kafka, world.postgres, world.redis)]
    ours = world.services, world.watchers.watchdogs
    pids = [await some.strike(name, signal.SIGSTOP) for some in ours for name in some.names]
    for kill in servers:
        kill(signal.SIGSTOP)
    from_us = now_us()
    try:
        await asyncio.sleep(_ASLEEP_S)
    finally:
        to_us = now_us()
        for kill in servers:
            kill(signal.SIGCONT)
        world.services.go_on(pids)
    return from_us, to_us


def _untold(sleeps: Sequence[Sleep], gaps: Sequence[FeedEvent]) -> list[str]:
    return [
        f"no gap of {_GIVES_UP} when the machine slept for the {number}. time"
        for number, sleep in enumerate(sleeps, start=1)
        if not any(gap.exchange == _GIVES_UP and _overlap(sleep, gap) for gap in gaps)
    ]


def _not_one_thread(told: Sequence[Told]) -> list[str]:
    back = [one for one in told if _NOBODY_WATCHED in one.text]
    if len(back) != _TIMES:
        return [f"{len(back)} messages say that nobody watched, and the machine slept {_TIMES} times"]
    first, *others = back
    apart = [one for one in others if one.thread != first.ts]
    return [f"not in the thread of the first: {one.text}" for one in apart]


def _at_us(message: Mapping[str, Any]) -> int:
    return round(float(message["ts"]) * 1_000_000)


def _overlap(sleep: Sleep, gap: FeedEvent) -> bool:
    return (gap.from_us or 0) < sleep[1] and (gap.to_us or 0) > sleep[0]


FAULTS = [
    Fault(
        "F38",
        "host-asleep-again-and-again",
        f"everything stands still for {_ASLEEP_S:.0f} s, {_TIMES} times",
        asleep_again_and_again,
        bound_s=20,
        makes_gap=True,
    ),
]
