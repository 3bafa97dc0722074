"""An upgrade in place, as docs/OPERATING.md says: the setup beside what runs, then one service after another."""

import asyncio
import os
import sys
from random import Random
from typing import TYPE_CHECKING

from devstack.stack import KAFKA_KEY, POSTGRES_KEY
from tests.faults.consumers import told_to_end
from tests.faults.fault import Fault, Struck
from tests.faults.harness import caught_up

if TYPE_CHECKING:
    from tests.faults.world import World

SETUP = (("topics", "create"), ("db", "migrate"))


async def upgraded(world: "World", random: Random) -> Struck:
    """Every step must end well, and the next service waits until the stores are live again."""
    broken = [fault for step in SETUP for fault in await _set_up(world, *step)]
    for name in world.services.names:
        broken += (await told_to_end(name, world, random)).broken
        if await caught_up(world) is None:
            broken.append(f"after the restart of {name} the stores did not catch up")
    return Struck(len(world.services.names), broken=broken)


async def _set_up(world: "World", *arguments: str) -> list[str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("TAPEWATCH_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.cli", *arguments,
        env=own | {
            KAFKA_KEY: world.settings.kafka.bootstrap_servers,
            POSTGRES_KEY: world.settings.postgres.dsn.get_secret_value(),
        },
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, said = await process.communicate()
    status = process.returncode
    return [] if status == 0 else [f"{' '.join(arguments)} ended with {status}: {said.decode(errors='replace')[-300:]}"]


FAULTS = [
    Fault(
        "F5",
        "upgraded-in-place",
        "setup under load, then SIGTERM to each service in turn",
        upgraded,
        bound_s=4,
        makes_gap=True,
        target="test-long",
    ),
]
