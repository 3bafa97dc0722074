"""`tapewatch redis …`: the users of Redis, with the least rights that their work needs."""

from pathlib import Path
from typing import Annotated, Literal

import typer

app = typer.Typer(no_args_is_help=True, help="The users of Redis.")


@app.callback()
def redis() -> None:
    """The users of Redis."""


@app.command()
def acl(
    role: Annotated[Literal["writer", "reader"], typer.Argument(help="writer: consumer redis; reader: all others.")],
    password_file: Annotated[
        Path, typer.Option(exists=True, dir_okay=False, readable=True, help="The user's password, alone in a file.")
    ],
    user: Annotated[str | None, typer.Option(help="The user's name; tapewatch-ROLE without it.")] = None,
) -> None:
    """Print the user's line for Redis' ACL file. It holds the password's hash, never the password.

    Example: tapewatch redis acl writer --password-file ./writer.password >> /etc/redis/users.acl
    """
    from services.consumer.sinks.redis_rights import line
    from shared.errors import WrongUse

    name, password = user or f"tapewatch-{role}", password_file.read_text(encoding="utf-8").strip()
    if not password or not name.isprintable() or " " in name:
        raise WrongUse(f"--password-file {password_file} is empty" if not password else "--user: a name without blanks")
    typer.echo(line(role, name, password))
