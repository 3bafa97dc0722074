"""Prepares the demo's database: the newest schema, and users who may do what their work needs and no more."""

import asyncio
import secrets
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from services.consumer.database_user import Role, set_user
from services.consumer.migrate import migrate
from shared.settings import PostgresSettings

_WAIT_S = 10


def bring_up_to_date(settings: PostgresSettings) -> None:
    """Run the migrations that are missing. Blocks. Raises Unreachable or WrongUse."""
    migrate(settings, _WAIT_S)


async def create_user(settings: PostgresSettings, role: Role, file: Path) -> None:
    """Create a user with one of our roles and write its DSN to `file`, which its owner alone may read."""
    user, password = f"demo_{role}", secrets.token_hex(16)
    await asyncio.to_thread(set_user, settings, _WAIT_S, role, user, password)
    write_secret(file, with_user(settings.dsn.get_secret_value(), user, password))


def with_user(address: str, user: str, password: str) -> str:
    """The same address for somebody else."""
    parts = urlsplit(address)
    return urlunsplit(parts._replace(netloc=f"{user}:{password}@{parts.hostname}:{parts.port}"))


def write_secret(file: Path, text: str) -> None:
    """Write a file that its owner alone may read."""
    file.touch(mode=0o600)
    file.write_text(text, encoding="utf-8")
