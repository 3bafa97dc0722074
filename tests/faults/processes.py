"""The services under supervision, as faults need them: struck one by one, held back, doubled."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from time import monotonic

from devstack import launch
from services.cli.demo.services import Service
from services.cli.demo.supervision import Supervisor, count_restarts, ends
from tests.faults.limits import within

_POLL_S = 0.01
_BACK_WITHIN_S = 30.0
_SAID_WITHIN_S = 30.0
_HEALTH_ANYWHERE = {"TAPEWATCH_METRICS__PORT": "0"}  # the first one has the port that is looked at


class Copy:
    """A second copy of a service, which nobody starts again."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process = process
        self._log = log

    async def until_said(self, *texts: str) -> None:
        """Wait until its log has one of these. Raises TimeoutError naming them."""
        await within(_SAID_WITHIN_S, lambda: any(text in self.said() for text in texts), f"{texts} in {self._log}")

    def said(self) -> str:
        """Its log so far."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    async def ended(self) -> int:
        """Its exit status, once it ends by itself. Raises TimeoutError."""
        await within(_SAID_WITHIN_S, lambda: self._process.returncode is not None, f"the end of {self._log}")
        return await self._process.wait()

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, if it still runs, and give its exit status."""
        if self._process.returncode is None:
            self._process.send_signal(number)
        return await self._process.wait()


class Processes(Supervisor):
    """Every service by name."""

    def __init__(self, directory: Path, services: list[Service], environment: Mapping[str, str]) -> None:
        super().__init__(directory, services, environment)
        self._copies: list[Copy] = []

    async def pids(self) -> dict[str, int]:
        """Process id of each service that runs now."""
        return {process.name: process.pid for process in await self.processes() if process.pid}

    async def strike(self, name: str, number: signal.Signals = signal.SIGKILL) -> int:
        """Send a signal to a service that runs, waiting for one that is just coming back; its process id."""
        pid = 0

        async def strikes() -> bool:
            nonlocal pid
            pid = (await self.pids()).get(name, 0)
            return bool(pid) and _sent(pid, number)

        await within(_BACK_WITHIN_S, strikes, f"{name} to run")
        return pid

    def go_on(self, pids: Iterable[int]) -> None:
        """Wake what was frozen."""
        for pid in pids:
            _sent(pid, signal.SIGCONT)

    async def ended(self, pid: int, within_s: float) -> float | None:
        """Seconds until that process was gone; None when it still is there after `within_s`."""
        began_s = monotonic()
        while _is_there(pid):
            if monotonic() - began_s > within_s:
                return None
            await asyncio.sleep(_POLL_S)
        return monotonic() - began_s

    async def how_it_ended(self, name: str, pid: int) -> str:
        """How that process of a service ended without being stopped, in supervisor's words.

        Supervisor writes it down a moment after the process is gone. Raises TimeoutError.
        """
        found: list[str] = []

        def is_written() -> bool:
            _, spawned, since = self.said().rpartition(f"spawned: '{name}' with pid {pid}\n")
            found[:] = [how for who, how in ends(since) if who == name] if spawned else []
            return bool(found)

        await within(_SAID_WITHIN_S, is_written, f"supervisor to say how {name} ended")
        return found[0]

    def restarts(self) -> int:
        """How often any service was started again since the beginning."""
        return sum(count_restarts(self.said(), self.names).values())

    async def hold(self, name: str) -> None:
        """Kill a service, and keep the supervisor from starting it again."""
        await self.strike(name)
        await self.stop([name])

    async def let_go(self, name: str) -> None:
        """Start a service that was held."""
        await self._call("startProcess", name, False)

    async def copy(self, name: str, arguments: Sequence[str] = (), **more: str) -> Copy:
        """Start a second copy of a service, with the same settings, more `arguments`, and `more` of the environment.

        It ends with the world at the latest.
        """
        service = next(service for service in self._services if service.name == name)
        log = self._directory / f"{name}-copy-{len(self._copies)}.log"
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *launch.wrapped([sys.executable, "-m", "services.cli", *service.arguments, *arguments]),
                env={**self._environment, **service.environment, **_HEALTH_ANYWHERE, **more},
                cwd=self._directory,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._copies.append(Copy(process, log))
        return self._copies[-1]

    async def close(self) -> None:
        """End copies and services; those that are frozen as well."""
        for copy in self._copies:
            await copy.stop(signal.SIGKILL)
        self.go_on((await self.pids()).values())
        await super().close()


def _is_there(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def _sent(pid: int, number: signal.Signals) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True
