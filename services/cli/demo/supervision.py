"""Keeps the services alive with supervisor: a killed one is started again at once, and all of them die with us."""

import asyncio
import os
import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault

from devstack import die_with_parent, launch
from services.cli.demo.services import Service
from services.cli.demo.unix_rpc import connect
from shared.errors import TapewatchError

STOP_LIMIT_S = 10
_START_LIMIT_S = 15.0
_LEAVE_LIMIT_S = 3.0
_WAKE_EVERY_S = 0.2
_POLL_S = 0.05
_GONE = "stopped"
_LOG_BYTES = 20 << 20
_MAX_SOCKET_PATH = 100  # the kernel's limit is 108 bytes
_SPAWNED = re.compile(r"spawned: '([^']+)' with pid \d+")
_ENDED = re.compile(r"exited: (\S+) \(([^;)]+)")


@dataclass(frozen=True)
class Process:
    """How one service is. `pid` 0 when it is not there; `exit_status` of its last end."""

    name: str
    state: str
    pid: int
    exit_status: int


def configuration(directory: Path, services: Sequence[Service]) -> str:
    """Supervisor's configuration: no pause before a restart, no limit to their number, output into rotated files."""
    programs = "\n".join(_program(directory, service) for service in services)
    return f"""[supervisord]
nodaemon=true
logfile={_literal(directory / "supervisor.log")}
logfile_maxbytes=0
pidfile={_literal(directory / "supervisor.pid")}
childlogdir={_literal(directory)}
silent=true

[unix_http_server]
file={_literal(_socket(directory))}

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

{programs}"""


def _program(directory: Path, service: Service) -> str:
    # Each service dies with supervisor, even when that is killed with -9.
    launcher = [sys.executable, "-I", "-S", die_with_parent.__file__, "--"]
    started = (*service.inside, sys.executable, "-m", "services.cli", *service.arguments)
    command = " ".join(f'"{part}"' for part in (*launcher, *started))
    environment = ",".join(f'{key}="{value}"' for key, value in service.environment.items())
    return f"""[program:{service.name}]
command={_literal(command)}
environment={_literal(environment)}
directory={_literal(directory)}
autorestart=true
startsecs=0
startretries=1000000
stopsignal=TERM
stopwaitsecs={STOP_LIMIT_S}
redirect_stderr=true
stdout_logfile={_literal(directory / f"{service.name}.log")}
stdout_logfile_maxbytes={_LOG_BYTES}
stdout_logfile_backups=2
"""


def _literal(text: object) -> str:
    return str(text).replace("%", "%%")


def _socket(directory: Path) -> Path:
    path = directory / "supervisor.sock"
    if len(str(path)) > _MAX_SOCKET_PATH:
        raise TapewatchError(f"the path {path} is too long for a socket: set TMPDIR to a shorter directory")
    return path


def count_restarts(log: str, names: Sequence[str]) -> dict[str, int]:
    """How often each service was started after its first start, by supervisor's log."""
    spawned = _SPAWNED.findall(log)
    return {name: max(0, spawned.count(name) - 1) for name in names}


def ends(log: str) -> list[tuple[str, str]]:
    """(service, how it ended) for each end that nobody asked for, oldest first."""
    return _ENDED.findall(log)


class Supervisor:
    """supervisord as a child, spoken to over its socket. Use `start`, and `close` at the end."""

    def __init__(self, directory: Path, services: Sequence[Service], environment: Mapping[str, str]) -> None:
        self.names = [service.name for service in services]
        self._directory = directory
        self._services = services
        self._environment = dict(environment)
        self._process: asyncio.subprocess.Process | None = None
        self._waking: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()  # one call at a time on the one connection
        self._proxy: Any = connect(_socket(directory))

    async def start(self) -> None:
        """Start supervisor and with it every service. Raises TapewatchError when it does not come up."""
        file = self._directory / "supervisor.conf"
        file.touch(mode=0o600)
        file.write_text(configuration(self._directory, self._services), encoding="utf-8")
        with (self._directory / "supervisor.out").open("wb") as output:
            self._process = await asyncio.create_subprocess_exec(
                *launch.wrapped([sys.executable, "-m", "supervisor.supervisord", "-c", str(file)]),
                env=self._environment,
                cwd=self._directory,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C in the terminal is for us alone
            )
        async with asyncio.timeout(_START_LIMIT_S):
            while not await self._answers():
                if self._process.returncode is not None:
                    raise TapewatchError(f"supervisor ended at once: see {self._directory / 'supervisor.out'}")
                await asyncio.sleep(0.02)
        self._waking = asyncio.create_task(self._wake(), name="waking supervisor")

    async def _wake(self) -> None:
        """Supervisor starts what has ended when something wakes it, or once a second: a restart must not wait for that.

        A connection without a question wakes it.
        """
        while True:
            with suppress(OSError):  # it is gone, which whoever calls it is told
                _, writer = await asyncio.open_unix_connection(_socket(self._directory))
                writer.close()
            await asyncio.sleep(_WAKE_EVERY_S)

    async def _answers(self) -> bool:
        """Whether it listens: its socket is there a moment before it does."""
        try:
            await asyncio.to_thread(self._proxy.supervisor.getState)
        except (FileNotFoundError, ConnectionError):
            return False
        return True

    async def processes(self) -> list[Process]:
        """How every service is, in the order of their list."""
        found = {row["name"]: row for row in await self._call("getAllProcessInfo")}
        return [
            Process(name, row["statename"].lower(), row["pid"], row["exitstatus"])
            for name in self.names
            if (row := found.get(name))
        ]

    async def stop(self, names: Sequence[str]) -> None:
        """Ask services to stop, all at once, and return when they are gone for good.

        Each is asked once it has been as it is for a moment: one that has just ended cannot be asked before it is
        started again, and a signal to one that was just started reaches supervisor's own handler, in its copy.
        """
        before: list[Process] = []
        while staying := [one for one in await self.processes() if one.name in names and one.state != _GONE]:
            for one in staying:
                if one in before:
                    await self._call("stopProcess", one.name, False)
            before = staying
            await asyncio.sleep(_POLL_S)  # supervisor has no call that waits for several

    def said(self) -> str:
        """Supervisor's own log."""
        log = self._directory / "supervisor.log"
        return log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""

    async def close(self) -> None:
        """Stop what still runs, and supervisor. What does not heed is killed, which every service must bear."""
        self._proxy("close")()
        if self._waking is not None:
            self._waking.cancel()
        if self._process is None or self._process.returncode is not None:
            return
        self._process.terminate()
        try:
            async with asyncio.timeout(_LEAVE_LIMIT_S):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    async def _call(self, method: str, *arguments: object) -> Any:
        async with self._turn:
            try:
                return await asyncio.to_thread(getattr(self._proxy.supervisor, method), *arguments)
            except Fault as fault:
                if fault.faultString.startswith(("NOT_RUNNING", "BAD_NAME")):
                    return None  # it is gone already
                raise
            except (OSError, ConnectionError) as error:
                raise TapewatchError(f"supervisor does not answer ({error}): see {self._directory}") from None


def resident_mb(pid: int) -> float | None:
    """Memory of a process that no other shares at this moment counted in; None when it is gone."""
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    except (FileNotFoundError, ProcessLookupError):
        return None


def cpu_seconds(pid: int) -> float | None:
    """Processor time that a process has used; None when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
            fields = stat.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
