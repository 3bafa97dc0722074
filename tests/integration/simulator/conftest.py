"""A simulator inside the test's own event loop, reached over loopback like any other."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from services.simulator.app import Simulator, SimulatorOptions
from services.simulator.slack.api import SlackLimits
from services.simulator.upbit.socket import UpbitLimits

QUICK_UPBIT = UpbitLimits(snapshot_after_s=(0.01, 0.02), close_after_error_s=0.02)


@dataclass
class Running:
    """A simulator that listens; `url` its addresses, `http` a client."""

    simulator: Simulator
    url: dict[str, str]
    http: aiohttp.ClientSession
    truth: Path

    async def get(self, url: str, **query: Any) -> Any:
        async with self.http.get(url, params=query) as answer:
            return json.loads(await answer.text())

    async def control(self, what: str, **body: Any) -> dict[str, Any]:
        async with self.http.post(f"{self.url['control_url']}/{what}", json=body) as answer:
            assert answer.status == 200, await answer.text()
            found: dict[str, Any] = await answer.json()
            return found

    async def stop(self) -> list[dict[str, Any]]:
        """Stop the market and read the truth log."""
        await self.control("stop")
        return [json.loads(line) for line in self.truth.read_text(encoding="utf-8").splitlines()]

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait for something to become true; the test's timeout is the limit."""
        while not holds():  # noqa: ASYNC110  # the simulator has no hook for tests to wait on
            await asyncio.sleep(0.005)


Simulate = Callable[..., Awaitable[Running]]


@pytest.fixture
async def simulate(tmp_path: Path) -> AsyncIterator[Simulate]:
    """``await simulate(rate=…)``: start a simulator with these options; it ends with the test."""
    async with AsyncExitStack() as ended:

        async def start(**options: Any) -> Running:
            defaults: dict[str, Any] = {
                "truth": tmp_path / "truth.jsonl",
                "upbit_limits": QUICK_UPBIT,
                "slack_limits": SlackLimits(posts_burst=50.0),
                "symbols": 3,
                "rate": 500.0,
            }
            simulator = Simulator(SimulatorOptions(**(defaults | options)))
            await simulator.start()
            stop = asyncio.Event()
            playing = asyncio.create_task(simulator.run(stop))

            async def end() -> None:
                stop.set()
                await playing

            http = await ended.enter_async_context(aiohttp.ClientSession())
            ended.push_async_callback(end)
            return Running(simulator, simulator.addresses(), http, (defaults | options)["truth"])

        yield start


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The folder of recordings: named by TAPEWATCH_RECORDINGS, or beside the checkout."""
    named = os.environ.get("TAPEWATCH_RECORDINGS")
    folder = Path(named) if named else Path(__file__).parents[3].parent / "shared" / "recordings"
    if not folder.is_dir():
        pytest.skip("needs_recordings")
    return folder
