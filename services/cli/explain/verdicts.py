"""Why people were told of an alert, or not: from what was recorded, or from what the rules would have done. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from services.alert_worker.explanation import Explanation, Strongest
from services.alert_worker.halts import NAME as HALT
from services.alert_worker.messages.remarks import is_notice, what
from services.alert_worker.messages.wording import ENGLISH
from services.alert_worker.mutes import Mutes
from services.alert_worker.quiet_hours import QuietHours
from services.cli.explain.matching import at_us, remarks
from shared.events import Alert, Notification

_TOGETHER = {
    "storm": "in the message of a storm",
    "late": "in the message of what was told late",
    "morning": "in the morning's message, because of quiet hours",
}


@dataclass(frozen=True)
class Records:
    """What was recorded of the time: alerts by id, and the newest receipt of each message and episode."""

    alerts: Mapping[str, Alert] = field(default_factory=dict)
    receipts: Mapping[str, Notification] = field(default_factory=dict)
    only_stored: Collection[str] = ()
    """Alerts that Kafka no longer holds, by id: Postgres keeps them without the reason why nobody was told."""


@dataclass(frozen=True)
class Wishes:
    """What keeps an alert from being told at all, or until the morning."""

    mutes: Mutes = field(default_factory=Mutes)
    quiet: QuietHours = field(default_factory=QuietHours)


def verdict(alert: Alert, records: Records | None, wishes: Wishes) -> str:
    """One line. `records` None: nothing was recorded of that time, so it says what would have been."""
    if records is None:
        return _would(alert, wishes)
    recorded = records.alerts.get(alert.alert_id)
    if recorded is None:
        return (
            "not recorded: the alert worker knew more of the time before than was played here, had other rules, or was "
            "not running then"
        )
    if alert.alert_id in records.only_stored:
        return _kept_back(recorded) or _receipt_of_stored(recorded, records)
    return _kept_back(recorded) or _receipt(recorded, records)


def _kept_back(alert: Alert) -> str | None:
    if alert.suppressed_by == "mute":
        return "not told: muted"
    if alert.suppressed_by == "joined":
        return "told within the story of the same coin on another exchange, which was first"
    if alert.suppressed_by:
        return f"not told: {alert.suppressed_by}"
    if alert.data_quality == "stale":
        return "not told: it was decided more than ten minutes after it happened"
    if alert.data_quality == "backfilled":
        return "not told: its trades were refilled afterwards"
    return None


def _receipt(alert: Alert, records: Records) -> str:
    group = next((one for one in records.receipts.values() if alert.episode_id in one.episodes), None)
    receipt = group or records.receipts.get(alert.episode_id)
    if receipt is None:
        return "nobody was told of its beginning" if alert.state == "resolve" else "waits to be told"
    if receipt.stage == "refused":
        return f"refused: {receipt.reason or 'no reason was given'}"
    if alert.alert_id not in receipt.alert_ids:
        return "waits to be told" if receipt.stage == "intent" else "told with a later change of the same episode"
    where = next((words for kind, words in _TOGETHER.items() if group and group.episode_id.startswith(kind)), None)
    return f"told {where or f'by {receipt.notifier}'}"


def _receipt_of_stored(alert: Alert, records: Records) -> str:
    is_told = any(alert.alert_id in one.alert_ids for one in records.receipts.values())
    return _receipt(alert, records) if is_told else "recorded; whether people were told is not known here"


def _would(alert: Alert, wishes: Wishes) -> str:
    happened_us = at_us(alert)
    if kept_back := _kept_back(alert):
        return kept_back
    if wishes.mutes.holds(alert, happened_us):
        return "would not be told: muted by the rules file"
    if alert.state == "open" and wishes.quiet.hold(alert.severity, happened_us):
        return "would wait for the morning: quiet hours"
    return "would be told"


def conclusion(found: Explanation, alerts: Sequence[Alert] = (), unread: str = "") -> list[str]:
    """In short: what it came to, or why trades are `unread`, and what is no move among the `alerts` that are shown."""
    said = remarks(alerts)
    moves = [alert for alert in alerts if alert not in said]
    return (
        ([unread] if unread else [])
        + _of_trades(found, moves, is_read=not unread)
        + [f"{'the exchange said' if is_notice(one) else 'recorded'}: {what(one, ENGLISH)}" for one in said]
    )


def _of_trades(found: Explanation, moves: Sequence[Alert], *, is_read: bool) -> list[str]:
    if moves:
        return [f"it came to: {', '.join(f'{alert.state} ({alert.severity})' for alert in moves)}"]
    if not is_read:
        return []
    if not found.trades:
        return ["there was no trade in this time, so nothing was judged"]
    if found.has_fired:
        return ["a rule fired, and nobody was told: see what was made of it"]
    # A long silence alone is no halt: that is for the others to show.
    of_price = [one for one in found.strongest if one.rule != HALT]
    nearest = max(of_price, key=lambda one: one.reading.share, default=None)
    lines = ["no rule fired"] if nearest is None or not nearest.reading.measures else [_nearest(nearest)]
    missing = sorted({f"{one.rule}: {one.reading.missing}" for one in found.strongest if one.reading.missing})
    return lines + [f"could not judge yet: {words}" for words in missing]


def _nearest(one: Strongest) -> str:
    span = f" within {one.reading.span}" if one.reading.span else ""
    return f"no rule fired: the nearest was {one.rule}{span}, at {100 * one.reading.share:.0f} % of its threshold"
