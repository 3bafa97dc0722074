"""One store stands still for a minute, or is not there: the other is as near to Kafka's end as before."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from devstack.server import Server
from services.cli.stores import TOPICS_OF_SINK, Progress
from tests.faults.fault import Fault, Struck
from tests.faults.stores import down_for, frozen_for

if TYPE_CHECKING:
    from tests.faults.world import World

_AWAY_FOR_S = 60.0
_BEFORE_S = 15.0
_LOOK_S = 0.1
_NOISE_RECORDS = 100
"""A seventh of a second's."""


async def store_away(
    away: str, goes: Callable[[Server, float], Awaitable[None]], world: "World", _random: Random
) -> Struck:
    """Compares how many records the other store lacks, at the 95th percentile, while this one is away and before."""
    server, other = (world.redis, "postgres") if away == "redis" else (world.postgres, "redis")
    before = await _lacking(world, other, _BEFORE_S)
    going = asyncio.create_task(goes(server, _AWAY_FOR_S))
    meanwhile = await _lacking(world, other, _AWAY_FOR_S - 1)
    await going
    if meanwhile <= before + _NOISE_RECORDS:
        return Struck()
    return Struck(broken=[f"{other} lacked {meanwhile} records while {away} was away, and {before} before"])


async def _lacking(world: "World", sink: str, seconds: float) -> int:
    looks = []
    for _ in range(int(seconds / _LOOK_S)):
        positions = await world.stores.positions(sink)
        ends = await world.stores.ends(TOPICS_OF_SINK[sink])
        looks.append(Progress(ends, {sink: positions}).behind_in_all(sink))
        await asyncio.sleep(_LOOK_S)
    return sorted(looks)[int(0.95 * len(looks))]


FAULTS = [
    Fault(code, f"{away}-{how}-alone", f"{says} for 60 s, and {other} does not notice", strike, bound_s=12)
    for code, how, says, goes in (
        ("F14", "frozen", "SIGSTOP", frozen_for),
        ("F22", "down", "kill -9, and away", down_for),
    )
    for away, other in (("redis", "PostgreSQL"), ("postgres", "Redis"))
    for strike in (partial(store_away, away, goes),)
]
