"""Faults of a cluster of three brokers: one killed, one frozen, all restarted in turn; leaders move each time."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import TYPE_CHECKING, Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.protocol.admin import AlterPartitionReassignmentsRequest

from devstack.server import Server
from shared.kafka import client_options
from shared.topics import ORDERBOOKS, TICKERS, TRADES
from tests.faults.fault import Fault, Struck
from tests.faults.limits import within
from tests.faults.stores import down_for, frozen_for

if TYPE_CHECKING:
    from tests.faults.world import World

_IN_SYNC_WITHIN_S = 60.0
_LED_WITHIN_S = 60.0


async def leader_killed(world: "World", random: Random) -> Struck:
    """The broker that leads one of the trades' partitions dies, and comes back after some seconds."""
    await down_for(await _a_leader(world, random), 5)
    await _until_in_sync(world)
    return Struck()


async def leader_frozen(world: "World", random: Random) -> Struck:
    """It stands still for long enough to lose its leadership, and then believes it still has it."""
    await frozen_for(await _a_leader(world, random), 5)
    await _until_in_sync(world)
    return Struck()


async def follower_killed(world: "World", random: Random) -> Struck:
    """A broker that leads none of the trades dies, and comes back after some seconds."""
    node = random.randrange(1, len(world.kafka) + 1)
    await _reorder(world, lambda replicas: sorted(replicas, key=lambda one: (one == node, random.random())))
    await down_for(world.kafka[node - 1], 5)
    await _until_in_sync(world)
    return Struck()


async def leaders_moved(world: "World", _random: Random) -> Struck:
    """Every partition of the trades is led by the next of its replicas, three times; no broker is touched."""
    for _ in range(3):
        await _reorder(world, lambda replicas: [*replicas[1:], replicas[0]])
        await asyncio.sleep(1)
    return Struck(3 * TRADES.partitions)


async def two_brokers_killed(world: "World", random: Random) -> Struck:
    """Only one of three is left, which may not acknowledge anything."""
    await asyncio.gather(*(down_for(broker, 10) for broker in random.sample(world.kafka, 2)))
    await _until_in_sync(world)
    return Struck(2)


async def too_few_replicas(world: "World", random: Random) -> Struck:
    """All three replicas are needed, and one is away: Kafka answers NOT_ENOUGH_REPLICAS until it is back."""
    await _set_min_in_sync(world, {"min.insync.replicas": "3"})
    await down_for(random.choice(world.kafka), 8)
    await _until_in_sync(world)
    await _set_min_in_sync(world, {})
    return Struck()


async def rolling_restart(world: "World", random: Random) -> Struck:
    """Each broker in turn hands its leaderships over, ends, and comes back."""
    for broker in random.sample(world.kafka, len(world.kafka)):
        await down_for(broker, 0, signal.SIGTERM)
        await _until_in_sync(world)
    return Struck(len(world.kafka))


async def _a_leader(world: "World", random: Random) -> Server:
    node: int = random.choice(await _partitions(world))["leader"]
    return world.kafka[node - 1]


async def _reorder(world: "World", order: Callable[[list[int]], list[int]]) -> None:
    """Give the trades' partitions their replicas in another order, and wait until the first of each leads it."""
    wanted = {one["partition"]: order(list(one["replicas"])) for one in await _partitions(world)}
    rows = [(partition, replicas, {}) for partition, replicas in wanted.items()]
    async with _admin(world) as admin:
        request = AlterPartitionReassignmentsRequest(10_000, [(TRADES.name, rows, {})], {})
        answer = await admin._send_to_controller(request)
        if answer.error_code:
            raise RuntimeError(f"Kafka refused to reorder replicas: {answer}")

    async def led() -> bool:
        return all(one["leader"] == wanted[one["partition"]][0] for one in await _partitions(world))

    await within(_LED_WITHIN_S, led, "the first replicas to lead")


async def _set_min_in_sync(world: "World", more: dict[str, str]) -> None:
    """Settings of the market's topics, with some more; what is not named goes back to Kafka's own."""
    async with _admin(world) as admin:
        topics = [
            ConfigResource(ConfigResourceType.TOPIC, topic.name, topic.config() | more)
            for topic in (TRADES, TICKERS, ORDERBOOKS)
        ]
        await admin.alter_configs(topics)


@asynccontextmanager
async def _admin(world: "World") -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(**client_options(world.settings.kafka, "faults"))
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def _partitions(world: "World") -> list[dict[str, Any]]:
    async with _admin(world) as admin:
        (topic,) = await admin.describe_topics([TRADES.name])
    found: list[dict[str, Any]] = topic["partitions"]
    return found


async def _until_in_sync(world: "World") -> None:
    async def all_there() -> bool:
        return all(len(one["isr"]) == len(world.kafka) for one in await _partitions(world))

    await within(_IN_SYNC_WITHIN_S, all_there, "all replicas to be in sync")


FAULTS = [
    Fault("F11", "leader-killed", "kill -9, back after 5 s", leader_killed, bound_s=5, stage="three brokers"),
    Fault(
        "F10", "too-few-replicas", "all needed, one away for 8 s", too_few_replicas, bound_s=8, stage="three brokers"
    ),
    Fault("F10", "two-brokers-killed", "back after 10 s", two_brokers_killed, bound_s=15, stage="three brokers"),
    Fault("F11", "follower-killed", "kill -9, back after 5 s", follower_killed, bound_s=5, stage="three brokers"),
    Fault("F11", "leaders-moved", "to each replica in turn", leaders_moved, bound_s=5, stage="three brokers"),
    Fault("F11", "leader-frozen", "SIGSTOP for 5 s", leader_frozen, bound_s=5, stage="three brokers"),
    Fault("F11", "rolling-restart", "each broker in turn", rolling_restart, bound_s=5, stage="three brokers"),
]
