"""Services kept alive: started again when killed, gone when their supervisor is."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from time import monotonic

import pytest

from services.cli.demo import supervision
from services.cli.demo.services import Service
from services.cli.demo.supervision import (
    Supervisor,
    configuration,
    count_restarts,
    cpu_seconds,
    ends,
    resident_mb,
)


@pytest.fixture
async def supervisor(tmp_path: Path) -> AsyncIterator[Supervisor]:
    """One service that needs no server: a simulator whose market never opens."""
    service = Service("simulator", ("simulator", "--expect", "1000000"), {"TAPEWATCH_LOG__LEVEL": "error"})
    found = Supervisor(tmp_path, [service], dict(os.environ))
    await found.start()
    yield found
    await found.close()


def is_the_command(pid: int) -> bool:
    """Whether it is past its start: a signal before that would reach supervisor's own handler in the new process."""
    return b"services.cli" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")


async def pid_of(supervisor: Supervisor, other_than: int = 0) -> int:
    deadline = monotonic() + 20
    while True:
        [process] = await supervisor.processes()
        if process.pid not in (0, other_than) and is_the_command(process.pid):
            return process.pid
        assert monotonic() < deadline, supervisor.said()


async def test_a_killed_service_is_started_again_and_counted(supervisor: Supervisor) -> None:
    first = await pid_of(supervisor)
    os.kill(first, signal.SIGKILL)
    second = await pid_of(supervisor, other_than=first)
    assert count_restarts(supervisor.said(), supervisor.names) == {"simulator": 1}
    assert (resident_mb(second) or 0) > 0
    assert cpu_seconds(second) is not None
    await supervisor.stop(supervisor.names)
    assert [process.pid for process in await supervisor.processes()] == [0]
    assert resident_mb(second) is None
    assert cpu_seconds(second) is None


async def test_a_service_that_ends_while_it_is_told_to_stop_stays_away(supervisor: Supervisor) -> None:
    """Supervisor knows that it ended, and has not started it again: it then refuses to stop it."""
    for already_ended in range(4):
        os.kill(await pid_of(supervisor), signal.SIGKILL)
        while len(ends(supervisor.said())) <= already_ended:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        await supervisor.stop(supervisor.names)
        await asyncio.sleep(0.5)  # two of its looks at what is to be started
        assert [process.state for process in await supervisor.processes()] == ["stopped"]
        await supervisor._call("startProcess", "simulator", False)


async def test_a_service_that_cannot_be_started_is_stopped_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_python(directory: Path, services: Sequence[Service]) -> str:
        return configuration(directory, services).replace(f'"{sys.executable}"', '"/nowhere/python"')

    monkeypatch.setattr(supervision, "configuration", without_python)
    found = Supervisor(tmp_path, [Service("simulator", ("simulator",), {})], dict(os.environ))
    await found.start()
    assert [process.state for process in await found.processes()] == ["backoff"]
    await found.stop(found.names)
    assert [process.state for process in await found.processes()] == ["stopped"]
    await found.close()


async def test_services_die_with_a_supervisor_that_is_killed(supervisor: Supervisor, tmp_path: Path) -> None:
    service = await pid_of(supervisor)
    os.kill(int((tmp_path / "supervisor.pid").read_text()), signal.SIGKILL)
    deadline = monotonic() + 10
    while resident_mb(service):  # nothing, or nothing left of it
        assert monotonic() < deadline
        await asyncio.sleep(0.02)
