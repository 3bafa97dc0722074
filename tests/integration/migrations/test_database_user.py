"""`tapewatch db user`: who may log in to the record, and what for."""

import asyncio
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from services.consumer.database_user import set_user
from services.consumer.migrate import migrate
from shared.errors import WrongUse
from shared.settings import PostgresSettings

READ, WRITE = "SELECT count(*) FROM trade", "INSERT INTO gap SELECT * FROM gap"


async def given(database: PostgresSettings, role: str, user: str, password: str) -> bool:
    return await asyncio.to_thread(set_user, database, 10, role, user, password)


async def does(database: PostgresSettings, user: str, password: str, statement: str) -> None:
    parts = urlsplit(database.dsn.get_secret_value())
    session = await asyncpg.connect(
        urlunsplit(parts._replace(netloc=f"{user}:{password}@{parts.hostname}:{parts.port}"))
    )
    try:
        await session.execute(statement)
    finally:
        await session.close()


async def test_a_user_has_the_rights_of_its_role_and_its_newest_password(each_database: PostgresSettings) -> None:
    await asyncio.to_thread(migrate, each_database, 10)
    assert await given(each_database, "reader", "who-reads", "one")
    assert await given(each_database, "writer", "who-writes", "a'b")
    await does(each_database, "who-reads", "one", READ)
    await does(each_database, "who-writes", "a'b", WRITE)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await does(each_database, "who-reads", "one", WRITE)
    assert not await given(each_database, "reader", "who-reads", "two")
    await does(each_database, "who-reads", "two", READ)
    with pytest.raises(asyncpg.InvalidPasswordError):
        await does(each_database, "who-reads", "one", READ)
    for session in ("DROP OWNED BY", "DROP ROLE"):
        for user in ("who-reads", "who-writes"):
            await does(each_database, *_owner(each_database), f'{session} "{user}"')


async def test_the_owner_itself_is_nobodys_reader(each_database: PostgresSettings) -> None:
    await asyncio.to_thread(migrate, each_database, 10)
    owner, _ = _owner(each_database)
    with pytest.raises(WrongUse, match=f"--user {owner}: is the owner"):
        await given(each_database, "reader", owner, "x")


def _owner(database: PostgresSettings) -> tuple[str, str]:
    parts = urlsplit(database.dsn.get_secret_value())
    return str(parts.username), str(parts.password)
