"""The watchdog and the receiver of heartbeats as processes, a part that shows its health, and who hears of it all."""

import asyncio
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from services.simulator.slack.api import SlackApi, SlackLimits
from services.simulator.slack.workspace import Message, Workspace
from shared.clock import now_us

PART = """
import signal, sys, time
from shared import health
from shared.liveness import Lack, Liveness
from shared.settings import MetricsSettings
liveness = Liveness(time.monotonic, float(sys.argv[2]), 60)
health.serve(MetricsSettings(port=int(sys.argv[1])), liveness)
works = True
def stand_still(*_):
    global works
    works = False
kafka = None
def kafka_goes_or_comes(*_):
    global kafka
    kafka = Lack("Kafka", "Kafka does not answer") if kafka is None else None
signal.signal(signal.SIGUSR1, stand_still)
signal.signal(signal.SIGUSR2, kafka_goes_or_comes)
liveness.moved("at work")
print("up", flush=True)
for _ in range(6000):
    if works and kafka is None:
        liveness.moved("at work")
    elif works:
        liveness.waits("at work")
    liveness.lacks(kafka)
    time.sleep(0.1)
"""


@dataclass
class Outside:
    """Another way to people than Slack, which answers with `status`; and an address for heartbeats."""

    status: int = 200
    told: list[str] = field(default_factory=list)
    heartbeats: list[Any] = field(default_factory=list)
    url: str = ""

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/hook", self._hook), web.post("/heartbeat", self._heartbeat)]

    async def _hook(self, request: web.Request) -> web.Response:
        body = await request.json()
        if self.status == 200:
            self.told.append(body["text"])
        return web.Response(status=self.status)

    async def _heartbeat(self, request: web.Request) -> web.Response:
        self.heartbeats.append(await request.json())
        return web.Response()


class Ops:
    """A channel of the simulated Slack, and the processes."""

    def __init__(self, directory: Path, workspace: Workspace, api: SlackApi, outside: Outside) -> None:
        self.directory, self.workspace, self.api, self.outside = directory, workspace, api, outside
        self.port, self.receiver_port = _free_port(), _free_port()
        self.processes: list[asyncio.subprocess.Process] = []
        self.path = os.environ["PATH"]

    @property
    def messages(self) -> list[Message]:
        return list(self.workspace.channels[0].messages)

    async def until(self, holds: Callable[[list[Message]], bool]) -> list[Message]:
        await eventually(lambda: holds(self.messages))
        return self.messages

    async def part(self, within_s: float = 3600) -> asyncio.subprocess.Process:
        started = await self._start("-c", PART, str(self.port), str(within_s))
        assert started.stdout is not None
        assert await started.stdout.readline() == b"up\n"
        return started

    async def watchdog(self, **settings: str) -> asyncio.subprocess.Process:
        return await self._start("-m", "services.cli", "watchdog", **settings)

    async def watchdog_of_units(self, programs: Path) -> asyncio.subprocess.Process:
        """One that asks systemctl and journalctl, and finds them in `programs`."""
        self.path = f"{programs}:{os.environ['PATH']}"
        return await self.watchdog(WATCHDOG__PROBES="")

    async def receiver(self, within_s: int) -> asyncio.subprocess.Process:
        """Who hears heartbeats, and what it keeps beside what the watchdog keeps."""
        options = ["--port", str(self.receiver_port), "--within", str(within_s)]
        return await self._start("-m", "services.cli", "deadman", *options)

    async def _start(self, *arguments: str, **settings: str) -> asyncio.subprocess.Process:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TAPEWATCH_")}
        chosen = {
            "WATCHDOG__PROBES": f"consumer-redis=http://127.0.0.1:{self.port}",
            "WATCHDOG__HOST": "vm1",
            "SLACK__BOT_TOKEN": "xoxb-simulated",
            "SLACK__CHANNEL": "#ops",
            "SLACK__API_URL": f"{self.outside.url}/api/",
            "STATE__DIRECTORY": str(self.directory),
        } | settings
        process = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, stdout=asyncio.subprocess.PIPE,
            env=kept | {f"TAPEWATCH_{name}": value for name, value in chosen.items()} | {"PATH": self.path},
        )  # fmt: skip
        self.processes.append(process)
        return process

    async def known_up(self) -> None:
        """Wait until the watchdog has seen the part up and has written that down."""
        await self.kept(lambda kept: json.loads(kept)["memory"]["parts"].get("consumer-redis", {}).get("told") == "up")

    async def written_down(self, ts: str) -> None:
        """Wait until the watchdog has kept that this message was taken; killed before, it rightly says it again."""
        await self.kept(lambda kept: ts in kept)

    async def kept(self, holds: Callable[[str], bool], file: str = "watchdog.json") -> None:
        """Wait until what a process keeps in a file is so."""
        path = self.directory / file
        await eventually(lambda: path.exists() and holds(path.read_text(encoding="utf-8")))


async def eventually(holds: Callable[[], bool]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110  # files and lists say nothing when they change
            await asyncio.sleep(0.05)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port


@pytest.fixture
async def ops(tmp_path: Path) -> AsyncIterator[Ops]:
    async with _outside(tmp_path) as one:
        yield one
        for process in one.processes:
            if process.returncode is None:
                process.kill()
            await process.communicate()


@asynccontextmanager
async def _outside(directory: Path) -> AsyncIterator[Ops]:
    workspace, outside = Workspace(["ops"]), Outside()
    api = SlackApi(workspace, SlackLimits(), now_us)
    application = web.Application()
    application.add_routes([*api.routes(), *outside.routes()])
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    outside.url = f"http://{host}:{port}"
    yield Ops(directory, workspace, api, outside)
    await runner.cleanup()
