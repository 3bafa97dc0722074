"""The calm after the blows: nobody is killed for minutes, and each process is looked at, again and again."""

import asyncio
from time import monotonic

from services.cli.demo.supervision import resident_mb
from tests.faults.watch import count_open_files, family, proportional_mb
from tests.faults.world import World
from tests.soak.record import Calm, Look

_WARM_UP_S = 600.0
"""Caches fill meanwhile, and the largest batches come that a consumer will hold; earlier looks do not count."""
_LOOKS = 240
_OFTENEST_S = 2.0


async def run_calm(world: World, minutes: float) -> Calm:
    """Look at every process for so many minutes after the warm-up."""
    await world.market.resume()
    await asyncio.sleep(_WARM_UP_S)
    began_s, published, restarts = monotonic(), await world.market.published(), world.services.restarts()
    looks = []
    for number in range(1, _LOOKS + 1):
        looks.append(await _look(world, monotonic() - began_s))
        due_s = began_s + max(number * minutes * 60 / _LOOKS, number * _OFTENEST_S)
        await asyncio.sleep(max(0.0, due_s - monotonic()))
        if monotonic() - began_s >= minutes * 60:
            break
    return Calm(
        warm_up_s=_WARM_UP_S,
        seconds=monotonic() - began_s,
        published=await world.market.published() - published,
        restarts=world.services.restarts() - restarts,
        looks=looks,
    )


async def _look(world: World, at_s: float) -> Look:
    return Look(
        at_s=at_s,
        memory_mb=await world.watch.sizes() | memory_of_servers(world),
        open_files=await world.watch.open_files() | files_of_servers(world),
    )


def memory_of_servers(world: World) -> dict[str, float]:
    """Megabytes of each server. What PostgreSQL's processes share counts once: it is divided among them."""
    found = {"redis": resident_mb(world.redis.pid), "kafka": resident_mb(world.kafka[0].pid)}
    return {name: size_mb for name, size_mb in found.items() if size_mb} | {
        "postgres": sum(map(proportional_mb, family(world.postgres.pid)))
    }


def files_of_servers(world: World) -> dict[str, int]:
    """Descriptors of each server, of all its processes together."""
    pids = {"redis": world.redis.pid, "kafka": world.kafka[0].pid, "postgres": world.postgres.pid}
    return {name: sum(map(count_open_files, family(pid))) for name, pid in pids.items()}
