"""One server process: start and wait until it serves, kill, restart on the same data and port, stop."""

import contextlib
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from devstack import launch
from devstack.ports import Port, in_use, is_free
from shared.errors import Unreachable

Progress = Callable[[str], None]

_TRIES = 10
_PREDECESSOR_WAIT_S = 0.2
_POLL_S = 0.02
_STOP_LIMIT_S = 10.0
_TREE_SIGNALS = (signal.SIGKILL, signal.SIGSTOP, signal.SIGCONT)
_IN_USE = re.compile(b"Address already in use")
# PostgreSQL's children outlive a killed postmaster by some milliseconds and hold its memory.
_PREDECESSOR = re.compile(b"pre-existing shared memory block")


def silent(_text: str) -> None:
    """Progress that nobody wants to see."""


class Recipe(Protocol):
    """How one kind of server is run; everything that differs between Kafka, PostgreSQL and Valkey."""

    name: str
    root: Path
    ready: re.Pattern[bytes]
    user: str | None
    stop_signal: signal.Signals
    death_signal: signal.Signals

    @property
    def ports(self) -> Sequence[Port]:
        """All ports that it listens on."""

    @property
    def address(self) -> str:
        """What a client is given."""

    def prepare(self, progress: Progress) -> None:
        """Everything before the start: downloads, first formatting. Blocks; does nothing the second time."""

    def argv(self) -> list[str]:
        """The command. The ports are picked by now."""


class Server:
    """A server of this machine. Every method blocks; call it with ``asyncio.to_thread`` from a coroutine."""

    def __init__(self, recipe: Recipe, progress: Progress = silent) -> None:
        self.recipe = recipe
        self.log = recipe.root / "log"
        self.prepared_s = 0.0
        self.started_s = 0.0
        self._progress = progress
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0
        self._served = False
        self._abandoned = threading.Event()

    @property
    def name(self) -> str:
        """Its name for people."""
        return self.recipe.name

    @property
    def address(self) -> str:
        """What a client is given: bootstrap servers, DSN or URL."""
        return self.recipe.address

    @property
    def pid(self) -> int:
        """Process id of the server. Only while started."""
        return self._started().pid

    @property
    def running(self) -> bool:
        """Whether the process is there, serving or not."""
        return self._process is not None and self._process.poll() is None

    def start(self, timeout_s: float = 60) -> None:
        """Start it and return once it serves. Raises WrongUse (port taken) or Unreachable (it did not come up).

        The limit holds from when all is prepared: a first download takes as long as the network does.
        """
        begin = time.monotonic()
        self.recipe.root.mkdir(parents=True, exist_ok=True)
        self.recipe.prepare(self._progress)
        prepared = time.monotonic()
        self.prepared_s = prepared - begin
        for _ in range(_TRIES):
            self._launch()
            if self._serves(prepared + timeout_s):
                break
        else:
            raise Unreachable(f"{self.name} could not take its port in {_TRIES} tries; its log is {self.log}")
        self._served = True
        self.started_s = time.monotonic() - begin

    def take_asked_ports(self) -> None:
        """Raise WrongUse at once when a port that was asked for is taken."""
        for port in self.recipe.ports:
            if port.asked is not None:
                port.pick(self.name)

    def kill(self, sig: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal. SIGKILL, SIGSTOP and SIGCONT reach the server's children too: all of it dies or freezes."""
        process = self._started()
        children = _children(process.pid) if sig in _TREE_SIGNALS else []
        process.send_signal(sig)
        for pid in children:
            with contextlib.suppress(ProcessLookupError):  # ended with its parent
                os.kill(pid, sig)

    def wait(self, timeout_s: float = 30) -> int:
        """Wait for its end: the exit status, or minus the signal. Kafka ends with 143 after SIGTERM."""
        return self._started().wait(timeout_s)

    def restart(self, timeout_s: float = 60) -> None:
        """Start again on the same data and ports; what still runs is stopped first."""
        self.stop()
        self.start(timeout_s)

    def stop(self) -> None:
        """Stop it in an orderly way, by force after ten seconds. Does nothing when it does not run."""
        self.ask_to_stop()
        if self._process is None:
            return
        try:
            self._process.wait(_STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait()

    def ask_to_stop(self) -> None:
        """Begin an orderly stop, of a frozen server as well, without waiting."""
        if self.running:
            self.kill(signal.SIGCONT)
            self.kill(self.recipe.stop_signal)

    def abandon(self) -> None:
        """Make a `start` that runs in another thread give up soon."""
        self._abandoned.set()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError(f"{self.name} has not been started")
        return self._process

    def _launch(self) -> None:
        for port in self.recipe.ports:
            port.pick(self.name)
        argv = self.recipe.argv()
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        self._process = launch.spawn(argv, log=self.log, user=self.recipe.user, death=self.recipe.death_signal)

    def _serves(self, deadline: float) -> bool:
        """True once it says so in its log, which no other server on that port can do; False when to try again."""
        process = self._started()
        while not self.recipe.ready.search(self._said()):
            if process.poll() is not None:
                self._explain_end(process.returncode)
                return False
            if self._abandoned.is_set() or time.monotonic() > deadline:
                self.kill()
                process.wait()
                why = "was given up" if self._abandoned.is_set() else "did not serve within its time limit"
                raise Unreachable(f"{self.name} {why}; its log is {self.log}")
            time.sleep(_POLL_S)
        return True

    def _explain_end(self, status: int) -> None:
        """Return when another try is due: a free port was taken by somebody else, or a predecessor still ends."""
        said = self._said()
        if _PREDECESSOR.search(said):
            time.sleep(_PREDECESSOR_WAIT_S)
        elif _IN_USE.search(said):
            self._drop_ports()
        else:
            raise Unreachable(f"{self.name} ended with status {status}: {last_complaint(said)} (log: {self.log})")

    def _drop_ports(self) -> None:
        """Forget the ports, unless they must be these: asked for, or known to clients since an earlier start."""
        for port in self.recipe.ports:
            if (self._served or not port.drop()) and not is_free(port.number):
                raise in_use(self.name, port.number)

    def _said(self) -> bytes:
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read()


def last_complaint(said: bytes) -> str:
    """The line of a log that best says why its server ended."""
    lines = said.decode(errors="replace").strip().splitlines() or ["no output"]
    complaints = [line for line in lines if re.search(r"FATAL|ERROR|Exception|rror:|die_with_parent", line)]
    return (complaints or lines)[-1].strip()[:300]


def _children(pid: int) -> list[int]:
    """Ids of all processes below one."""
    try:
        own = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []
    return [*own, *(below for child in own for below in _children(child))]
