"""Alerts and receipts put together by episode."""

from typing import Any

import msgspec

from services.reconcile.episodes import episodes
from shared.events import Alert, Notification

OPEN = Alert(
    alert_id="e1-open",
    episode_id="e1",
    state="open",
    kind="move",
    detectors=["move"],
    scope="symbol",
    direction="down",
    severity="notice",
    started_at_us=1_000_000,
    decided_at_us=2_000_000,
    received_at_us=1_988_000,
    rule_version="1",
    exchange="upbit",
    symbol="KRW-BTC",
)


def alert(**changes: Any) -> Alert:
    return msgspec.structs.replace(OPEN, **changes)


def receipt(stage: str, at_us: int, *alert_ids: str) -> Notification:
    fields = {"episode_id": "e1", "notifier": "slack", "stage": stage, "alert_id": "e1-open", "at_us": at_us}
    return msgspec.convert(fields | {"alert_ids": alert_ids, "settled_offset": 0}, Notification)


def test_an_episode_from_its_opening_to_its_end() -> None:
    escalated = alert(alert_id="e1-2", state="escalate", severity="danger", decided_at_us=3_000_000)
    resolved = alert(alert_id="e1-3", state="resolve", severity="notice", decided_at_us=9_000_000)
    receipts = [receipt("intent", 2_010_000), receipt("sent", 2_140_000, "e1-open"), receipt("sent", 9_140_000)]
    [episode] = episodes([OPEN, OPEN, escalated, resolved], receipts)
    assert episode.severity == "danger"
    assert (episode.opened_at_us, episode.resolved_at_us) == (2_000_000, 9_000_000)
    assert (episode.decision_ms, episode.slack_ms) == (12.0, 140.0)


def test_a_message_that_covers_the_opening_and_more_is_its_message() -> None:
    [episode] = episodes([OPEN], [receipt("sent", 2_300_000, "e1-open", "e1-2")])
    assert episode.slack_ms == 300.0


def test_what_slack_refused_was_not_told() -> None:
    [episode] = episodes([OPEN], [receipt("refused", 2_300_000, "e1-open")])
    assert episode.slack_ms is None
    assert episode.resolved_at_us is None
