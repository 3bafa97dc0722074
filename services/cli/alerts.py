"""`tapewatch alerts …`: what was told, what nobody wants to hear of, and whether messages arrive."""

import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from services.cli import alert_rules
from shared.errors import WrongUse

if TYPE_CHECKING:
    from services.cli.alert_records import Episode
    from shared.events import Control
    from shared.settings import Settings

_WAIT_S = 2
T = TypeVar("T")
app = typer.Typer(no_args_is_help=True, help="What was told, what nobody wants to hear of, whether messages arrive.")
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object for programs.")]
Target = Annotated[
    str, typer.Argument(help="A market (KRW-BTC, upbit:KRW-BTC), a coin (coin:BTC) or a rule (rule:move).")
]


@app.callback()
def alerts() -> None:
    """What was told, what nobody wants to hear of, whether messages arrive."""


app.command("rules")(alert_rules.rules)


@app.command("list")
def list_alerts(
    since: Annotated[str, typer.Option(help="How long ago (2h, 3d), or a time.")] = "24h",
    count: Annotated[int, typer.Option("--count", "-n", min=1, max=10_000, help="At most so many, newest first.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List the newest episodes, whether people were told of them, and the mutes that are in force.

    Example: tapewatch alerts list --since 3d
    """
    from services.alert_worker.rules_keeper import load
    from services.cli import alert_records, points_in_time
    from shared.clock import now_us

    in_force, now = _settings(), now_us()
    since_us = points_in_time.read_since(since, now)
    found = _run(in_force, lambda: alert_records.read(in_force.kafka, since_us))
    episodes = sorted(found.episodes, key=lambda one: -one.alert.started_at_us)[:count]
    found.mutes.stand(load(in_force.alerts.rules_file).mutes)
    mutes = found.mutes.in_force(now)
    if as_json:
        from msgspec import to_builtins

        told = [{**to_builtins(one.alert), "told": one.told} for one in episodes]
        typer.echo(json.dumps({"episodes": told, "mutes": [to_builtins(mute) for mute in mutes]}, ensure_ascii=False))
        return
    _show(episodes, mutes, now)


@app.command()
def mute(
    target: Target,
    for_: Annotated[str, typer.Option("--for", help="For how long: 30m, 1h, 2d.")] = "1h",
    reason: Annotated[str | None, typer.Option(help="Why, for the others.")] = None,
) -> None:
    """Tell nobody of a market, a coin or a rule for a while. Its alerts are still recorded, and counted in the digest.

    Example: tapewatch alerts mute KRW-BTC --for 1h
    """
    from services.cli import alert_mutes

    target, seconds, in_force = _checked(target), _seconds(for_), _settings()
    until = _run(in_force, lambda: alert_mutes.mute(in_force, target, seconds, reason))
    typer.echo(f"{target} is muted for {for_}, {until}")


@app.command()
def unmute(target: Target) -> None:
    """Tell people again, and say what else mutes the same, the rules file included.

    Example: tapewatch alerts unmute KRW-BTC
    """
    from services.cli import alert_mutes

    target, in_force = _checked(target), _settings()
    typer.echo(_run(in_force, lambda: alert_mutes.unmute(in_force, target)))


@app.command()
def test() -> None:
    """Send a market and an ops sample the way alerts go, and say whether they arrived, or that there is no way.

    Example: TAPEWATCH_SLACK__CHANNEL=#alerts tapewatch alerts test
    """
    import asyncio

    from services.cli.alert_samples import send

    in_force = _settings()
    lines, ok = asyncio.run(send(in_force))
    for line in lines:
        typer.echo(line)
    raise typer.Exit(0 if ok else 1)


def _settings() -> "Settings":
    from shared import logs
    from shared.settings import load_settings

    in_force = load_settings()
    # Kafka's clients complain with tracebacks while it is away; what it comes to is told in one line.
    logs.configure(in_force.log.model_copy(update={"level": "critical"}), "alerts")
    return in_force


def _run(in_force: "Settings", ask: Callable[[], Awaitable[T]]) -> T:
    import asyncio

    from shared.kafka import wait_until_reachable
    from shared.topic_ids import wait_for_topic_ids
    from shared.topics import ALERTS, CONTROL, INSTRUMENTS, NOTIFICATIONS

    async def reach_and_ask() -> T:
        await wait_until_reachable(in_force.kafka, min(_WAIT_S, in_force.start.wait_s))
        await wait_for_topic_ids(in_force.kafka, [ALERTS, CONTROL, INSTRUMENTS, NOTIFICATIONS], 0)
        return await ask()

    return asyncio.run(reach_and_ask())


def _checked(target: str) -> str:
    from services.alert_worker.mutes import check_target

    try:
        return check_target(target)
    except ValueError as error:
        raise WrongUse(str(error)) from None


def _seconds(text: str) -> int:
    unit = {"m": 60, "h": 3_600, "d": 86_400}.get(text[-1:])
    if unit is None or not text[:-1].isdecimal() or not 0 < int(text[:-1]) * unit <= 366 * 86_400:
        raise WrongUse(f"--for: {text!r} is not like 30m, 1h or 2d, of at most a year")
    return int(text[:-1]) * unit


def _show(episodes: "list[Episode]", mutes: "list[Control]", now: int) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    rows = [one.row() for one in episodes]
    if not console.is_terminal:
        for row in rows:
            typer.echo("\t".join(row))
        for wish in mutes:
            typer.echo(f"muted\t{wish.target}\t{_left(wish, now)}\t{wish.reason or ''}")
        return
    table = Table("started (KST)", "market", "state", "severity", "change", "rules", "told", "id", box=None)
    for row in rows:
        table.add_row(*row)
    console.print(table if rows else "no alert in this time")
    for wish in mutes:
        console.print(f"muted: {wish.target}, {_left(wish, now)}{f' ({wish.reason})' if wish.reason else ''}")


def _left(wish: "Control", now: int) -> str:
    return "until unmuted" if wish.until_us is None else f"{max(1, round((wish.until_us - now) / 60e6))} min left"
