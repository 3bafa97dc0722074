"""One period of a soak: blows under load, the calm after them, the count in a pause, and the forgetting."""

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from time import monotonic

from shared.clock import now_us
from tests.faults.consumers import PRODUCERS
from tests.faults.harness import caught_up
from tests.faults.ledger import Totals
from tests.faults.stores import down_for
from tests.faults.world import World
from tests.soak.blows import SERVICES, TARGETS, Blow, killed
from tests.soak.calm import files_of_servers, memory_of_servers
from tests.soak.forget import forget_lines, forget_rows
from tests.soak.record import Period
from tests.soak.verdict import broken_in

_CATCH_UP_WITHIN_S = 300.0
"""How long it really took stands in the table: blow upon blow leaves a backlog, and the machine may be busy."""
_CALM_S = 8.0
"""Every market says something new meanwhile: the next period begins with what was said in this calm."""


async def run_period(world: World, blows: Sequence[Blow], number: int, tell: Callable[[Blow], None]) -> Period:
    """Let these blows fall on a world that flows, and count what they cost. `number` is the world's."""
    began_s, published, restarts = monotonic(), await world.market.published(), world.services.restarts()
    await world.market.resume()
    opened_s = monotonic()
    async with asyncio.TaskGroup() as group:
        blow_upon_blow = Striking(world)
        for one in blows:
            await asyncio.sleep(one.pause_s)
            for target in one.targets:
                group.create_task(blow_upon_blow.kill(target, one.away_s))
            tell(one)
    caught_up_s = await caught_up(world, _CATCH_UP_WITHIN_S)
    calm_since_us = await _silence(world)
    await asyncio.sleep(_CALM_S)
    await world.market.pause()
    flowed_s = monotonic() - opened_s
    await world.at_rest()
    async with _producers_frozen(world):
        cost = Totals.of(await world.count())
    period = Period(
        world=number,
        blows=len(blows),
        kills=dict(Counter(killed(blows))),
        published=await world.market.published() - published,
        lost=cost.lost,
        doubled=cost.doubled,
        out_of_order=cost.out_of_order,
        wrong=cost.wrong,
        in_gaps=cost.gapped,
        gaps=cost.gaps,
        caught_up_s=caught_up_s,
        restarts=world.services.restarts() - restarts,
        flowed_s=flowed_s,
        seconds=monotonic() - began_s,
        memory_mb=await world.watch.sizes() | memory_of_servers(world),
        open_files=await world.watch.open_files() | files_of_servers(world),
    )
    period.broken += broken_in(period)
    if not period.broken:
        forget_lines(world.market.truth, calm_since_us)
        await forget_rows(world.settings.postgres.dsn.get_secret_value(), calm_since_us)
    return period


@asynccontextmanager
async def _producers_frozen(world: World) -> AsyncIterator[None]:
    """A count takes longer than a market may be silent: reconnecting meanwhile, they would change what is counted."""
    for name in PRODUCERS:
        await world.services.strike(name, signal.SIGSTOP)
    try:
        yield
    finally:
        for name in PRODUCERS:
            await world.services.strike(name, signal.SIGCONT)


async def _silence(world: World) -> int:
    """A time at which everything said so far has arrived, and after which nothing had been said; the market goes on."""
    await world.market.pause()
    await world.at_rest()
    at_us = now_us()
    await world.market.resume()
    return at_us


class Striking:
    """Kills targets of a world; one that is still coming back from the last blow is killed once it is there."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._turns = {target: asyncio.Lock() for target in TARGETS}

    async def kill(self, target: str, away_s: float) -> None:
        """kill -9; a server is started again after `away_s`, a service by its supervisor."""
        async with self._turns[target]:
            if target in SERVICES:
                await self._world.services.strike(target)
            else:
                await down_for(self._world.redis if target == "redis" else self._world.postgres, away_s)
