"""Faults of a cluster of three brokers: one killed, one frozen, all restarted in turn; leaders move each time."""

import signal
from random import Random
from typing import TYPE_CHECKING, Any

from aiokafka.admin import AIOKafkaAdminClient

from devstack.server import Server
from shared.kafka import client_options
from shared.topics import TRADES
from tests.faults.fault import Fault, Struck
from tests.faults.limits import within
from tests.faults.stores import down_for, frozen_for

if TYPE_CHECKING:
    from tests.faults.world import World

_IN_SYNC_WITHIN_S = 60.0


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


async def rolling_restart(world: "World", random: Random) -> Struck:
    """Each broker in turn hands its leaderships over, ends, and comes back."""
    for broker in random.sample(world.kafka, len(world.kafka)):
        await down_for(broker, 0, signal.SIGTERM)
        await _until_in_sync(world)
    return Struck(len(world.kafka))


async def _a_leader(world: "World", random: Random) -> Server:
    node: int = random.choice(await _partitions(world))["leader"]
    return world.kafka[node - 1]


async def _partitions(world: "World") -> list[dict[str, Any]]:
    admin = AIOKafkaAdminClient(**client_options(world.settings.kafka, "faults"))
    await admin.start()
    try:
        (topic,) = await admin.describe_topics([TRADES.name])
    finally:
        await admin.close()
    found: list[dict[str, Any]] = topic["partitions"]
    return found


async def _until_in_sync(world: "World") -> None:
    async def all_there() -> bool:
        return all(len(one["isr"]) == len(world.kafka) for one in await _partitions(world))

    await within(_IN_SYNC_WITHIN_S, all_there, "all replicas to be in sync")


FAULTS = [
    Fault("F11", "leader-killed", "kill -9, back after 5 s", leader_killed, bound_s=5, stage="three brokers"),
    Fault("F11", "leader-frozen", "SIGSTOP for 5 s", leader_frozen, bound_s=5, stage="three brokers"),
    Fault("F11", "rolling-restart", "each broker in turn", rolling_restart, bound_s=5, stage="three brokers"),
]
