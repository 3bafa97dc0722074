"""Runs 0004_drop_day_at.sql."""

from services.consumer.migrations.run_sql import run_sql

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Forward only: going back is a restored backup."""
    run_sql("0004_drop_day_at.sql")
