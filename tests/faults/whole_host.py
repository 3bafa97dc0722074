"""The machine under everything stands still, as one that sleeps or is moved: servers and services at once."""

import asyncio
import signal
from collections.abc import Callable, Sequence
from random import Random
from typing import TYPE_CHECKING

from services.reconcile.kafka_reader import read_feed
from shared.clock import now_us
from shared.events import FeedEvent
from tests.faults.fault import Fault, Struck
from tests.faults.limits import complaints_after

if TYPE_CHECKING:
    from tests.faults.world import World

_TIMES = 4
_ASLEEP_S = 100.0
"""Longer than Binance keeps a connection that answers no ping. Upbit keeps one that reads nothing: what was sent
meanwhile waits in the network, and either arrives or is in a gap, which the count tells apart."""
_GIVES_UP = "binance"
_AWAKE_S = (8.0, 15.0)
_TOLD_WITHIN_S = 45.0
Sleep = tuple[int, int]
"""(from, to), microseconds UTC"""


async def asleep_again_and_again(world: "World", random: Random) -> Struck:
    """Four times in a night. Each time the gap of the exchange that gave us up is told."""
    sleeps: list[Sleep] = []
    for _ in range(_TIMES):
        await asyncio.sleep(random.uniform(*_AWAKE_S))
        sleeps.append(await _sleep(world))

    async def look() -> list[str]:
        return _untold(sleeps, [event async for event in read_feed(world.settings.kafka) if event.kind == "gap"])

    return Struck(_TIMES, check=lambda _world: complaints_after(_TOLD_WITHIN_S, look))


async def _sleep(world: "World") -> Sleep:
    servers: list[Callable[[signal.Signals], None]] = [one.kill for one in (*world.kafka, world.postgres, world.redis)]
    pids = [await world.services.strike(name, signal.SIGSTOP) for name in world.services.names]
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
