"""Services on hosts of their own, one after the other cut off: told, got over, and nothing lost but inside a gap."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence

import pytest
import pytest_asyncio

from tests.faults.conftest import PATIENCE, RATE, SEED
from tests.faults.harness import Strikes, struck_world
from tests.faults.hosts import ADDRESSES, FAULTS
from tests.faults.limits import within
from tests.faults.plan import Planned, plan

pytestmark = [
    pytest.mark.long,
    pytest.mark.servers,
    pytest.mark.timeout(300),
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.root,
]
_CONNECT = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), 3).close()
except OSError as error:
    sys.exit(error.strerror)
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def strikes() -> AsyncIterator[Strikes]:
    """Producers, consumers and the alert worker on a host each; Kafka asks who is there."""
    async with struck_world("hosts", rate=RATE, seed=SEED, patience=PATIENCE) as running:
        yield running


async def test_the_alert_worker_tells_and_has_no_way_to_the_stores(strikes: Strikes) -> None:
    """First, while the market that falls at its opening is heard without a gap."""
    world = strikes.world
    assert world.hosts is not None
    await within(60, lambda: _is_told(strikes), "an alert in Slack")

    for link in ("postgres", "redis"):
        port = world.links[link].port
        assert await asyncio.to_thread(_connect, world.hosts.inside("stores"), port) == ""
        assert await asyncio.to_thread(_connect, world.hosts.inside("alerts"), port) == "Network is unreachable"


@pytest.mark.parametrize(
    "planned", [pytest.param(one, id=one.fault.name) for one in plan(FAULTS, SEED).get("hosts", [])]
)
async def test_nothing_is_lost_but_inside_a_gap(strikes: Strikes, planned: Planned) -> None:
    outcome = await strikes.strike(planned)

    assert outcome.broken == []
    assert outcome.published > 0
    # A consumer whose store does not answer ends itself and is started again, and so does an alert worker that gets
    # no further for half a minute; nobody else has a reason to.
    assert outcome.restarts == 0 or planned.fault.name in {"stores-host-cut", "alerts-host-cut", "restarted-on-hosts"}


def _connect(inside: Sequence[str], port: int) -> str:
    """Why that host cannot connect to the stores; nothing when it can."""
    command = [*inside, sys.executable, "-c", _CONNECT, ADDRESSES["stores"], str(port)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stderr.strip()


async def _is_told(strikes: Strikes) -> bool:
    return any("KRW-BTC" in str(message) for message in await strikes.world.market.messages())
