"""`tapewatch dead-letters list|show|replay`."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from services.cli.dead_letters.choice import Choice
    from shared.settings import Settings

app = typer.Typer(
    no_args_is_help=True, help="What nobody could read: list it, look at it, and read it again once a reader is mended."
)

Reader = Annotated[str | None, typer.Option(help="Only what this reader refused, e.g. producer-upbit.")]
OfTopic = Annotated[str | None, typer.Option("--topic", help="Only records of this topic, e.g. tape.trades.v1.")]
Exchange = Annotated[str | None, typer.Option(help="Only frames of this exchange.")]
Since = Annotated[str | None, typer.Option(metavar="TIME", help="15m, 2h, 3d ago, or a time in UTC.")]
Json = Annotated[bool, typer.Option("--json", help="JSON for programs.")]


@app.callback()
def dead_letters() -> None:
    """What nobody could read: list it, look at it, and read it again once a reader is mended."""


@app.command("list")
def list_(  # noqa: PLR0913, PLR0917  # the options of a command
    reader: Reader = None,
    topic: OfTopic = None,
    exchange: Exchange = None,
    since: Since = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, help="The newest so many.")] = 50,
    as_json: Json = False,
) -> None:
    """List the newest dead letters: number, time, who refused what, where it came from, and why.

    Example: tapewatch dead-letters list --reader producer-upbit --since 2h
    """
    import asyncio
    from collections import deque

    from services.cli.dead_letters import tables
    from services.cli.dead_letters.reading import chosen

    in_force, choice = _settings(), _choice(reader, topic, exchange, since)
    newest: deque[Any] = deque(maxlen=limit)
    found = 0

    async def look() -> None:
        nonlocal found
        async for kept in chosen(in_force, choice):
            found += 1
            newest.append(kept)

    asyncio.run(look())
    if as_json:
        typer.echo(json.dumps({"found": found, "letters": [tables.as_json(kept) for kept in newest]}, indent=1))
    else:
        tables.show_list(list(newest), found)


@app.command()
def show(
    number: Annotated[int, typer.Argument(min=0, help="The letter's number, as `list` gives it.")],
    most_bytes: Annotated[int, typer.Option("--bytes", min=1, help="How much of the payload is shown.")] = 2_000,
    as_json: Json = False,
) -> None:
    """Show one dead letter with its payload as it came.

    Example: tapewatch dead-letters show 1204
    """
    import asyncio

    from services.cli.dead_letters import tables
    from services.cli.dead_letters.reading import one
    from shared.errors import WrongUse

    kept = asyncio.run(one(_settings(), number))
    if kept is None:
        raise WrongUse(
            f"there is no dead letter {number}: `tapewatch dead-letters list` gives the numbers that there are"
        )
    if as_json:
        typer.echo(json.dumps(tables.as_json(kept, with_payload=True), indent=1))
    else:
        tables.show_one(kept, most_bytes)


@app.command()
def replay(  # noqa: PLR0913, PLR0917  # the options of a command
    numbers: Annotated[list[int] | None, typer.Argument(metavar="[NUMBER]…", help="Only these, from `list`.")] = None,
    reader: Reader = None,
    topic: OfTopic = None,
    exchange: Exchange = None,
    since: Since = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen, publish nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Read dead letters again with today's program, and publish what they hold. Safe to repeat: stores drop repeats.

    Exit status 1: some could not be read again.

    Example: tapewatch dead-letters replay --reader producer-upbit --since 2h
    """
    import asyncio

    from rich.console import Console
    from rich.progress import Progress

    from services.cli.dead_letters.replay import lines
    from services.cli.dead_letters.replay import replay as run

    in_force, choice = _settings(), _choice(reader, topic, exchange, since, numbers or ())
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("reading again", total=None)
        outcome = asyncio.run(
            run(in_force, choice, lambda done, all_: bar.update(task, completed=done, total=all_), publish=not dry_run)
        )
    if as_json:
        typer.echo(json.dumps(outcome.as_json(), indent=1))
    else:
        typer.echo("\n".join(lines(outcome, published=not dry_run)))
    raise typer.Exit(1 if outcome.failed else 0)


def _settings() -> "Settings":
    from shared import logs
    from shared.settings import load_settings

    in_force = load_settings()
    # Kafka's clients complain with tracebacks while it is away; what it comes to is told in one line.
    logs.configure(in_force.log.model_copy(update={"level": "critical"}), "dead-letters")
    return in_force


def _choice(
    reader: str | None, topic: str | None, exchange: str | None, since: str | None, numbers: Any = ()
) -> "Choice":
    from services.cli.dead_letters.choice import Choice, since_us
    from shared.clock import now_us

    try:
        from_us = None if since is None else since_us(since, now_us())
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--since") from None
    return Choice(reader, topic, exchange, from_us, frozenset(numbers))
