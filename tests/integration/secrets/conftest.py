"""Every secret setting holds a word that nobody else writes; everything that leaves our processes is kept."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.request import urlopen

import pytest
from aiohttp import web
from aiohttp.typedefs import Handler

from services.simulator.slack.api import SlackApi, SlackLimits
from services.simulator.slack.workspace import Workspace
from shared.clock import now_us
from shared.settings import secret_keys

WORD = "zebrafink"
"""Found nowhere but in secrets."""


def canary(section: str, key: str) -> str:
    """The secret itself, without the address that it may be part of."""
    return f"{WORD}{section}{key}".replace("_", "")


@dataclass
class Outside:
    """Whoever our messages go to: the simulated Slack, webhooks, the receiver of heartbeats.

    `refuses`: every answer is a refusal that repeats the whole request, as proxies and error pages do.
    """

    refuses: bool = False
    looked_at: int = 0
    received: list[str] = field(default_factory=list)
    calls: int = 0
    port: int = 0
    workspace: Workspace = field(default_factory=lambda: Workspace(["tapewatch"]))

    @web.middleware
    async def take(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path == "/livez":
            return self._health()
        body = (await request.read()).decode(errors="replace")
        self.calls += 1
        # A token belongs into this header, and a webhook's secret into its path: nowhere else.
        headers = {name: value for name, value in request.headers.items() if name != "Authorization"}
        self.received += [body, str(headers), request.query_string]
        if not self.refuses:
            return web.Response(text="ok") if WORD in request.path else await handler(request)
        echo = f"refused: {request.path_qs} {request.headers.get('Authorization')} {body}"
        if request.path.startswith("/api/"):
            return web.json_response({"ok": False, "error": echo[:150], "response_metadata": {"messages": [echo]}})
        return web.Response(status=404, text=echo)

    def _health(self) -> web.Response:
        """That of a part which is well at first, and then hangs with a secret as its last word."""
        self.looked_at += 1
        is_well = self.looked_at <= 3
        status = "fine" if is_well else "redis://someone:zebrafinkredisurl@127.0.0.1 hangs"
        page = {"started_at": 1, "ready": True, "still_s": 0 if is_well else 99, "status": status}
        return web.json_response(page, status=200 if is_well else 503)


@pytest.fixture
async def outside() -> AsyncIterator[Outside]:
    one = Outside()
    application = web.Application(middlewares=[one.take])
    application.add_routes(SlackApi(one.workspace, SlackLimits(100, 100, 100, 100), now_us).routes())
    application.router.add_route("*", "/{tail:.*}", _nothing)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    one.port = runner.addresses[0][1]
    yield one
    await runner.cleanup()


async def _nothing(_: web.Request) -> web.Response:
    return web.Response(status=404)


@pytest.fixture
def planted(outside: Outside) -> dict[str, str]:
    """A value for every secret setting, by its name in the environment. A new secret is among them by its type."""
    shapes = {
        "postgres.dsn": "postgresql://someone:{}@127.0.0.1:1/tapewatch",
        "redis.url": "redis://someone:{}@127.0.0.1:1/0",
        "slack.bot_token": "xoxb-{}",
    }
    found = {}
    for section, key in secret_keys():
        shape = f"http://127.0.0.1:{outside.port}/hooks/{{}}" if key.endswith("url") else "{}"
        shape = shapes.get(f"{section}.{key}", shape)
        found[f"TAPEWATCH_{section}__{key}".upper()] = shape.format(canary(section, key))
    return found


@dataclass
class Evidence:
    """What left our processes, by where it was seen; and the processes, so that none stays."""

    directory: Path
    environment: dict[str, str]
    pieces: dict[str, str] = field(default_factory=dict)
    running: list[asyncio.subprocess.Process] = field(default_factory=list)

    def leaks(self) -> list[str]:
        """Where the word was seen, with what stands around it."""
        for file in (path for path in self.directory.rglob("*") if path.is_file()):
            if file.stat().st_mode & 0o077 == 0 and file.name == "stack.json":
                continue  # it holds the addresses for `stack env`, for its owner alone
            self.pieces[f"file {file.name}"] = file.read_text(errors="replace")
        return [f"{where}: …{around}…" for where, text in self.pieces.items() for around in _around(text)]

    async def command(self, *arguments: str, within_s: float = 60, **environ: str) -> int:
        """Run to its end; the exit code."""
        process = await self._start(arguments, environ)
        async with asyncio.timeout(within_s):
            out, err = await process.communicate()
        said = (out + err).decode(errors="replace")
        self._keep(arguments, said)
        return process.returncode or 0

    async def service(
        self, *arguments: str, until: Callable[[str, str], bool], within_s: float = 40, **environ: str
    ) -> str:
        """Run until its log and its health page (as text) say so, look at all that it shows, end it; its log.

        One that ends by itself has been looked at, too.
        """
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        process = await self._start(arguments, {**environ, "TAPEWATCH_METRICS__PORT": str(port)})
        log: list[str] = []
        reading = asyncio.create_task(_read(process, log))
        async with asyncio.timeout(within_s):
            while process.returncode is None and not until("".join(log), await _page(port, "livez")):
                await asyncio.wait({reading}, timeout=0.1)
        for name in ("livez", "readyz", "metrics"):
            self._keep((*arguments, name), await _page(port, name))
        self._look_at_arguments()
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.wait(), 20)
        await reading
        self._keep(arguments, "".join(log))
        return "".join(log)

    async def _start(self, arguments: tuple[str, ...], environ: dict[str, str]) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.cli", *arguments,
            env={name: value for name, value in {**self.environment, **environ}.items() if value},
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        self.running.append(process)
        return process

    def _keep(self, arguments: tuple[str, ...], text: str) -> None:
        name = " ".join(arguments)
        self.pieces[name] = self.pieces.get(name, "") + text

    def _look_at_arguments(self) -> None:
        """Of every process of this machine: ours start others."""
        for pid in (path for path in Path("/proc").iterdir() if path.name.isdigit()):
            try:
                self.pieces[f"arguments of {pid.name}"] = (pid / "cmdline").read_text(errors="replace")
            except OSError:
                continue  # it has ended


def _around(text: str) -> Iterator[str]:
    at = text.find(WORD)
    while at >= 0:
        yield text[max(0, at - 150) : at + 60].replace("\n", "⏎")
        at = text.find(WORD, at + 200)


async def _read(process: asyncio.subprocess.Process, log: list[str]) -> None:
    async def lines(stream: asyncio.StreamReader | None) -> None:
        assert stream is not None
        async for line in stream:
            log.append(line.decode(errors="replace"))  # noqa: PERF401 - it is read while it grows

    await asyncio.gather(lines(process.stdout), lines(process.stderr))


async def _page(port: int, name: str) -> str:
    def get() -> str:
        try:
            with urlopen(f"http://127.0.0.1:{port}/{name}", timeout=5) as answer:
                return str(answer.read().decode())
        except OSError as error:
            return error.read().decode() if hasattr(error, "read") else ""

    return await asyncio.to_thread(get)


@pytest.fixture
async def evidence(tmp_path: Path, planted: dict[str, str], outside: Outside) -> AsyncIterator[Evidence]:
    """All secrets planted, nothing reachable but `outside`; a test sets what it wants to be there."""
    (tmp_path / "state").mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TAPEWATCH_")}
    one = Evidence(
        tmp_path / "state",
        {
            **kept,
            **planted,
            "TAPEWATCH_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1",
            "TAPEWATCH_KAFKA__SASL_USERNAME": "someone",
            "TAPEWATCH_SLACK__API_URL": f"http://127.0.0.1:{outside.port}/api/",
            "TAPEWATCH_UPBIT__REST_URL": "http://127.0.0.1:1",
            "TAPEWATCH_UPBIT__WEBSOCKET_URL": "ws://127.0.0.1:1",
            "TAPEWATCH_BINANCE__REST_URL": "http://127.0.0.1:1",
            "TAPEWATCH_START__WAIT_S": "1",
            "TAPEWATCH_ALERTS__GREETING": "false",
            "TAPEWATCH_ALERTS__DAILY_DIGEST": "false",
            "TAPEWATCH_LOG__LEVEL": "debug",
            "TAPEWATCH_STATE__DIRECTORY": str(tmp_path / "state"),
            "XDG_STATE_HOME": str(tmp_path / "state"),
        },
    )
    yield one
    for process in one.running:
        if process.returncode is None:
            process.kill()
            await process.wait()
