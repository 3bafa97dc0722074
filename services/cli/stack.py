"""`tapewatch stack`: Kafka, PostgreSQL and Valkey of this machine, kept up by a process of their own."""

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from shared.errors import TapewatchError, Unreachable, WrongUse

if TYPE_CHECKING:
    from devstack.keeper import ServerState, StackState, Wish

app = typer.Typer(help="Only the servers: Kafka, PostgreSQL and Valkey on this machine.", no_args_is_help=True)

_out = Console()
_err = Console(stderr=True)
_Port = Annotated[int | None, typer.Option(min=1, max=65535, help="a certain port instead of a free one")]
_Json = Annotated[bool, typer.Option("--json", help="for programs")]


@app.command()
def up(  # noqa: PLR0913, PLR0917  one parameter an option
    data: Annotated[Path | None, typer.Option(help="keep the data there; without it they go with the stack")] = None,
    kafka_port: _Port = None,
    postgres_port: _Port = None,
    redis_port: _Port = None,
    foreground: Annotated[bool, typer.Option("--foreground", help="stay until Ctrl-C")] = False,
    as_json: _Json = False,
) -> None:
    """Start the servers and leave them running. A server whose address is set is used instead of started.

    Example: tapewatch stack up --data /srv/tapewatch
    """
    with _told():
        from devstack.keeper import Wish, current
        from devstack.stack import Options

        options = Options(kafka_port=kafka_port, postgres_port=postgres_port, redis_port=redis_port)
        wish = Wish(str(data.absolute()) if data else None, options)
        running = current()
        if running:
            _err.print("The stack is up already.")
            _show(running, as_json)
        elif foreground:
            _keep_here(wish, as_json)
        else:
            state = _start_keeper(wish)
            _show(state, as_json)
            if not (as_json or _out.is_terminal):
                typer.echo(_caption(state), err=True)


@app.command()
def down() -> None:
    """Stop the servers that `up` started.

    Example: tapewatch stack down
    """
    with _told():
        from devstack.keeper import take_down

        _err.print("stopped" if take_down() else "There was no stack to stop.")


@app.command()
def status(as_json: _Json = False) -> None:
    """Show what runs and where. Exit status 3 when a server does not answer.

    Example: tapewatch stack status --json
    """
    with _told():
        from devstack.keeper import answers

        state = _running()
        _show(state, as_json)
        silent = [server.name for server in state.servers if not answers(server.address)]
        if silent:
            raise Unreachable(f"{' and '.join(silent)} did not answer: see the logs below {state.root}")


@app.command()
def env() -> None:
    """Print the settings that point to the servers.

    Example: eval "$(tapewatch stack env)"
    """
    with _told():
        for key, value in _running().environment.items():
            sys.stdout.write(f"export {key}={shlex.quote(value)}\n")


def _keep_here(wish: "Wish", as_json: bool) -> None:
    from devstack.keeper import keep

    line = _err.status("starting")

    def is_up(state: "StackState") -> None:
        line.stop()
        _show(state, as_json)

    with line:
        keep(wish, line.update, is_up)


def _running() -> "StackState":
    from devstack.keeper import current

    state = current()
    if state is None:
        raise Unreachable("no stack is up: start one with `tapewatch stack up`")
    return state


def _start_keeper(wish: "Wish") -> "StackState":
    """Start the process that owns the servers, in a session of its own, and follow it until they are up."""
    from devstack.keeper import from_json
    from devstack.places import state_directory

    state_directory().mkdir(parents=True, exist_ok=True)
    log = state_directory() / "keeper.log"
    with log.open("wb") as errors:
        keeper = subprocess.Popen(
            [sys.executable, "-m", "devstack.keeper", json.dumps(asdict(wish))],
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
    try:
        said = _follow(keeper)
    except KeyboardInterrupt:
        keeper.terminate()
        keeper.wait()
        raise
    if "up" in said:
        return from_json(said["up"])
    kind = {2: WrongUse, 3: Unreachable}.get(said.get("exit_code", 1), TapewatchError)
    raise kind(said.get("error", f"the process that keeps the servers ended: see {log}"))


def _follow(keeper: subprocess.Popen[bytes]) -> dict[str, Any]:
    """Show the keeper's progress; its last message, empty when it ended without one."""
    said: dict[str, Any] = {}
    with _err.status("starting") as line:
        for text in keeper.stdout or ():
            said = json.loads(text)
            if "progress" not in said:
                return said
            line.update(said["progress"])
    return {}


def _show(state: "StackState", as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(asdict(state) | {"environment": None}))
        return
    rows = [(server.name, server.address, *_times(server)) for server in state.servers]
    if not _out.is_terminal:
        for row in rows:
            typer.echo("\t".join(row))
        return
    table = Table(caption=_caption(state), caption_justify="left")
    table.add_column("server")
    table.add_column("address", overflow="fold")
    table.add_column("served after", justify="right")
    table.add_column("of it preparing", justify="right")
    for row in rows:
        table.add_row(*row)
    _out.print(table)


def _caption(state: "StackState") -> str:
    return f"up after {state.up_s:.1f} s; data and logs are below {state.root}"


def _times(server: "ServerState") -> tuple[str, str]:
    if server.log is None:
        return "not ours", ""
    return f"{server.started_s:.2f} s", f"{server.prepared_s:.2f} s"


@contextmanager
def _told() -> Iterator[None]:
    """Turn an error that people can mend into its one line and its exit status."""
    try:
        yield
    except TapewatchError as error:
        from shared.redaction import without_secrets

        typer.echo(without_secrets(str(error)), err=True)
        raise typer.Exit(error.exit_code) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
