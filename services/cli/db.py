"""`tapewatch db …`: the schema of the record in PostgreSQL, and its users."""

from typing import Annotated, Literal

import typer

from services.cli.login import PasswordFile, UserName, login

app = typer.Typer(no_args_is_help=True, help="The schema of the record in PostgreSQL, and its users.")


@app.callback()
def db() -> None:
    """The schema of the record in PostgreSQL, and its users."""


@app.command()
def migrate(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a sentence.")] = False,
) -> None:
    """Bring the database to the newest schema. Safe before every start, and for two at once.

    Example: TAPEWATCH_POSTGRES__DSN=postgresql://owner@127.0.0.1/tapewatch tapewatch db migrate
    """
    from services.consumer.migrate import run

    raise typer.Exit(run(as_json=as_json))


@app.command()
def user(
    role: Annotated[Literal["writer", "reader"], typer.Argument(help="writer: consumer postgres; reader: all others.")],
    password_file: PasswordFile,
    user: UserName = None,
) -> None:
    """Let a user log in with the rights of a role, or give it another password. Safe to repeat.

    Example: TAPEWATCH_POSTGRES__DSN_FILE=./owner.dsn tapewatch db user writer --password-file ./writer.password
    """
    from services.consumer.database_name import database_name
    from services.consumer.database_user import set_user
    from shared import logs
    from shared.settings import load_settings

    name, password = login(role, user, password_file)
    settings = load_settings()
    logs.configure(settings.log, "db-user")
    is_new = set_user(settings.postgres, settings.start.wait_s, role, name, password)
    typer.echo(
        f"{database_name(settings.postgres)}: {name} {'created' if is_new else 'is there'}, with {role}'s rights"
    )
