"""What alembic runs: lock, roles, the missing steps, grants, in one transaction that is there whole or not at all."""

from pathlib import Path

from alembic import context
from sqlalchemy import Connection, text

from services.consumer.migrations.run_sql import run_sql

LOCK_KEY = 0x7461706577617463
OWNER = "tapewatch_owner"


def migrate(connection: Connection, applied: list[str], *, to_newest: bool) -> None:
    """Bring the schema to its target and append the steps' names to `applied`. A second caller waits its turn.

    The grants are those of the newest step, and are given there.
    """
    with connection.begin():
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK_KEY})
        run_sql("roles.sql", connection)
        # Everything belongs to a role without superpowers, and with it the functions that run with its rights.
        if connection.scalar(
            text("SELECT count(*) FROM pg_roles WHERE rolname = :owner AND pg_has_role(oid, 'MEMBER')"),
            {"owner": OWNER},
        ):
            connection.execute(text(f"SET LOCAL ROLE {OWNER}"))
        context.configure(
            connection=connection,
            on_version_apply=lambda *, step, **_: applied.append(Path(step.up_revision.path).stem[1:]),
        )
        context.run_migrations()
        if to_newest:
            run_sql("grants.sql", connection)


_given = context.config.attributes
migrate(_given["connection"], _given["applied"], to_newest=_given["to_newest"])
