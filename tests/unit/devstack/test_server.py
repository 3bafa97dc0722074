"""How long a server may take to come up, told by a clock that the preparation moves."""

import re
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from devstack import server
from devstack.ports import Port
from devstack.server import Progress, Server


@dataclass
class Clock:
    """A clock that stands still but where a test moves it."""

    now_s: float = 0.0

    def monotonic(self) -> float:
        return self.now_s


@dataclass
class SlowlyPrepared:
    """A process that serves at once, after a preparation of an hour."""

    root: Path
    clock: Clock

    name: str = "A server"
    ready: re.Pattern[bytes] = re.compile(b"I serve")
    user: str | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGKILL
    ports: Sequence[Port] = ()
    address: str = ""

    def prepare(self, _progress: Progress) -> None:
        self.clock.now_s += 3600

    def argv(self) -> list[str]:
        return ["/bin/sh", "-c", "echo I serve; exec sleep 60"]


def test_a_slow_first_download_leaves_the_server_its_whole_time_to_come_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(server, "time", SimpleNamespace(monotonic=clock.monotonic, sleep=time.sleep))
    one = Server(SlowlyPrepared(tmp_path, clock))
    try:
        one.start(timeout_s=60)
        assert one.running
        assert one.prepared_s == one.started_s == 3600
    finally:
        one.stop()
