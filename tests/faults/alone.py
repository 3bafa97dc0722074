"""One store stands still for a minute: the other is as near to Kafka's end as before."""

import asyncio
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from services.cli.stores import TOPICS_OF_SINK, Progress
from tests.faults.fault import Fault, Struck
from tests.faults.stores import frozen_for

if TYPE_CHECKING:
    from tests.faults.world import World

_FROZEN_FOR_S = 60.0
_BEFORE_S = 15.0
_LOOK_S = 0.1
_NOISE_RECORDS = 500
"""Less than half a second's records."""


async def store_frozen(frozen: str, world: "World", _random: Random) -> Struck:
    """Compares how many records the other store lacks, at the 95th percentile, while this one is frozen and before."""
    server, other = (world.redis, "postgres") if frozen == "redis" else (world.postgres, "redis")
    before = await _lacking(world, other, _BEFORE_S)
    freezing = asyncio.create_task(frozen_for(server, _FROZEN_FOR_S))
    meanwhile = await _lacking(world, other, _FROZEN_FOR_S - 1)
    await freezing
    if meanwhile <= 2 * before + _NOISE_RECORDS:
        return Struck()
    return Struck(broken=[f"{other} lacked {meanwhile} records while {frozen} was frozen, and {before} before"])


async def _lacking(world: "World", sink: str, seconds: float) -> int:
    looks = []
    for _ in range(int(seconds / _LOOK_S)):
        positions = await world.stores.positions(sink)
        ends = await world.stores.ends(TOPICS_OF_SINK[sink])
        looks.append(Progress(ends, {sink: positions}).behind_in_all(sink))
        await asyncio.sleep(_LOOK_S)
    return sorted(looks)[int(0.95 * len(looks))]


FAULTS = [
    Fault("F14", f"{frozen}-frozen-alone", f"60 s, and {other} does not notice", strike, bound_s=15)
    for frozen, other, strike in (
        ("redis", "PostgreSQL", partial(store_frozen, "redis")),
        ("postgres", "Redis", partial(store_frozen, "postgres")),
    )
]
