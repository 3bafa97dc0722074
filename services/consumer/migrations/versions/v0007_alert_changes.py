"""Runs 0007_alert_changes.sql."""

from services.consumer.migrations.run_sql import run_sql

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Forward only: going back is a restored backup."""
    run_sql("0007_alert_changes.sql")
