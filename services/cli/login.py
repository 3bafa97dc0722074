"""The name and the password of a user that a store is to know."""

from pathlib import Path
from typing import Annotated

import typer

from shared.errors import WrongUse

PasswordFile = Annotated[
    Path, typer.Option(exists=True, dir_okay=False, readable=True, help="The user's password, alone in a file.")
]
UserName = Annotated[str | None, typer.Option(help="The user's name; tapewatch-ROLE without it.")]


def login(role: str, user: str | None, password_file: Path) -> tuple[str, str]:
    """(name, password): ``tapewatch-ROLE`` without a name of its own. Raises WrongUse for what no store would take."""
    name, password = user or f"tapewatch-{role}", password_file.read_text(encoding="utf-8").strip()
    if not password or not name.isprintable() or " " in name:
        raise WrongUse(f"--password-file {password_file} is empty" if not password else "--user: a name without blanks")
    return name, password
