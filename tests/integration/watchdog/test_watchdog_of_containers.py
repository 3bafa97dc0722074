"""The watchdog as a process, parts that show their health as every service does, and the simulated Slack."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

import pytest
from aiohttp import web

from services.simulator.slack.api import SlackApi, SlackFault, SlackLimits
from services.simulator.slack.workspace import Message, Workspace
from shared.clock import now_us

pytestmark = pytest.mark.timeout(120)
PART = """
import signal, sys, time
from shared import health
from shared.liveness import Liveness
from shared.settings import MetricsSettings
liveness = Liveness(time.monotonic, float(sys.argv[2]), 60)
health.serve(MetricsSettings(port=int(sys.argv[1])), liveness)
works = True
def stand_still(*_):
    global works
    works = False
signal.signal(signal.SIGUSR1, stand_still)
liveness.moved("at work")
print("up", flush=True)
for _ in range(6000):
    if works:
        liveness.moved("at work")
    time.sleep(0.1)
"""


class Ops:
    """A channel of the simulated Slack, and the processes."""

    def __init__(self, directory: Path, workspace: Workspace, api: SlackApi, url: str) -> None:
        self.directory, self.workspace, self.api, self.url = directory, workspace, api, url
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.processes: list[asyncio.subprocess.Process] = []

    @property
    def messages(self) -> list[Message]:
        return list(self.workspace.channels[0].messages)

    async def until(self, holds: Callable[[list[Message]], bool]) -> list[Message]:
        async with asyncio.timeout(60):
            while True:
                messages = self.messages
                if holds(messages):
                    return messages
                await asyncio.sleep(0.05)

    async def part(self, within_s: float = 3600) -> asyncio.subprocess.Process:
        started = await self._start("-c", PART, str(self.port), str(within_s))
        assert started.stdout is not None
        assert await started.stdout.readline() == b"up\n"
        return started

    async def watchdog(self) -> asyncio.subprocess.Process:
        return await self._start("-m", "services.cli", "watchdog")

    async def _start(self, *arguments: str) -> asyncio.subprocess.Process:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TAPEWATCH_")} | {
            "TAPEWATCH_WATCHDOG__PROBES": f"consumer-redis=http://127.0.0.1:{self.port}",
            "TAPEWATCH_WATCHDOG__HOST": "vm1",
            "TAPEWATCH_SLACK__BOT_TOKEN": "xoxb-simulated",
            "TAPEWATCH_SLACK__CHANNEL": "#ops",
            "TAPEWATCH_SLACK__API_URL": self.url,
            "TAPEWATCH_STATE__DIRECTORY": str(self.directory),
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, env=environment, stdout=asyncio.subprocess.PIPE
        )
        self.processes.append(process)
        return process

    async def known_up(self) -> None:
        """Wait until the watchdog has seen the part up and has written that down."""
        await self._until_kept(
            lambda kept: json.loads(kept)["memory"]["parts"].get("consumer-redis", {}).get("told") == "up"
        )

    async def written_down(self, ts: str) -> None:
        """Wait until the watchdog has kept that this message was taken; killed before, it rightly says it again."""
        await self._until_kept(lambda kept: ts in kept)

    async def _until_kept(self, holds: Callable[[str], bool]) -> None:
        file = self.directory / "watchdog.json"
        async with asyncio.timeout(60):
            while True:
                if file.exists() and holds(file.read_text(encoding="utf-8")):
                    return
                await asyncio.sleep(0.05)


@pytest.fixture
async def ops(tmp_path: Path) -> AsyncIterator[Ops]:
    async with _slack(tmp_path) as one:
        yield one
        for process in one.processes:
            if process.returncode is None:
                process.kill()
            await process.communicate()


@asynccontextmanager
async def _slack(directory: Path) -> AsyncIterator[Ops]:
    workspace = Workspace(["ops"])
    api = SlackApi(workspace, SlackLimits(), now_us)
    application = web.Application()
    application.add_routes(api.routes())
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    yield Ops(directory, workspace, api, f"http://{host}:{port}/api/")
    await runner.cleanup()


async def test_killed_and_back_again_are_two_messages_in_one_thread(ops: Ops) -> None:
    part = await ops.part()
    await ops.watchdog()
    await ops.known_up()
    part.kill()
    killed_at = monotonic()
    [down] = await ops.until(bool)
    assert down.text == "🔴 DOWN · consumer-redis on vm1: does not answer: Connection refused"
    assert monotonic() - killed_at < 20
    await ops.part()
    _, back = await ops.until(lambda messages: len(messages) == 2)
    assert back.text.startswith("✅ BACK · consumer-redis on vm1 after ")
    assert back.thread_ts == down.ts


async def test_what_answers_and_does_not_get_on_is_told_as_hung(ops: Ops) -> None:
    part = await ops.part(within_s=10)
    await ops.watchdog()
    await ops.known_up()
    part.send_signal(signal.SIGUSR1)
    [hung] = await ops.until(bool)
    assert "hung: no progress" in hung.text


@pytest.mark.long
async def test_a_watchdog_that_is_killed_tells_what_happened_meanwhile_and_nothing_twice(ops: Ops) -> None:
    part = await ops.part()
    watchdog = await ops.watchdog()
    await ops.known_up()
    part.kill()
    [down] = await ops.until(bool)
    await ops.written_down(down.ts)
    watchdog.kill()
    await watchdog.wait()
    await ops.part()
    await ops.watchdog()
    _, back = await ops.until(lambda messages: len(messages) == 2)
    assert back.text.startswith("✅ BACK")
    assert back.thread_ts == down.ts


@pytest.mark.long
async def test_slack_that_is_away_delays_and_loses_nothing(ops: Ops) -> None:
    ops.api.plan_fault(SlackFault("error", 3, status=503))
    part = await ops.part()
    watchdog = await ops.watchdog()
    await ops.known_up()
    part.kill()
    [down] = await ops.until(bool)
    assert down.text.startswith("🔴 DOWN")
    watchdog.send_signal(signal.SIGTERM)
    assert await watchdog.wait() == 0
