"""Runs 0008_drop_dead_letters.sql."""

from services.consumer.migrations.run_sql import run_sql

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Forward only: going back is a restored backup."""
    run_sql("0008_drop_dead_letters.sql")
