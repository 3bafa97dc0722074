"""`tapewatch db user`: who logs in to PostgreSQL with the rights of one of our roles. Safe to repeat."""

from typing import Literal

import psycopg
from psycopg import sql

from services.consumer.database_name import DSN_KEY, database_name
from services.consumer.migrate import connect_when_there
from shared.errors import WrongUse
from shared.settings import PostgresSettings

Role = Literal["writer", "reader"]


def set_user(settings: PostgresSettings, wait_s: int, role: Role, user: str, password: str) -> bool:
    """Create the user, or give it this password and role again; returns whether it is new. As the tables' owner.

    The server is sent a SCRAM verifier, never the password. Raises WrongUse when the role is not there yet, when the
    user is the owner itself or a superuser, or when we may not do this; Unreachable when PostgreSQL is away.
    """
    name, group = database_name(settings), f"tapewatch_{role}"
    with connect_when_there(settings, wait_s) as connection:
        asked = connection.execute("SELECT rolname, rolsuper FROM pg_roles WHERE rolname IN (%s, %s)", (user, group))
        found: dict[object, object] = dict(asked.fetchall())  # type: ignore[arg-type]  # two columns
        if group not in found:
            raise WrongUse(
                f"{name} has no role {group} yet: run `tapewatch db migrate` as somebody who may create roles"
            )
        if user in {group, connection.info.user} or found.get(user):
            raise WrongUse(f"--user {user}: is the owner, a superuser or a role of ours; take another name")
        verifier = connection.pgconn.encrypt_password(password.encode(), user.encode(), b"scram-sha-256").decode()
        verb = "ALTER" if user in found else "CREATE"
        try:
            connection.execute(
                sql.SQL(verb + " ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(user), sql.Literal(verifier))
            )
            connection.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(group), sql.Identifier(user)))
        except psycopg.errors.InsufficientPrivilege as error:
            reason = str(error).strip().splitlines()[0]
            raise WrongUse(f"{name}: {reason}: connect as somebody who may create roles ({DSN_KEY})") from None
        return user not in found
