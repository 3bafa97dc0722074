"""`tapewatch reconcile`: a simulator's truth log against Kafka, Redis and Postgres."""

import json
from pathlib import Path
from typing import Annotated

import typer


def reconcile(
    truth: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="The simulator's truth log.")],
    report: Annotated[Path | None, typer.Option(help="Also write the report there, as JSON.")] = None,
    journal: Annotated[
        list[Path] | None, typer.Option(exists=True, dir_okay=False, help="A consumer's batch journal (repeatable).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Compare everything that the simulated exchanges published with what Kafka, Redis and Postgres hold.

    Ends with 1 when anything is lost outside a recorded gap, doubled in a store, out of order or wrong.

    Example: tapewatch reconcile --truth truth.jsonl --json
    """
    import asyncio

    import msgspec
    from rich.console import Console

    from services.cli.report_table import show_report
    from services.reconcile import app
    from services.reconcile.report import judge
    from shared import logs
    from shared.settings import load_settings

    in_force = load_settings()
    logs.configure(in_force.log, "reconcile")
    found = judge(asyncio.run(app.reconcile(in_force, truth, tuple(journal or ()))))
    text = json.dumps(msgspec.to_builtins(found), indent=1) + "\n"
    if report is not None:
        write_report(report, text)
    if as_json:
        typer.echo(text, nl=False)
    else:
        show_report(Console(), found)
    raise typer.Exit(0 if found.ok else 1)


def write_report(file: Path, text: str) -> None:
    """Write it. Raises WrongUse when that cannot be."""
    from shared.errors import WrongUse

    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise WrongUse(f"--report: cannot write {file}: {error.strerror}") from None
