"""What the alert worker said, episode by episode, and how long deciding and telling took."""

from collections.abc import Iterable

from msgspec import Struct

from shared.events import Alert, Notification

_SEVERITIES = ("notice", "warning", "danger")


class Episode(Struct, kw_only=True):
    """One episode. `severity` is the highest that it reached; times in ms are None where one end is unknown.

    `decision_ms` counts from our stamp of the trade that caused the alert to the decision, `slack_ms` from the
    decision to Slack's receipt.
    """

    id: str
    symbol: str | None
    exchange: str | None
    kind: str
    severity: str
    opened_at_us: int
    resolved_at_us: int | None = None
    decision_ms: float | None = None
    slack_ms: float | None = None


def episodes(alerts: Iterable[Alert], receipts: Iterable[Notification]) -> list[Episode]:
    """Put alerts and receipts together, oldest episode first. An alert that was written twice counts once."""
    found: dict[str, Episode] = {}
    opening: dict[str, Alert] = {}
    for alert in alerts:
        episode = found.get(alert.episode_id)
        if episode is None:
            found[alert.episode_id] = _opened(alert)
            opening[alert.alert_id] = alert
            continue
        episode.severity = max(episode.severity, alert.severity, key=_SEVERITIES.index)
        if alert.state == "resolve" and episode.resolved_at_us is None:
            episode.resolved_at_us = alert.decided_at_us
    for receipt in receipts:
        _add_receipt(found, opening, receipt)
    return list(found.values())


def _opened(alert: Alert) -> Episode:
    since_us = alert.received_at_us
    return Episode(
        id=alert.episode_id,
        symbol=alert.symbol,
        exchange=alert.exchange,
        kind=alert.kind,
        severity=alert.severity,
        opened_at_us=alert.decided_at_us,
        decision_ms=None if since_us is None else (alert.decided_at_us - since_us) / 1000,
    )


def _add_receipt(found: dict[str, Episode], opening: dict[str, Alert], receipt: Notification) -> None:
    """The first receipt that covers an opening alert is the one of its message."""
    for alert in (opening[alert_id] for alert_id in receipt.alert_ids if alert_id in opening):
        episode = found[alert.episode_id]
        if receipt.stage == "sent" and episode.slack_ms is None:
            episode.slack_ms = (receipt.at_us - alert.decided_at_us) / 1000
