"""Prepares the demo's database: the newest schema, and users who may do what their work needs and no more."""

import secrets
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from services.consumer.migrate import migrate
from shared.settings import PostgresSettings

PostgresRole = Literal["writer", "reader"]
_WAIT_S = 10


def bring_up_to_date(settings: PostgresSettings) -> None:
    """Run the migrations that are missing. Blocks. Raises Unreachable or WrongUse."""
    migrate(settings, _WAIT_S)


async def create_user(settings: PostgresSettings, role: PostgresRole, file: Path) -> None:
    """Create a user with one of our roles and write its DSN to `file`, which its owner alone may read."""
    owner_dsn, user = settings.dsn.get_secret_value(), f"demo_{role}"
    password = secrets.token_hex(16)
    connection = await asyncpg.connect(owner_dsn)
    try:
        await connection.execute(f"CREATE ROLE {user} LOGIN PASSWORD '{password}' IN ROLE tapewatch_{role}")
    finally:
        await connection.close()
    write_secret(file, with_user(owner_dsn, user, password))


def with_user(address: str, user: str, password: str) -> str:
    """The same address for somebody else."""
    parts = urlsplit(address)
    return urlunsplit(parts._replace(netloc=f"{user}:{password}@{parts.hostname}:{parts.port}"))


def write_secret(file: Path, text: str) -> None:
    """Write a file that its owner alone may read."""
    file.touch(mode=0o600)
    file.write_text(text, encoding="utf-8")
