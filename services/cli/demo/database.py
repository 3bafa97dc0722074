"""Prepares the demo's database: the newest schema, and a user who may only append."""

import secrets
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from services.consumer.migrate import migrate
from shared.settings import PostgresSettings

_USER = "tapewatch_consumer"
_WAIT_S = 10


def bring_up_to_date(settings: PostgresSettings) -> None:
    """Run the migrations that are missing. Blocks. Raises Unreachable or WrongUse."""
    migrate(settings, _WAIT_S)


async def create_writer(settings: PostgresSettings, file: Path) -> None:
    """Create the user of the Postgres sink and write its DSN to `file`, which its owner alone may read."""
    owner_dsn = settings.dsn.get_secret_value()
    password = secrets.token_hex(16)
    connection = await asyncpg.connect(owner_dsn)
    try:
        await connection.execute(f"CREATE ROLE {_USER} LOGIN PASSWORD '{password}' IN ROLE tapewatch_writer")
    finally:
        await connection.close()
    parts = urlsplit(owner_dsn)
    place = f"{_USER}:{password}@{parts.hostname}:{parts.port}"
    write_secret(file, urlunsplit(parts._replace(netloc=place)))


def write_secret(file: Path, text: str) -> None:
    """Write a file that its owner alone may read."""
    file.touch(mode=0o600)
    file.write_text(text, encoding="utf-8")
