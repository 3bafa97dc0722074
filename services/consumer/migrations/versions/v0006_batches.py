"""Runs 0006_batches.sql."""

from services.consumer.migrations.run_sql import run_sql

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Forward only: going back is a restored backup."""
    run_sql("0006_batches.sql")
