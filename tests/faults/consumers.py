"""Faults of the processes themselves: killed, told to end, frozen, doubled."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from tests.faults.falls import falls
from tests.faults.fault import Fault, Struck
from tests.faults.limits import within

if TYPE_CHECKING:
    from tests.faults.world import World

CONSUMERS = ("consumer-redis", "consumer-postgres")
PRODUCERS = ("producer-upbit", "producer-binance")
END_WITHIN_S = 10.0
_CRASH_UNDER_WAY_S = 6.5
_OVER_WITHIN_S = 40.0
_REBALANCES = 3
_SHARED_OUT = "the group gave us partitions"
_SHARES_OUT_WITHIN_S = 1.0
"""From a member's start to when the group, which asks the others to give up partitions first, gave it some."""


async def killed(name: str, times: int, world: "World", random: Random) -> Struck:
    """Kill it with -9 at random moments, now and then while it is still starting."""
    for round_ in range(times):
        if round_:
            await asyncio.sleep(random.uniform(0.0, 1.5))
        await world.services.strike(name)
    return Struck(times)


async def any_consumer_killed(times: int, world: "World", random: Random) -> Struck:
    """Kill one or the other consumer, again and again."""
    for _ in range(times):
        await asyncio.sleep(random.uniform(0.0, 1.0))
        await world.services.strike(random.choice(CONSUMERS))
    return Struck(times)


async def told_to_end(name: str, world: "World", _random: Random) -> Struck:
    """SIGTERM under load: it must end in time and with exit status 0."""
    pid = await world.services.strike(name, signal.SIGTERM)
    took_s = await world.services.ended(pid, END_WITHIN_S)
    broken = []
    if took_s is None:
        broken.append(f"{name} did not end within {END_WITHIN_S:.0f} s")
    elif not (how := await world.services.how_it_ended(name, pid)).startswith("exit status 0"):
        broken.append(f"{name} was told to end and ended with {how}")
    return Struck(broken=broken)


async def all_told_to_end(world: "World", random: Random) -> Struck:
    """SIGTERM to each service in turn, the next when the last is back."""
    broken = []
    for name in random.sample(world.services.names, len(world.services.names)):
        broken += (await told_to_end(name, world, random)).broken
    return Struck(len(world.services.names), broken=broken)


async def frozen(name: str, seconds: float, world: "World", _random: Random) -> Struck:
    """SIGSTOP, and SIGCONT after some time."""
    pid = await world.services.strike(name, signal.SIGSTOP)
    await asyncio.sleep(seconds)
    await world.services.strike(name, signal.SIGCONT)
    broken = [] if (await world.services.pids()).get(name) == pid else [f"{name} was replaced while it was frozen"]
    return Struck(broken=broken)


async def alert_worker_frozen(symbol: str, seconds: float, world: "World", random: Random) -> Struck:
    """A market falls and recovers while it is frozen, or it wakes in the middle."""
    check = await falls(world, symbol)
    struck = await frozen("alert-worker", seconds, world, random)
    return Struck(broken=struck.broken, check=check)


async def alert_worker_doubled(symbol: str, world: "World", random: Random) -> Struck:
    """A market falls; who watches is killed meanwhile, and who stood by tells the rest; the first comes back to it."""
    copy = await world.services.copy("alert-worker")
    await copy.until_said("standby: another alert worker watches")
    check = await falls(world, symbol)
    await asyncio.sleep(random.uniform(2.0, _CRASH_UNDER_WAY_S))
    await world.services.hold("alert-worker")
    await copy.until_said("took over from the other alert worker")

    async def told_by_both(world: "World") -> Sequence[str]:
        await world.services.let_go("alert-worker")
        complaints = await check(world)
        status = await copy.stop()
        return [
            *complaints,
            *([] if status == 0 else [f"the second copy was told to end and ended with {status}"]),
        ]

    return Struck(check=told_by_both)


async def consumer_doubled(name: str, world: "World", random: Random) -> Struck:
    """A second copy stands by; the first is killed, and the second takes over; the first comes back, and stands by."""
    copy = await world.services.copy(name)
    await copy.until_said("standby: another copy owns")
    await asyncio.sleep(random.uniform(0.2, 1.0))
    await world.services.hold(name)
    await copy.until_said("took over from the other copy")
    await world.services.let_go(name)
    await asyncio.sleep(random.uniform(1.0, 2.0))
    status = await copy.stop()
    return Struck(2, broken=[] if status == 0 else [f"the second copy was told to end and ended with {status}"])


def _group(name: str, purpose: str) -> str:
    """One that a consumer may be a member of."""
    return f"{name.replace('consumer', 'tapewatch')}-{purpose}"


async def in_a_group(name: str, world: "World", random: Random) -> Struck:
    """Two members of a consumer group in its place; one is killed, another joins, the first of them leaves."""
    arguments = ("--group", _group(name, "faults"))
    await world.services.hold(name)
    first, second = [await world.services.copy(name, arguments=arguments) for _ in range(2)]
    for member in (first, second):
        await member.until_said("the group gave us partitions")
    await asyncio.sleep(random.uniform(1.0, 3.0))
    killed_status = await first.stop(signal.SIGKILL)
    third = await world.services.copy(name, arguments=arguments)
    await third.until_said("the group gave us partitions")
    await asyncio.sleep(random.uniform(0.0, 3.0))
    statuses = [await member.stop() for member in (second, third)]
    await world.services.let_go(name)
    return Struck(3, broken=_ended_otherwise(statuses, [killed_status]))


async def killed_in_a_rebalance(name: str, world: "World", random: Random) -> Struck:
    """A member joins, and the group shares its partitions out anew; meanwhile that one, or who gives up partitions, is
    killed. Then one leaves, and while its partitions go to the other, that one is killed.
    """
    arguments = ("--group", _group(name, "rebalances"))
    await world.services.hold(name)
    told, killed = [], []
    for round_ in range(_REBALANCES):
        first = await world.services.copy(name, arguments=arguments)
        await first.until_said(_SHARED_OUT)
        joins = await world.services.copy(name, arguments=arguments)
        await joins.until_said("starting")
        await asyncio.sleep(random.uniform(0.0, _SHARES_OUT_WITHIN_S))
        struck, spared = (joins, first) if round_ % 2 else (first, joins)
        killed.append(await struck.stop(signal.SIGKILL))
        leaves = await world.services.copy(name, arguments=arguments)
        await leaves.until_said(_SHARED_OUT)
        leaving = asyncio.create_task(leaves.stop())
        await asyncio.sleep(random.uniform(0.0, 0.3))
        killed.append(await spared.stop(signal.SIGKILL))
        told.append(await leaving)
    await world.services.let_go(name)
    return Struck(2 * _REBALANCES, broken=_ended_otherwise(told, killed))


def _ended_otherwise(told: Sequence[int], killed: Sequence[int]) -> list[str]:
    return [
        *(f"a member was told to end and ended with {status}" for status in told if status != 0),
        *(f"a member ended by itself, with {status}" for status in killed if status != -signal.SIGKILL),
    ]


async def service_doubled(name: str, world: "World", _random: Random) -> Struck:
    """A second copy works beside the first for some seconds."""
    copy = await world.services.copy(name)
    await copy.until_said("connected")
    await asyncio.sleep(3)
    status = await copy.stop()
    return Struck(broken=[] if status == 0 else [f"the second copy was told to end and ended with {status}"])


async def killed_at(moment: str, name: str, world: "World", _random: Random) -> Struck:
    """In place of the service a copy runs that ends as by kill -9 at a moment in its code; three times."""
    broken = []
    await world.services.hold(name)
    for _ in range(3):
        status = await (await world.services.copy(name, FAILPOINT=moment)).ended()
        if status != -signal.SIGKILL:
            broken.append(f"{name} did not reach {moment!r} and ended with {status}")
    await world.services.let_go(name)
    return Struck(3, broken=broken)


async def alert_worker_killed(world: "World", random: Random) -> Struck:
    """Killed while a market is falling: the alert comes all the same, once, and is resolved."""
    for _ in range(2):
        await world.services.strike("alert-worker")
        await asyncio.sleep(random.uniform(0.5, 1.5))
    return Struck(2, check=_told_once)


async def _told_once(world: "World") -> list[str]:
    async def over() -> bool:
        episodes, messages = await world.episodes(), await world.market.messages()
        return any(one.resolved_at_us for one in episodes) and any(one["edits"] for one in messages)

    await within(_OVER_WITHIN_S, over, "the alert to resolve, and to be told so")
    fallen = [(episode.exchange, episode.symbol) for episode in await world.episodes()]
    parents = [one["text"] for one in await world.market.messages() if "thread_ts" not in one]
    return [
        *([] if fallen == [("upbit", "KRW-BTC")] else [f"the fall of one market made these episodes: {fallen}"]),
        *([] if len(parents) == 1 else [f"one fall made {len(parents)} messages: {parents}"]),
    ]


Strike = Callable[["World", Random], Awaitable[Struck]]


def _each(names: tuple[str, ...], strike: Callable[..., Awaitable[Struck]], *given: object) -> list[tuple[str, Strike]]:
    return [(name, partial(strike, name, *given)) for name in names]


FAULTS = [
    Fault(
        "F36",
        "alert-worker-killed-in-a-crash",
        "alert worker killed twice while a market falls",
        alert_worker_killed,
        bound_s=2,
        target="test-long",
        comes_first=True,
    ),
    *(
        Fault("F1", f"{name}-killed", "kill -9 at random moments", strike, bound_s=2, target="test")
        for name, strike in _each(CONSUMERS, killed, 3)
    ),
    Fault("F1", "consumers-killed-50-times", "either, again and again", partial(any_consumer_killed, 50), bound_s=2),
    *(
        Fault("F2", f"{name}-killed-when-stored", "dies between the store's answer and all else", strike, bound_s=2)
        for name, strike in _each(CONSUMERS, partial(killed_at, "stored"))
    ),
    *(
        Fault("F3", f"{name}-killed-when-advised", "dies between the commit to Kafka and all else", strike, bound_s=2)
        for name, strike in _each(CONSUMERS, partial(killed_at, "advised"))
    ),
    *(
        Fault("F4", f"{name}-killed", "kill -9", strike, bound_s=4, makes_gap=True, target="test-long")
        for name, strike in _each(PRODUCERS, killed, 1)
    ),
    *(
        Fault(
            "F5",
            f"{name}-told-to-end",
            "SIGTERM under load",
            strike,
            bound_s=4,
            makes_gap=name in PRODUCERS,
        )
        for name, strike in _each((*PRODUCERS, *CONSUMERS, "alert-worker"), told_to_end)
    ),
    Fault(
        "F5",
        "all-told-to-end",
        "SIGTERM to each in turn",
        all_told_to_end,
        bound_s=4,
        makes_gap=True,
    ),
    *(
        Fault("F6", f"{name}-frozen", "SIGSTOP for 5 s", strike, bound_s=2, makes_gap=name in PRODUCERS)
        for name, strike in _each((*PRODUCERS, *CONSUMERS), frozen, 5.0)
    ),
    *(
        Fault(
            "F6",
            f"{name}-frozen-for-{seconds}-s",
            f"SIGSTOP for {seconds} s",
            strike,
            bound_s=bound_s,
            makes_gap=name in PRODUCERS,
        )
        for seconds, bound_s in ((30, 3), (120, 6))
        for name, strike in _each((*PRODUCERS, *CONSUMERS), frozen, float(seconds))
    ),
    *(
        Fault(
            "F6",
            f"alert-worker-frozen{name}",
            f"SIGSTOP for {seconds} s while a market falls",
            partial(alert_worker_frozen, symbol, float(seconds)),
            bound_s=3,
        )
        for seconds, name, symbol in (
            (5, "", "KRW-XRP"),
            (30, "-for-30-s", "KRW-SOL"),
            (120, "-for-120-s", "KRW-DOGE"),
        )
    ),
    *(
        Fault("F10", f"{name}-in-a-group", "members of a group are killed, join and leave", strike, bound_s=20)
        for name, strike in _each(CONSUMERS, in_a_group)
    ),
    *(
        Fault(
            "F10",
            f"{name}-killed-in-a-rebalance",
            "members of a group are killed while others join and leave",
            strike,
            bound_s=5,
        )
        for name, strike in _each(CONSUMERS, killed_in_a_rebalance)
    ),
    *(
        Fault("F7", f"{name}-doubled", "a second copy stands by and takes over", strike, bound_s=2, target="test-long")
        for name, strike in _each(CONSUMERS, consumer_doubled)
    ),
    *(
        Fault(
            "F7",
            f"{name}-doubled",
            "a second copy works beside the first",
            strike,
            bound_s=1,
            makes_gap=True,  # a copy that starts cannot know what the other one hears
        )
        for name, strike in _each(PRODUCERS, service_doubled)
    ),
    Fault(
        "F7",
        "alert-worker-doubled",
        "a second copy stands by and takes over while a market falls",
        partial(alert_worker_doubled, "KRW-ETH"),
        bound_s=1,
    ),
]
