"""Runs 0003_views.sql."""

from services.consumer.migrations.run_sql import run_sql

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Forward only: going back is a restored backup."""
    run_sql("0003_views.sql")
