"""`tapewatch db …`: the schema of the record in PostgreSQL."""

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="The schema of the record in PostgreSQL.")


@app.callback()
def db() -> None:
    """The schema of the record in PostgreSQL."""


@app.command()
def migrate(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a sentence.")] = False,
) -> None:
    """Bring the database to the newest schema. Safe before every start, and for two at once.

    Example: TAPEWATCH_POSTGRES__DSN=postgresql://owner@127.0.0.1/tapewatch tapewatch db migrate
    """
    from services.consumer.migrate import run

    raise typer.Exit(run(as_json=as_json))
