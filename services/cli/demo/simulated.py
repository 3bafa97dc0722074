"""The simulator as a child process, and its control door."""

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp

from devstack import launch
from services.cli.demo.options import DemoOptions
from shared.errors import TapewatchError, WrongUse

_NEVER = 1_000_000_000
_LOG = "simulator.log"
_NOT_PLAYED = "recorded frames that are not played"
_START_LIMIT_S = 60.0
_STOP_LIMIT_S = 15.0


def arguments(options: DemoOptions, truth: Path) -> list[str]:
    """The arguments of `tapewatch simulator`. The market opens when we say so."""
    given = ["simulator", "--truth", str(truth), "--expect", str(_NEVER), "--symbols", str(options.symbols)]
    if options.recordings:
        for prefix in options.recordings:
            given += ["--recordings", str(prefix.absolute())]
        given += ["--speed", str(options.speed)]
    else:
        given += ["--scenario", options.scenario, "--rate", str(options.rate)]
    return given + ([] if options.seed is None else ["--seed", str(options.seed)])


class Simulated:
    """The simulated exchanges and Slack. Use `start`, and `close` at the end."""

    def __init__(self, directory: Path, environ: Mapping[str, str] = os.environ) -> None:
        self.truth = directory / "truth.jsonl"
        self.addresses: Mapping[str, str] = {}
        self._directory = directory
        self._environ = environ
        self._process: asyncio.subprocess.Process | None = None
        self._http: aiohttp.ClientSession | None = None

    async def start(self, options: DemoOptions) -> None:
        """Start it and learn where everything is. Raises WrongUse or TapewatchError with its own one line."""
        log = self._directory / _LOG
        command = [sys.executable, "-m", "services.cli", *arguments(options, self.truth)]
        with log.open("wb") as output:
            self._process = await asyncio.create_subprocess_exec(
                *launch.wrapped(command),
                env={**self._environ, "TAPEWATCH_LOG__FORMAT": "json"},
                cwd=self._directory,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=output,
                start_new_session=True,
            )
        if self._process.stdout is None:
            raise RuntimeError("the simulator was started without a pipe")
        async with asyncio.timeout(_START_LIMIT_S):
            line = await self._process.stdout.readline()
        if not line:
            kind = WrongUse if await self._process.wait() == WrongUse.exit_code else TapewatchError
            raise kind(last_line(log).removeprefix("tapewatch simulator: "))
        self.addresses = json.loads(line)
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_STOP_LIMIT_S))

    def not_played(self) -> list[str]:
        """Channels of a recording that nobody reads, with how many frames they have."""
        lines = (self._directory / _LOG).read_text(encoding="utf-8").splitlines()
        said = [json.loads(line) for line in lines if line.startswith("{")]
        return [f"{line['channel']} ({line['frames']:,} frames)" for line in said if line["event"] == _NOT_PLAYED]

    async def offer(self) -> list[tuple[str, str, str]]:
        """Every (exchange, channel, symbol) that can be subscribed to."""
        return [(exchange, channel, symbol) for exchange, channel, symbol in await self._ask("GET", "offer")]

    async def status(self) -> dict[str, Any]:
        """Counts of what was published, who listens, what Slack took."""
        answer: dict[str, Any] = await self._ask("GET", "status")
        return answer

    async def parent_messages(self) -> int:
        """How many messages stand in Slack's channels, replies in threads not counted."""
        channels = (await self._ask("GET", "slack"))["channels"]
        return sum("thread_ts" not in message for messages in channels.values() for message in messages)

    async def open_market(self) -> None:
        """Let the market begin."""
        await self._ask("POST", "start")

    async def stop_market(self) -> None:
        """Stop the market; returns when the truth log is complete."""
        await self._ask("POST", "stop")

    async def close(self) -> None:
        """Hang up and end it."""
        if self._http is not None:
            await self._http.close()
        if self._process is None or self._process.returncode is not None:
            return
        self._process.terminate()
        try:
            async with asyncio.timeout(_STOP_LIMIT_S):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    async def _ask(self, method: str, what: str) -> Any:
        if self._http is None:
            raise RuntimeError("the simulator has not been started")
        try:
            async with self._http.request(method, f"{self.addresses['control_url']}/{what}") as answer:
                return await answer.json()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise TapewatchError(f"the simulator does not answer ({error!r}): see {self._directory}") from None


def last_line(log: Path) -> str:
    """The last thing that a process said before it ended."""
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1] if lines else f"it ended without a word; its log is {log}"
