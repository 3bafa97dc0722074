"""Runs 0005_ticker_minutes.sql."""

from services.consumer.migrations.run_sql import run_sql

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Forward only: going back is a restored backup."""
    run_sql("0005_ticker_minutes.sql")
