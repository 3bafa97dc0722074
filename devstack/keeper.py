"""The process that owns a stack which outlives the command that started it, and the file that tells others of it.

``python -m devstack.keeper '{"data": null, …}'`` speaks JSON lines on its output until the stack is up:
``{"progress": text}``, then ``{"up": …}`` or ``{"error": line, "exit_code": n}``. SIGTERM stops it.
"""

import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from devstack.places import state_directory, try_lock
from devstack.server import Progress
from devstack.stack import Options, ServerAddresses, Stack
from shared.errors import TapewatchError, WrongUse
from shared.redaction import without_secrets

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_DOWN_LIMIT_S = 60.0


@dataclass(frozen=True)
class ServerState:
    """One server for people: `address` without secrets; `pid` and `log` None where the server was there before."""

    name: str
    address: str
    pid: int | None
    log: str | None
    prepared_s: float
    started_s: float


@dataclass(frozen=True)
class StackState:
    """A running stack. `environment` holds secrets; the file is readable by its owner alone."""

    root: str
    up_s: float
    environment: dict[str, str]
    servers: list[ServerState]


@dataclass(frozen=True)
class Wish:
    """What a person asked of `stack up`."""

    data: str | None = None
    options: Options = field(default_factory=Options)


def keep(wish: Wish, progress: Progress, is_up: Callable[[StackState], None]) -> None:
    """Start a stack, tell `is_up`, and hold it until a stop signal comes. Raises TapewatchError; main thread only."""
    directory = state_directory()
    directory.mkdir(parents=True, exist_ok=True)
    lock = try_lock(directory / "stack.lock")
    if lock is None:
        raise WrongUse("a stack is up already: see `tapewatch stack status`, or stop it with `tapewatch stack down`")
    os.ftruncate(lock, 0)
    os.write(lock, str(os.getpid()).encode())
    try:
        _hold(wish, directory / "stack.json", progress, is_up)
    except _Stopped:
        return
    finally:
        os.close(lock)


class _Stopped(BaseException):
    """A stop signal came."""


def _hold(wish: Wish, file: Path, progress: Progress, is_up: Callable[[StackState], None]) -> None:
    for number in _STOP_SIGNALS:
        signal.signal(number, _on_stop)
    begin = time.monotonic()
    root = Path(wish.data) if wish.data else None
    try:
        with Stack(root, progress=progress, options=wish.options, given=ServerAddresses.from_settings()) as stack:
            state = describe(stack, time.monotonic() - begin)
            _write(file, state)
            is_up(state)
            while True:
                signal.pause()
    finally:
        file.unlink(missing_ok=True)


def _on_stop(_number: int, _frame: object) -> None:
    for number in _STOP_SIGNALS:  # the stop itself is not to be interrupted
        signal.signal(number, signal.SIG_IGN)
    raise _Stopped


def describe(stack: Stack, up_s: float) -> StackState:
    """What others may know of a stack that has just come up."""
    started = {server.address: server for server in stack.servers}
    servers = []
    for name, address in zip(("Kafka", "PostgreSQL", "Redis"), stack.environment().values(), strict=True):
        server = started.get(address)
        servers.append(
            ServerState(
                name=server.name if server else name,
                address=without_secrets(address),
                pid=server.pid if server else None,
                log=str(server.log) if server else None,
                prepared_s=round(server.prepared_s, 2) if server else 0.0,
                started_s=round(server.started_s, 2) if server else 0.0,
            )
        )
    return StackState(str(stack.root), round(up_s, 2), stack.environment(), servers)


def _write(path: Path, state: StackState) -> None:
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    fresh.touch(mode=0o600)
    fresh.write_text(json.dumps(asdict(state)), encoding="utf-8")
    fresh.replace(path)


def keeper_pid() -> int | None:
    """Process id of whoever keeps a stack up or is about to; None when nobody does."""
    path = state_directory() / "stack.lock"
    if not path.exists():
        return None
    lock = try_lock(path)
    if lock is not None:
        os.close(lock)
        return None
    return int(path.read_text() or 0) or None


def current() -> StackState | None:
    """The stack that is up; None when there is none, or it has not come up yet."""
    if keeper_pid() is None:
        return None
    try:
        return from_json(json.loads((state_directory() / "stack.json").read_bytes()))
    except FileNotFoundError:
        return None


def from_json(state: dict[str, Any]) -> StackState:
    """A state that was written as JSON."""
    return StackState(**{**state, "servers": [ServerState(**server) for server in state["servers"]]})


def take_down() -> bool:
    """Stop the stack that is up and wait until its servers are gone. False when there was none."""
    pid = keeper_pid()
    if pid is None:
        return False
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _DOWN_LIMIT_S
    while keeper_pid() == pid:
        if time.monotonic() > deadline:
            raise TapewatchError(f"the stack's keeper (process {pid}) did not end within {_DOWN_LIMIT_S:.0f} s")
        time.sleep(0.05)
    return True


def answers(address: str) -> bool:
    """Whether somebody listens at the first host of ``host:port,…`` or of a URL."""
    parts = urlsplit(address if "://" in address else f"//{address.split(',', maxsplit=1)[0]}")
    try:
        socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 0), 1).close()
    except OSError:
        return False
    return True


def _say(**message: object) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def _is_up(state: StackState) -> None:
    _say(up=asdict(state))
    # Whoever started us leaves now; from here on nobody reads what we say.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def main(arguments: list[str]) -> int:
    """Keep a stack as the JSON of the one argument wishes it. Exit status as of every command."""
    wished = json.loads(arguments[0])
    wish = Wish(data=wished["data"], options=Options(**wished["options"]))
    try:
        keep(wish, lambda text: _say(progress=text), _is_up)
    except TapewatchError as error:
        _say(error=without_secrets(str(error)), exit_code=error.exit_code)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
