"""`tapewatch redis …`: the users of Redis, with the least rights that their work needs."""

from typing import Annotated, Literal

import typer

from services.cli.login import PasswordFile, UserName, login

app = typer.Typer(no_args_is_help=True, help="The users of Redis.")


@app.callback()
def redis() -> None:
    """The users of Redis."""


@app.command()
def acl(
    role: Annotated[Literal["writer", "reader"], typer.Argument(help="writer: consumer redis; reader: all others.")],
    password_file: PasswordFile,
    user: UserName = None,
) -> None:
    """Print the user's line for Redis' ACL file. It holds the password's hash, never the password.

    Example: tapewatch redis acl writer --password-file ./writer.password >> /etc/redis/users.acl
    """
    from services.consumer.sinks.redis_rights import line

    name, password = login(role, user, password_file)
    typer.echo(line(role, name, password))
