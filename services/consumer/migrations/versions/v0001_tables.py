"""Runs 0001_tables.sql."""

from services.consumer.migrations.run_sql import run_sql

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Forward only: going back is a restored backup."""
    run_sql("0001_tables.sql")
