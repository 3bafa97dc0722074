"""Writes down what is about to be told and what was, before and after; and keeps what was refused for good."""

import base64
from collections.abc import Callable
from typing import Any, Literal

import msgspec
from aiokafka import AIOKafkaProducer

from services.alert_worker.actions import Action, Bulletin, Heard, Intake, Place, Together, heard_after, is_posted
from services.alert_worker.told import MOST_TOLD
from shared.clock import now_us
from shared.events import Alert, DeadLetter, Event, Notification
from shared.redaction import without_secrets
from shared.topics import DEAD_LETTERS, NOTIFICATIONS, Topic
from shared.wire import HEADERS_OF_EVENT, encode

Stage = Literal["intent", "sent", "refused"]
GREETING = "greeting"
CANARY = "canary"
"""The key of the receipts of what goes round; see `shared.canary`."""
DIGEST = "digest-"
RULES_FILE = "rules-"
STORE = "store-"
_MOST_IDS = 10_000


def is_bulletin(mark: str) -> bool:
    """Whether a notification's key names a message about no episode."""
    return mark == GREETING or mark.startswith((DIGEST, RULES_FILE, STORE))


class Receipts:
    """Every record is acknowledged by Kafka before the call returns."""

    def __init__(self, producer: AIOKafkaProducer, notifier: str, settled_offset: Callable[[], int]) -> None:
        self._producer, self._notifier, self._settled_offset = producer, notifier, settled_offset

    async def note(
        self, action: Action | Together | Bulletin, stage: Stage, place: Place | None, reason: str | None = None
    ) -> None:
        """How far the action is."""
        at_us = now_us()
        record = Notification(
            **_who(action, stage, place),
            **_heard(action, stage, place, at_us),
            notifier=self._notifier,
            stage=stage,
            at_us=at_us,
            settled_offset=self._settled_offset(),
            channel=None if place is None else place.channel,
            ts=None if place is None else place.ts,
            reason=None if reason is None else without_secrets(reason)[:2_000],
        )
        await self._send(NOTIFICATIONS, record, record.episode_id.encode())

    async def note_picture(self, action: Action) -> None:
        """The episode's message shows a chart now; nothing more was told."""
        record = Notification(
            episode_id=action.newest.episode_id,
            notifier=self._notifier,
            stage="sent",
            alert_id=action.told[-1],
            alert_ids=list(action.told),
            at_us=now_us(),
            settled_offset=self._settled_offset(),
            channel=action.parent.channel if action.parent else None,
            ts=action.parent.ts if action.parent else None,
            file_id=action.picture.file_id if action.picture else None,
            direction=action.newest.direction,
            posted_at_us=action.posted_at_us,
            **_fields_of(action.heard),
        )
        await self._send(NOTIFICATIONS, record, record.episode_id.encode())

    async def note_canary(self, alert: Alert, place: Place, refused: str | None = None) -> None:
        """The canary came as far as people, who heard nothing; or it was refused."""
        record = Notification(
            episode_id=CANARY,
            notifier=self._notifier,
            stage="sent" if refused is None else "refused",
            alert_id=alert.alert_id,
            alert_ids=[],
            at_us=now_us(),
            settled_offset=self._settled_offset(),
            channel=place.channel,
            ts=place.ts,
            reason=None if refused is None else without_secrets(refused)[:2_000],
        )
        await self._send(NOTIFICATIONS, record, CANARY.encode())

    async def keep(self, action: Action | Together | Bulletin, reason: str) -> None:
        """What was refused for good, as a dead letter for each alert, or for the message."""
        alerts: tuple[Alert | None, ...] = (None,)
        if isinstance(action, Action):
            alerts = (action.newest,)
        elif isinstance(action, Together):
            alerts = action.fresh
        for alert in alerts:
            payload = encode(alert) if alert is not None else msgspec.json.encode(_data_of(action))
            letter = DeadLetter(
                reason=without_secrets(reason)[:2_000],
                at_us=now_us(),
                payload=base64.b64encode(payload[: 64 << 10]).decode(),
                payload_bytes=len(payload),
                reader=f"notifier-{self._notifier}",
                exchange=alert.exchange if alert is not None else None,
            )
            await self._send(DEAD_LETTERS, letter, None)

    async def _send(self, topic: Topic, event: Event, key: bytes | None) -> None:
        headers = HEADERS_OF_EVENT[type(event)]
        await self._producer.send_and_wait(topic.name, encode(event), key, headers=headers)


def _data_of(action: Action | Together | Bulletin) -> dict[str, object]:
    return action.message.data if isinstance(action, Bulletin) else {}


def _heard(action: Action | Together | Bulletin, stage: Stage, place: Place | None, at_us: int) -> dict[str, Any]:
    if isinstance(action, Bulletin):
        return {}
    fields = _fields_of(heard_after(action, place, at_us) if stage == "sent" else action.heard)
    if isinstance(action, Action):
        is_new = stage == "sent" and is_posted(action, place)
        fields["posted_at_us"] = at_us if is_new else action.posted_at_us
    return fields


def _fields_of(heard: Heard | None) -> dict[str, Any]:
    return {} if heard is None else {"heard_at_us": heard.at_us, "heard_severity": heard.severity}


def _who(action: Action | Together | Bulletin, stage: Stage, place: Place | None) -> dict[str, Any]:
    if isinstance(action, Bulletin):
        return {"episode_id": action.mark, "alert_id": action.mark, "alert_ids": []}
    if isinstance(action, Together):
        # An answer in its thread tells the fresh ones; the message above it does where there are no threads.
        tells = stage == "refused" or (stage == "sent" and (action.parent is not None or place is None or not place.ts))
        fresh = [alert.alert_id for alert in action.covered] if tells else []
        return {
            "episode_id": action.group_id,
            "alert_id": action.newest.alert_id,
            "alert_ids": [*action.told, *fresh][-_MOST_IDS:],
            "episodes": list(action.episodes),
            **_fields_of_intake(action.intake, 1 if stage == "sent" else 0),
        }
    told_ids = list(action.told)
    if stage != "intent":
        told_ids += [alert.alert_id for alert in action.alerts]
    return {
        "episode_id": action.newest.episode_id,
        "alert_id": action.newest.alert_id,
        "alert_ids": told_ids[-MOST_TOLD:],
        "file_id": action.picture.file_id if action.picture else None,
        "direction": action.newest.direction,
    }


def _fields_of_intake(intake: Intake | None, more: int) -> dict[str, Any]:
    if intake is None:
        return {}
    return {
        "direction": intake.direction,
        "begun_at_us": intake.begun_us,
        "open_until_us": intake.until_us,
        "messages": intake.messages + more,
    }
