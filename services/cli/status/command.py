"""The command: one look, or a view that is kept up to date."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from shared.errors import Unreachable

if TYPE_CHECKING:
    from rich.console import Console

    from services.cli.status.state import State
    from shared.settings import Settings


def status(
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Look again and again, until Ctrl-C.")] = False,
    every: Annotated[float, typer.Option(min=0.2, max=3600, help="Seconds between two looks of --watch.")] = 2.0,
    count: Annotated[int | None, typer.Option("--count", "-n", min=1, help="End --watch after so many looks.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object for programs; --watch: one a line.")] = False,
) -> None:
    """Show rates, lag, delay and success of each store, how fresh each exchange is there, how far back Redis reaches.

    Reads Kafka, Redis and Postgres alone; a reader's login is enough. Where one of them is away it shows what the
    others know, and why that one could not be asked; the exit status is 3 then.

    Example: tapewatch status --watch
    """
    import asyncio

    from shared import connections, logs
    from shared.settings import load_settings

    if count is not None and not watch:
        raise typer.BadParameter("only --watch looks more than once", param_hint="--count")
    in_force = load_settings()
    logs.configure(in_force.log.model_copy(update={"level": "error"}), "status")
    try:
        if watch:
            state = connections.run(_watch(in_force, every, count, _view(as_json)))
        else:
            state = asyncio.run(_once(in_force))
            _show_once(state, as_json)
    except KeyboardInterrupt:
        return
    if state.away:
        raise typer.Exit(Unreachable.exit_code)


async def _once(in_force: "Settings") -> "State":
    from services.cli.status.looking import Looker

    async with Looker.connect(in_force) as looker:
        return await looker.look()


async def _watch(in_force: "Settings", every_s: float, count: int | None, view: "View") -> "State":
    """The last of so many looks. Goes on also when all is away for a while, once there was a first look."""
    import asyncio

    from services.cli.status.looking import Looker

    looks = 0
    state: State | None = None
    with view.showing:
        while True:
            try:
                async with Looker.connect(in_force, state) as looker:
                    while True:
                        state = await looker.look()
                        view.show(state)
                        looks += 1
                        if looks == count:
                            return state
                        if state.away:
                            break  # to connect anew
                        await asyncio.sleep(every_s)
            except Unreachable as error:
                if not looks:
                    raise
                view.cannot_look(str(error))
            await asyncio.sleep(every_s)


class View:
    """Where looks go: `show` takes what was seen, `cannot_look` why nothing could be."""

    def __init__(
        self,
        showing: AbstractContextManager[object],
        show: Callable[["State"], None],
        cannot_look: Callable[[str], None],
    ) -> None:
        self.showing, self.show, self.cannot_look = showing, show, cannot_look


def _view(as_json: bool) -> View:
    from rich.console import Console

    from services.cli.status import screen
    from shared.redaction import without_secrets

    def say(text: str) -> None:
        typer.echo(f"cannot look: {without_secrets(text)}", err=True)

    console = Console()
    if as_json:
        return View(nullcontext(), lambda state: typer.echo(json.dumps(asdict(state))), say)
    if console.is_terminal:
        return _live(console)
    return View(nullcontext(), lambda state: typer.echo(screen.line(state)), say)


def _live(console: "Console") -> View:
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    from services.cli.status import screen
    from shared.redaction import without_secrets

    live = Live(Text("looking…", style="dim"), console=console, auto_refresh=False, vertical_overflow="crop")
    hint = Text("\nCtrl-C ends", style="dim")
    last: list[State] = []

    def show(state: "State") -> None:
        last[:] = [state]
        live.update(Group(screen.draw(state), hint), refresh=True)

    def cannot_look(text: str) -> None:
        away = Text(f"\ncannot look: {without_secrets(text)}", style="bold red")
        live.update(Group(*(screen.draw(state) for state in last), away, hint), refresh=True)

    return View(live, show, cannot_look)


def _show_once(state: "State", as_json: bool) -> None:
    from rich.console import Console

    from services.cli.status import screen

    console = Console()
    if as_json:
        typer.echo(json.dumps(asdict(state), indent=1))
    elif console.is_terminal:
        console.print(screen.draw(state))
    else:
        for text in screen.lines(state):
            typer.echo(text)
