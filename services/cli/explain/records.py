"""Reads what was recorded of a time: the alerts and their receipts on Kafka, and the alerts that Postgres keeps."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from services.alert_worker.explanation import Span
from services.alert_worker.topic_reader import read_event, read_topic
from services.cli.explain.matching import NEAR_US
from services.cli.explain.sources import as_time, as_us, connected
from services.cli.explain.verdicts import Records
from shared.events import Alert, Notification
from shared.settings import KafkaSettings
from shared.topics import ALERTS, NOTIFICATIONS

_COLUMN_OF = {name: name.removesuffix("_us") for name in Alert.__struct_fields__ if name != "suppressed_by"}
_ALERTS = f"""
    SELECT {", ".join(_COLUMN_OF.values())} FROM alert
    WHERE coalesce(event_at, started_at) BETWEEN $1 AND $2 ORDER BY decided_at
"""  # noqa: S608  the names are our own


async def read(settings: KafkaSettings, span: Span) -> Records:
    """Alerts that Kafka took since shortly before the span, and the newest receipt of every message."""
    alerts: dict[str, Alert] = {}
    receipts: dict[str, Notification] = {}
    async for record in read_topic(settings, ALERTS, since_ms=max(0, (span.from_us - NEAR_US) // 1000)):
        if (alert := read_event(Alert, record)) is not None:
            alerts[alert.alert_id] = alert
    async for record in read_topic(settings, NOTIFICATIONS):
        if (receipt := read_event(Notification, record)) is not None:
            receipts[receipt.episode_id] = receipt
    return Records(alerts, receipts)


async def stored(dsn: str, span: Span) -> list[Alert]:
    """Alerts of the span, and of shortly before and after it, that Postgres keeps. Raises Unreachable."""
    async with connected(dsn) as connection:
        rows = await connection.fetch(_ALERTS, as_time(span.from_us - NEAR_US), as_time(span.to_us + NEAR_US))
    return [_alert(row) for row in rows]


def _alert(row: Any) -> Alert:
    values = {name: _plain(row[column]) for name, column in _COLUMN_OF.items()}
    return msgspec.convert(values, Alert)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return as_us(value)
    return format(value, "f") if isinstance(value, Decimal) else value


def with_stored(records: Records | None, kept: Iterable[Alert]) -> Records | None:
    """What Kafka holds, and beside it what Postgres alone keeps; None when neither has anything to say."""
    known = records or Records()
    more = {alert.alert_id: alert for alert in kept if alert.alert_id not in known.alerts}
    if not more:
        return records
    return replace(known, alerts={**known.alerts, **more}, only_stored=frozenset(more))
