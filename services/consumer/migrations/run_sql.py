"""Runs the SQL files of this folder, whole scripts as PostgreSQL reads them."""

from pathlib import Path

from alembic import op
from sqlalchemy import Connection

_FOLDER = Path(__file__).parent / "sql"


def run_sql(file_name: str, connection: Connection | None = None) -> None:
    """Run one file on `connection`, by default on the one that is being migrated."""
    script = (_FOLDER / file_name).read_text(encoding="utf-8")
    bind = op.get_bind() if connection is None else connection
    # Without parameters psycopg sends the text as it is: several statements, and no meaning in a percent sign.
    bind.exec_driver_sql(script, execution_options={"no_parameters": True})
