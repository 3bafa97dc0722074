"""Runs 0002_days.sql."""

from services.consumer.migrations.run_sql import run_sql

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Forward only: going back is a restored backup."""
    run_sql("0002_days.sql")
