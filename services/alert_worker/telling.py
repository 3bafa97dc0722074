"""Reads alerts and tells people, one after the other; what was told is on Kafka, so a crash repeats at most one."""

import asyncio
import base64
import random
from collections.abc import Iterable
from contextlib import suppress
from typing import Literal

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.structs import ConsumerRecord, TopicPartition

from services.alert_worker.detection import read_event
from services.alert_worker.notifiers.base import Later, Notifier, Refused, Unanswered
from services.alert_worker.outbox import TOLD_KEPT, Action, Outbox, Place
from services.alert_worker.topic_reader import read_topic
from shared.clock import NowMicros, now_us
from shared.events import Alert, DeadLetter, Event, Notification
from shared.kafka import PartitionReader
from shared.metrics import ALERTS_SUPPRESSED, SLACK_CALLS
from shared.settings import KafkaSettings
from shared.topics import ALERTS, DEAD_LETTERS, NOTIFICATIONS, Topic
from shared.wire import HEADERS_OF_EVENT, encode

log = structlog.get_logger(__name__)

Stage = Literal["intent", "sent", "refused"]
_ALERTS = TopicPartition(ALERTS.name, 0)
_READ_MS = 500
_LONGEST_PAUSE_S = 60.0


def pause_s(attempt: int, luck: float) -> float:
    """How long to wait after the `attempt`-th unanswered try (from 1); `luck` in [0, 1) spreads it over the half."""
    return min(_LONGEST_PAUSE_S, 0.5 * 2.0 ** min(attempt, 10)) * (0.5 + luck / 2)


class Telling:
    """Tells each alert once: intent, message, receipt. Waits as long as the other side asks, and loses nothing."""

    def __init__(
        self, settings: KafkaSettings, producer: AIOKafkaProducer, notifier: Notifier, now: NowMicros = now_us
    ) -> None:
        self._settings, self._producer, self._notifier, self._now = settings, producer, notifier, now
        self._reader = PartitionReader(settings, "alert-worker-notifier")
        self._outbox = Outbox()

    async def run(self, stop: asyncio.Event) -> None:
        """Know again what was told, then tell until `stop`. A message under way is finished first."""
        try:
            await self._start()
            while not stop.is_set():
                await self._read(_READ_MS)
                while not stop.is_set() and (action := self._outbox.next_action()) is not None:
                    await self._carry_out(action, stop)
                    await self._read(0)
        finally:
            await self._reader.close()
            await self._notifier.close()

    async def _start(self) -> None:
        await self._reader.connect()
        newest: dict[str, Notification] = {}
        async for record in read_topic(self._settings, NOTIFICATIONS):
            known = read_event(Notification, record)
            if known is not None:
                newest[known.episode_id] = known
        first = (await self._reader.log_starts([_ALERTS]))[_ALERTS]
        last = (await self._reader.log_ends([_ALERTS]))[_ALERTS]
        resume = self._outbox.restore(newest.values())
        await self._reader.start({_ALERTS: min(max(resume or 0, first), last)})
        log.info("telling", notifier=self._notifier.name, episodes=len(newest))

    async def _read(self, timeout_ms: int) -> None:
        if self._outbox.is_full:
            return
        for records in (await self._reader.batch(timeout_ms, max_records=100)).values():
            self._take_in(records)

    def _take_in(self, records: Iterable[ConsumerRecord]) -> None:
        for record in records:
            alert = read_event(Alert, record)
            if alert is not None and not self._outbox.add(record.offset, alert) and alert.data_quality != "ok":
                ALERTS_SUPPRESSED.labels(alert.data_quality).inc()

    async def _carry_out(self, action: Action, stop: asyncio.Event) -> None:
        await self._note(action, "intent", action.parent)
        try:
            place = await self._tell(action, stop)
        except Refused as error:
            await self._refuse(action, str(error))
            return
        if place is not None:
            self._outbox.settle(action, place)
            await self._note(action, "sent", place)

    async def _tell(self, action: Action, stop: asyncio.Event) -> Place | None:
        """Try until it is told; None when stopped before that. Raises Refused."""
        may_repeat, attempt = action.may_repeat, 0
        while not stop.is_set():
            try:
                place = await self._notifier.tell(action, may_repeat=may_repeat)
            except Later as error:
                SLACK_CALLS.labels("limited").inc()
                pause = error.seconds
            except Unanswered as error:
                SLACK_CALLS.labels("unanswered").inc()
                may_repeat, attempt = True, attempt + 1
                pause = pause_s(attempt, random.random())
                log.warning(
                    "nobody answered", notifier=self._notifier.name, fault=str(error), again_in_s=round(pause, 1)
                )
            else:
                SLACK_CALLS.labels("told").inc()
                return place
            await _sleep(pause, stop)
        return None

    async def _refuse(self, action: Action, reason: str) -> None:
        SLACK_CALLS.labels("refused").inc()
        log.error("refused for good, kept as a dead letter", notifier=self._notifier.name, reason=reason)
        payload = encode(action.newest)
        letter = DeadLetter(
            reason=reason[:2_000],
            at_us=self._now(),
            payload=base64.b64encode(payload).decode(),
            payload_bytes=len(payload),
            reader=f"notifier-{self._notifier.name}",
            exchange=action.newest.exchange,
        )
        await self._send(DEAD_LETTERS, letter, None)
        self._outbox.settle(action, action.parent)
        await self._note(action, "refused", action.parent, reason[:2_000])

    async def _note(self, action: Action, stage: Stage, place: Place | None, reason: str | None = None) -> None:
        told = list(action.told)
        if stage != "intent":
            told += [alert.alert_id for alert in action.alerts]
        note = Notification(
            episode_id=action.newest.episode_id,
            notifier=self._notifier.name,
            stage=stage,
            alert_id=action.newest.alert_id,
            alert_ids=told[-TOLD_KEPT:],
            at_us=self._now(),
            settled_offset=self._outbox.settled_offset,
            channel=None if place is None else place.channel,
            ts=None if place is None else place.ts,
            reason=reason,
        )
        await self._send(NOTIFICATIONS, note, note.episode_id.encode())

    async def _send(self, topic: Topic, event: Event, key: bytes | None) -> None:
        headers = HEADERS_OF_EVENT[type(event)]
        await self._producer.send_and_wait(topic.name, encode(event), key, headers=headers)


async def _sleep(seconds: float, stop: asyncio.Event) -> None:
    """Wait, or until stopped."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
