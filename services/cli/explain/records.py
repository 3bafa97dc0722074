"""Reads what was recorded of a time: the alerts, their receipts, and the mutes of the command line."""

from services.alert_worker.explanation import Span
from services.alert_worker.topic_reader import read_event, read_topic
from services.cli.explain.verdicts import Records
from shared.events import Alert, Notification
from shared.settings import KafkaSettings
from shared.topics import ALERTS, NOTIFICATIONS


async def read(settings: KafkaSettings, span: Span) -> Records:
    """Alerts that Kafka took since the span began, and the newest receipt of every message."""
    alerts: dict[str, Alert] = {}
    receipts: dict[str, Notification] = {}
    async for record in read_topic(settings, ALERTS, since_ms=max(0, span.from_us // 1000)):
        if (alert := read_event(Alert, record)) is not None:
            alerts[alert.alert_id] = alert
    if alerts:
        async for record in read_topic(settings, NOTIFICATIONS):
            if (receipt := read_event(Notification, record)) is not None:
                receipts[receipt.episode_id] = receipt
    return Records(alerts, receipts)
