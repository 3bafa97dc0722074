"""A command started through the launcher ends with its parent, whatever becomes of that."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from devstack import launch

Wait = Callable[[list[int]], list[int]]
# Its first line says that it runs: until then the launcher could still find out by itself that its parent is gone.
CHILD = ["sh", "-c", "echo runs; exec sleep 60"]
PARENT = f"""
import sys, time
from pathlib import Path
from devstack import launch
print(launch.spawn({CHILD}, log=Path(sys.argv[1])).pid, flush=True)
time.sleep(60)
"""


def wait_until_it_runs(log: Path) -> None:
    deadline = time.monotonic() + 10
    while log.read_bytes() != b"runs\n" and time.monotonic() < deadline:
        time.sleep(0.01)
    assert log.read_bytes() == b"runs\n"


def test_a_child_is_gone_when_its_parent_was_killed(tmp_path: Path, wait_until_gone: Wait) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path / "log")], stdout=subprocess.PIPE)
    with parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        wait_until_it_runs(tmp_path / "log")
        parent.kill()
    assert wait_until_gone([child]) == []


def test_the_command_line_form_does_the_same(wait_until_gone: Wait) -> None:
    script = "python=$1; $python -m devstack.die_with_parent -- sh -c 'echo $$; exec sleep 60' & wait"
    with subprocess.Popen(["sh", "-c", script, "sh", sys.executable], stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        parent.kill()
    assert wait_until_gone([child]) == []


def test_a_child_outlives_the_thread_that_asked_for_it(tmp_path: Path, is_gone: Callable[[int], bool]) -> None:
    started: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        started.append(launch.spawn(CHILD, log=tmp_path / "log"))
        wait_until_it_runs(tmp_path / "log")

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    with started[0] as child:
        time.sleep(0.2)
        assert not is_gone(child.pid)
        child.terminate()
        assert child.wait() == -signal.SIGTERM


def test_a_child_whose_parent_is_gone_already_does_not_start(tmp_path: Path) -> None:
    wrong_parent = [*launch.wrapped(["touch", str(tmp_path / "made")])]
    wrong_parent[wrong_parent.index("--parent") + 1] = "1"
    assert subprocess.run(wrong_parent, capture_output=True, check=False).returncode == 0
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(("command", "status"), [("/no/such/program", 127), ("/etc/passwd", 126)])
def test_a_command_that_cannot_run_is_named(command: str, status: int) -> None:
    found, said = launch.run([command])
    assert (found, said.count("\n")) == (status, 1)
    assert command in said
