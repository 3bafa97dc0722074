"""Lets one fault after the other strike a running world, and counts after each what it cost."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from time import monotonic

import asyncpg
from aiokafka.errors import KafkaError
from redis.exceptions import RedisError

from services.reconcile.gaps import Span
from shared.clock import now_us
from tests.faults.fault import StageName
from tests.faults.ledger import Outcome, Resources, Totals, judge
from tests.faults.limits import within
from tests.faults.plan import Planned
from tests.faults.world import World, behind, running_world

_CALM_BEFORE_S = (1.0, 2.0)
_CALM_AFTER_S = 1.5
_CALM_AFTER_A_GAP_S = 4.0
"""Until every market has told its ticker and book anew: newest wins, and no gap excuses a last one that is missing."""
_GIVE_UP_AFTER_S = 90.0
_LATE_S = 10.0
"""More than a comparison takes, and as long as anybody should wait for a trade."""
_IN_HAND_US = 3_000_000
"""What a producer holds when it is struck was published before that: Upbit sends late, and Kafka takes its time."""
_LATE_SUBSCRIPTION_US = 3_000_000
"""A connection that broke is counted by the exchange until it notices: so much later all are really back."""
_POLL_S = 0.02
_AWAY = (OSError, TimeoutError, KafkaError, RedisError, asyncpg.PostgresError, asyncpg.InterfaceError)


@dataclass
class Strikes:
    """A world and what it has been through so far. What is not in the stores after `lost_after_s` is lost.

    `away`: from when to when faults that may cost trades struck, until the stores were live again. Gaps explain nothing
    outside: what a producer misses that is deaf at other times, or stays so, is lost.
    """

    world: World
    patience: float
    total: Totals
    first_files: dict[str, int]
    published: int = 0
    away: list[Span] = field(default_factory=list)
    lost_after_s: float = 30.0

    async def strike(self, planned: Planned) -> Outcome:
        """One fault from the calm before it to the count after it."""
        world, fault, random = self.world, planned.fault, planned.random()
        for name, link in world.links.items():
            link.luck = planned.random(name).random
        await world.market.resume()
        await asyncio.sleep(random.uniform(*_CALM_BEFORE_S))
        restarts, gaps = world.services.restarts(), await world.gaps()
        world.watch.peaks()
        began_us = now_us()
        struck = await fault.strike(world, random)
        caught_up_s = await caught_up(world)
        struck.broken += await struck.check(world)
        prices_live_s = None if struck.prices_live is None else await struck.prices_live
        if fault.makes_gap:
            self.away.append((began_us - _IN_HAND_US, now_us() + _LATE_SUBSCRIPTION_US))
        await asyncio.sleep(_CALM_AFTER_A_GAP_S if fault.makes_gap else _CALM_AFTER_S)
        told = await world.gaps() - gaps  # in the pause an exchange is silent, and no producer can know why
        await world.market.pause()
        before, late_s = self.total, await self._count(struck.unreadable)
        if late_s > _LATE_S and self.total.lost <= before.lost:
            struck.broken.append(f"something that was published was in the stores {late_s:.0f} s later")
        published_before, self.published = self.published, await world.market.published()
        outcome = Outcome(
            fault,
            struck.times,
            replace(self.total.since(before), gaps=told),
            caught_up_s,
            world.services.restarts() - restarts,
            Resources(world.watch.peaks(), await world.watch.open_files()),
            self.published - published_before,
            prices_live_s,
        )
        return judge(outcome, struck, self.first_files, self.patience)

    async def _count(self, unreadable: int) -> float:
        """Compare everything, again while something is missing: a producer may still hold what Kafka did not take. Of
        a ticker or a book that is an older one, which is wrong, beside what is `unreadable` on purpose.

        Returns the seconds from the first comparison to the last.
        """
        first_s, lost, wrong = monotonic(), self.total.lost, self.total.wrong + unreadable
        while True:
            await self.world.at_rest()
            counted_s, self.total = monotonic(), Totals.of(await self.world.count(self.away))
            is_all_there = self.total.lost <= lost and self.total.wrong <= wrong
            if is_all_there or counted_s - first_s >= self.lost_after_s:
                return counted_s - first_s


@asynccontextmanager
async def struck_world(
    stage: StageName, *, rate: float, seed: int, patience: float, keep: bool = False
) -> AsyncIterator[Strikes]:
    """A world that is open, flows, and has been counted once before any fault."""
    async with running_world(stage, rate=rate, seed=seed, keep=keep) as world:
        first_files = await world.watch.open_files()
        yield Strikes(world, patience, Totals(), first_files)


async def strike_all(strikes: Strikes, plan: Sequence[Planned], tell: Callable[[Outcome], None]) -> None:
    """Every planned fault in turn."""
    for planned in plan:
        tell(await strikes.strike(planned))


async def caught_up(world: World, within_s: float = _GIVE_UP_AFTER_S) -> float | None:
    """Seconds from now until both stores are live again; None when they are not within that limit.

    Live: Redis shows a trade of each exchange that was received after now, and both stores have everything that
    Kafka had when it did.
    """
    began_s, since_us = monotonic(), now_us()
    with suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            while True:
                with suppress(*_AWAY):
                    await _until_live(world, since_us)
                    return monotonic() - began_s
                await asyncio.sleep(_POLL_S)
    return None


async def _until_live(world: World, since_us: int) -> None:
    stores = world.stores
    busiest = list({exchange: (exchange, symbol) for exchange, symbol in reversed(world.wanted.traded)}.values())

    async def fresh() -> bool:
        newest = await stores.newest_trades(busiest, 1)
        return all(found and found[0].received_at_us > since_us for found in newest)

    await within(_GIVE_UP_AFTER_S, fresh, "new trades in Redis")
    ends = (await stores.progress()).ends

    async def has_all() -> bool:
        return not behind(await stores.progress(), ends)

    await within(_GIVE_UP_AFTER_S, has_all, "both stores to catch up")
    await world.until_subscribed()
