"""The product brought up by Docker Compose on simulated exchanges and a simulated Slack, and what one can do to it."""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep, time
from typing import Any
from urllib.request import urlopen

REPOSITORY = Path(__file__).parents[2]
PROJECT = "tapewatch-drill"
PORTS = ("KAFKA_PORT", "POSTGRES_PORT", "REDIS_PORT", "SIMULATOR_PORT", "PROMETHEUS_PORT", "DEADMAN_PORT")
UP_WITHIN_S = 600


@dataclass
class Deployment:
    """Everything that is up; `figures` is what was measured on the way, by what it is."""

    ports: Mapping[str, int] = field(default_factory=lambda: {name: _free_port() for name in PORTS})
    figures: dict[str, str] = field(default_factory=dict)

    def compose(self, *arguments: str, within_s: float = 120, **variables: str) -> str:
        """`docker compose …` of this deployment, also with other variables; its output."""
        done = subprocess.run(
            ["docker", "compose", "--env-file", "deploy/compose/demo.env", "-p", PROJECT, *arguments],
            check=False, capture_output=True, text=True, cwd=REPOSITORY, timeout=within_s,
            env={**os.environ, **{name: str(port) for name, port in self.ports.items()}, **variables},
        )  # fmt: skip
        assert done.returncode == 0, f"docker compose {' '.join(arguments)}: {done.stderr[-2000:]}"
        return done.stdout

    def up(self) -> None:
        """Build the image and bring everything up until it is healthy."""
        self.compose("build", within_s=UP_WITHIN_S)
        began = monotonic()
        self.compose("up", "--detach", "--wait", "--pull", "missing", within_s=UP_WITHIN_S)
        self.figures["everything healthy after"] = f"{monotonic() - began:.0f} s"

    def down(self) -> None:
        """Take everything down, data and passwords too."""
        self.compose("down", "--volumes", "--timeout", "20", within_s=UP_WITHIN_S)

    def states(self) -> dict[str, dict[str, Any]]:
        """By service, how its container is; those that ran once and ended among them."""
        lines = self.compose("ps", "--all", "--format", "json").splitlines()
        return {one["Service"]: one for one in map(json.loads, lines)}

    def inspect(self, service: str) -> dict[str, Any]:
        """What the engine knows of a service's container."""
        [found] = json.loads(_docker("inspect", f"{PROJECT}-{service}-1"))
        state: dict[str, Any] = found
        return state

    def kill(self, service: str) -> float:
        """SIGKILL to a container's first process, as the kernel does when memory is out; when that was.

        `docker kill` would count as a person's wish, and nothing would start it again.
        """
        os.kill(self.inspect(service)["State"]["Pid"], signal.SIGKILL)
        return time()

    def does(self, verb: str, service: str) -> float:
        """`docker stop|start|pause|unpause`; when that was done."""
        _docker(verb, f"{PROJECT}-{service}-1")
        return time()

    @contextmanager
    def limited(self, service: str, to_mb: int) -> Iterator[None]:
        """A container may take less memory meanwhile."""
        host = self.inspect(service)["HostConfig"]
        self._limit(service, to_mb << 20, to_mb << 20)
        try:
            yield
        finally:
            self._limit(service, host["Memory"], host["MemorySwap"])

    def _limit(self, service: str, memory_bytes: int, with_swap_bytes: int) -> None:
        limits = ("--memory", str(memory_bytes), "--memory-swap", str(with_swap_bytes))
        _docker("update", *limits, f"{PROJECT}-{service}-1")

    def fill_tmp(self, service: str, mb: int) -> None:
        """Lay a file into a container's /tmp, which is of its memory, if it runs at all and lives as long as that."""
        lay = ["dd", "if=/dev/zero", "of=/tmp/filled", "bs=1M", f"count={mb}"]
        subprocess.run(["docker", "exec", f"{PROJECT}-{service}-1", *lay], check=False, capture_output=True, timeout=60)

    def out_of_memory(self, service: str, since_s: float) -> int:
        """How often a container was out of memory, as the kernel told the engine."""
        between = ("--since", f"{since_s:.3f}", "--until", f"{time():.3f}")
        of = ("--filter", "event=oom", "--filter", f"container={PROJECT}-{service}-1")
        return len(_docker("events", *between, *of).splitlines())

    def memory(self) -> dict[str, str]:
        """By service, what its container takes now."""
        lines = _docker("stats", "--no-stream", "--format", "{{.Name}} {{.MemUsage}}").splitlines()
        mine = (line.removeprefix(f"{PROJECT}-") for line in lines if line.startswith(PROJECT))
        return {name.removesuffix("-1"): used for name, used, *_ in map(str.split, mine)}

    def slack(self, channel: str) -> list[dict[str, Any]]:
        """Messages of a channel of the simulated Slack, replies among them, oldest first."""
        with urlopen(f"http://127.0.0.1:{self.ports['SIMULATOR_PORT']}/control/slack", timeout=30) as answer:
            found: list[dict[str, Any]] = json.load(answer)["channels"][channel]
        return found

    def told(self, since: int, *beginnings: str, within_s: float = 120.0) -> list[dict[str, Any]]:
        """Wait until the ops messages after the `since`-th are these, by how they begin; the messages."""

        def fresh() -> list[dict[str, Any]]:
            return self.slack("tapewatch-ops")[since:]

        def holds() -> bool:
            found = [message["text"] for message in fresh()]
            return len(found) >= len(beginnings) and all(map(str.startswith, found, beginnings))

        until(holds, within_s, lambda: f"told was {[message['text'] for message in fresh()]}, not {beginnings}")
        return fresh()

    def until_healthy(self, within_s: float = 240.0) -> None:
        """Wait until everything that lasts is healthy."""

        def ill() -> dict[str, str]:
            return {
                name: one["Status"]
                for name, one in self.states().items()
                if one["Health"] != "healthy" and not (one["State"] == "exited" and one["ExitCode"] == 0)
            }

        until(lambda: not ill(), within_s, lambda: str(ill()))


def until(holds: Callable[[], bool], within_s: float, otherwise: Callable[[], str]) -> None:
    """Wait for something to become true."""
    began = monotonic()
    while not holds():
        assert monotonic() - began < within_s, otherwise()
        sleep(0.5)


def _docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"docker {' '.join(arguments)}: {done.stderr[-1000:]}"
    return done.stdout


def run_in_image(image: str, program: str, **settings: str) -> tuple[int, str, float]:
    """Run a Python program in the image as a part runs; its exit status, what it said, and after how many seconds."""
    given = [argument for name, value in settings.items() for argument in ("--env", f"{name}={value}")]
    closed = ["--read-only", "--cap-drop", "ALL", "--entrypoint", "python"]
    began = monotonic()
    done = subprocess.run(
        ["docker", "run", "--rm", *closed, *given, image, "-c", program],
        check=False, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    return done.returncode, done.stderr, monotonic() - began


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port
