"""`tapewatch alerts rules`: what a rules file says, checked, beside what would be so without it."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from services.alert_worker.rules_file import Policy


class Line(NamedTuple):
    """One key: its table, value and default as they stand in a file, and what it means."""

    table: str
    key: str
    value: str
    default: str
    says: str


def rules(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="The rules file. Default: ALERTS__RULES_FILE, if it is set.")
    ] = None,
    example: Annotated[
        bool, typer.Option("--example", help="Print a file with every key and its default, to begin with.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object for programs.")] = False,
) -> None:
    """Check a rules file and show the rules that it puts in force; without one the built-in rules.

    Example: tapewatch alerts rules --example > rules.toml && tapewatch alerts rules rules.toml
    """
    from services.alert_worker.rules_example import example as text_of_example
    from services.alert_worker.rules_keeper import load
    from shared.settings import load_settings

    if example:
        typer.echo(text_of_example(), nl=False)
        return
    in_force = load_settings().alerts
    asked = file or in_force.rules_file
    policy = load(asked)
    if as_json:
        typer.echo(json.dumps(as_object(policy), ensure_ascii=False, indent=1))
    else:
        _show(policy, "the built-in rules" if asked is None else str(asked))


def lines(policy: "Policy") -> "Iterator[Line]":
    """Every number of the rules, in the order of the file."""
    from services.alert_worker.rules import RULES
    from services.alert_worker.rules.ruleset import (
        DIVERGENCE_BY_DEFAULT,
        HALT_BY_DEFAULT,
        NOTICE_BY_DEFAULT,
        STORMS_BY_DEFAULT,
    )
    from services.alert_worker.rules.tiers import TIERS_BY_DEFAULT
    from services.alert_worker.rules_example import shown

    built_in = {rule.name: rule for rule in RULES}
    tables: list[tuple[str, Any, Any]] = [("tiers", policy.ruleset.tiers, TIERS_BY_DEFAULT)]
    tables += [(f"rules.{rule.name}", rule, built_in[rule.name]) for rule in policy.rules]
    tables += [("divergence", policy.ruleset.divergence, DIVERGENCE_BY_DEFAULT)]
    tables += [("halt", policy.ruleset.halt, HALT_BY_DEFAULT)]
    tables += [("notice", policy.ruleset.notice, NOTICE_BY_DEFAULT)]
    tables += [("storms", policy.ruleset.storms, STORMS_BY_DEFAULT)]
    for table, model, default in tables:
        for key, field in type(model).model_fields.items():
            yield Line(table, key, shown(getattr(model, key)), shown(getattr(default, key)), field.description or "")


def as_object(policy: "Policy") -> dict[str, Any]:
    """The same for programs."""
    from msgspec import to_builtins

    return {
        "version": policy.ruleset.version,
        "rules": [line._asdict() for line in lines(policy)],
        "quiet_hours": {severity: str(hours) for severity, hours in policy.quiet.items()},
        "mutes": [to_builtins(mute) for mute in policy.mutes],
    }


def _show(policy: "Policy", name: str) -> None:
    from rich.console import Console

    from shared.clock import now_us

    console = Console()
    said = [f"quiet for {severity}: {hours} Korean time" for severity, hours in policy.quiet.items()]
    said += [_mute(mute, now_us()) for mute in policy.mutes]
    if not console.is_terminal:
        for line in lines(policy):
            typer.echo("\t".join((f"{line.table}.{line.key}", line.value, line.default, line.says)))
        for row in (*said, f"version {policy.ruleset.version}"):
            typer.echo(row)
        return
    _table(console, policy, name)
    for row in said:
        console.print(row)
    console.print(f"version {policy.ruleset.version}: part of the id of every alert that these rules raise")


def _table(console: "Console", policy: "Policy", name: str) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table("rule", "key", "value", "built in", "meaning", title=escape(name), title_justify="left", box=None)
    last = ""
    for line in lines(policy):
        is_changed = line.value != line.default
        value = f"[bold yellow]{line.value}[/]" if is_changed else line.value
        table.add_row("" if line.table == last else line.table, line.key, value, line.default, line.says)
        last = line.table
    console.print(table)


def _mute(mute: Any, now_us: int) -> str:
    from datetime import UTC, datetime

    from services.cli.points_in_time import KST

    until = datetime.fromtimestamp(mute.until_us / 1e6, UTC).astimezone(KST)
    over = " (over)" if mute.until_us <= now_us else ""
    return f"muted: {mute.target} until {until:%Y-%m-%d %H:%M} KST{over}, {mute.reason}"
