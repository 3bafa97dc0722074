"""The heartbeat as whoever started the process hears it: over a real socket, as systemd listens on one."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest

from shared.errors import TapewatchError
from shared.heartbeat import beat
from shared.liveness import Lack, Liveness
from shared.systemd import Systemd

WATCHDOG_S = 0.15


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.setblocking(False)
        yield listening


def systemd(listening: socket.socket, watchdog_s: float | None = WATCHDOG_S) -> Systemd:
    usec = {} if watchdog_s is None else {"WATCHDOG_USEC": str(int(watchdog_s * 1_000_000))}
    return Systemd({"NOTIFY_SOCKET": listening.getsockname(), **usec})


async def heard(listening: socket.socket, within_s: float = 30.0) -> list[str]:
    loop = asyncio.get_running_loop()
    return (await asyncio.wait_for(loop.sock_recv(listening, 4096), within_s)).decode().splitlines()


async def test_ready_is_said_once_and_only_after_the_first_progress(listening: socket.socket) -> None:
    liveness = Liveness(monotonic, within_s=60, start_within_s=60)
    beating = asyncio.create_task(beat(liveness, systemd(listening)))
    first = await heard(listening)
    assert "EXTEND_TIMEOUT_USEC=30000000" in first
    assert "STATUS=starting" in first
    assert "READY=1" not in first
    liveness.moved("7 records/s")
    while (line := await heard(listening)) != ["READY=1"]:
        assert "STATUS=starting" in line
    for _ in range(3):
        assert await heard(listening) == ["STATUS=7 records/s", "WATCHDOG=1"]
    liveness.lacks(Lack("Kafka", "it does not answer"))
    while (line := await heard(listening))[0] == "STATUS=7 records/s":
        pass
    assert line[0] == "STATUS=waiting for Kafka for 0 s: it does not answer; 7 records/s"
    beating.cancel()


async def test_the_watchdog_is_not_fed_without_progress(listening: socket.socket) -> None:
    liveness = Liveness(monotonic, within_s=2 * WATCHDOG_S, start_within_s=60)
    liveness.moved("stuck")
    beating = asyncio.create_task(beat(liveness, systemd(listening)))
    while "WATCHDOG=1" in (line := await heard(listening)) or line == ["READY=1"]:
        pass
    assert line[0].startswith("STATUS=no progress for 0 s: stuck")
    assert line[1:] == ["WATCHDOG=trigger"]
    for _ in range(3):
        assert "WATCHDOG=1" not in await heard(listening)
    beating.cancel()


async def test_without_systemd_a_process_without_progress_ends_itself() -> None:
    liveness = Liveness(monotonic, within_s=1, start_within_s=60)
    liveness.moved("stuck")
    with pytest.raises(TapewatchError, match=r"no progress for \d s \(stuck\): starting over"):
        await asyncio.wait_for(beat(liveness, Systemd({})), 60)


def test_a_watchdog_that_is_meant_for_another_process_is_not_ours() -> None:
    assert Systemd({"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"}).watchdog_s is None
    assert not Systemd({}).listens
