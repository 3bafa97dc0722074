"""`tapewatch reconcile`: a simulator's truth log against Kafka, Redis and Postgres."""

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
    from services.reconcile.app import run

    raise typer.Exit(run(truth=truth, report_file=report, journals=tuple(journal or ()), as_json=as_json))
