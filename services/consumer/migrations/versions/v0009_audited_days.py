"""Runs 0009_audited_days.sql."""

from services.consumer.migrations.run_sql import run_sql

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Forward only: going back is a restored backup."""
    run_sql("0009_audited_days.sql")
