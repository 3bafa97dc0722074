"""The soak as one fault: random kills of everything, two at once now and then; `make soak` is the long one."""

import asyncio
from random import Random
from typing import TYPE_CHECKING

from tests.faults.fault import Fault, Struck
from tests.soak.blows import period
from tests.soak.period import Striking

if TYPE_CHECKING:
    from tests.faults.world import World

_BLOWS = 40


async def killed_at_random(world: "World", random: Random) -> Struck:
    """The first blows of a soak's story."""
    blows = period(random.randrange(1 << 31), 0, _BLOWS)
    striking = Striking(world)
    async with asyncio.TaskGroup() as group:
        for one in blows:
            await asyncio.sleep(one.pause_s)
            for target in one.targets:
                group.create_task(striking.kill(target, one.away_s))
    return Struck(sum(len(one.targets) for one in blows))


FAULTS = [
    Fault("F40", "soak", f"{_BLOWS} blows of kill -9, on one or two at once", killed_at_random, 60, makes_gap=True),
]
