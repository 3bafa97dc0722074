"""Reads alerts and tells people, most severe first; what was told is on Kafka, so a crash repeats at most one."""

import asyncio
import random
from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from time import monotonic

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.structs import ConsumerRecord, TopicPartition

from services.alert_worker.actions import Action, Bulletin, Place, Together
from services.alert_worker.charting import Charting
from services.alert_worker.delivery import Delivery
from services.alert_worker.messages.message import Message, Picture
from services.alert_worker.notifiers.base import Gone, Later, NotReady, Refused, Unanswered
from services.alert_worker.outbox import Outbox
from services.alert_worker.proving import Proving
from services.alert_worker.receipts import CANARY, Receipts, is_bulletin
from services.alert_worker.remembering import Remembered
from services.alert_worker.told import GOES_ON_US
from services.alert_worker.topic_reader import read_event, read_partitions, read_topic
from shared import failpoints
from shared.clock import now_us
from shared.events import Alert, Notification
from shared.kafka import PartitionReader
from shared.metrics import ALERTS_SUPPRESSED, CHARTS, SLACK_CALLS
from shared.settings import KafkaSettings
from shared.topics import ALERTS, NOTIFICATIONS

log = structlog.get_logger(__name__)

_ALERTS = TopicPartition(ALERTS.name, 0)
_READ_MS = 500
_MOST_RECALLED = 50_000
_LONGEST_PAUSE_S = 30.0
_MOST_SHOWINGS, _BETWEEN_SHOWINGS_S = 5, 3.0


def pause_s(attempt: int, luck: float) -> float:
    """How long to wait after the `attempt`-th unanswered try (from 1); `luck` in [0, 1) spreads it over the half."""
    return min(_LONGEST_PAUSE_S, 0.5 * 2.0 ** min(attempt, 10)) * (0.5 + luck / 2)


class Telling:
    """Tells each alert once: intent, message, receipt. Waits as long as the other side asks, and loses nothing."""

    def __init__(  # noqa: PLR0913, PLR0917 - everybody who has a say in what is told
        self,
        settings: KafkaSettings,
        producer: AIOKafkaProducer,
        delivery: Delivery,
        charting: Charting,
        outbox: Outbox,
        proving: Proving,
    ) -> None:
        self._settings, self._delivery, self._charting, self._outbox = settings, delivery, charting, outbox
        self._proving = proving
        self._reader = PartitionReader(settings, "alert-worker-notifier")
        self._receipts = Receipts(producer, delivery.notifier.name, lambda: outbox.settled_offset)
        self._bulletins: deque[Bulletin] = deque()
        self._marks: dict[str, bool] = {}
        self._showings: deque[tuple[float, int, str, Picture]] = deque()
        self._not_before_s, self._attempt = 0.0, 0
        self.knows = asyncio.Event()
        """Set once it is known what was told before."""

    def was_announced(self, mark: str) -> bool:
        """Whether a bulletin was told, or is about to be."""
        return self._marks.get(mark, False) or any(bulletin.mark == mark for bulletin in self._bulletins)

    def announce(self, mark: str, message: Message, *, for_ops: bool = False) -> None:
        """Tell a message that is about no episode, once, when no alert waits."""
        if not self.was_announced(mark):
            self._bulletins.append(Bulletin(mark, message, mark in self._marks, for_ops))

    async def run(self, stop: asyncio.Event) -> None:
        """Know again what was told, then tell until `stop`. A call under way is finished first."""
        try:
            await self._start()
            while not stop.is_set():
                wait_s = max(self._delivery.delay_s(), self._not_before_s - monotonic())
                if wait_s > 0:
                    await self._read(min(wait_s, 1.0))
                elif (action := self._next()) is not None:
                    await self._carry_out(action)
                    await self._read(0)
                elif self._proving.waiting is not None:
                    await self._prove()
                elif not await self._show_a_picture():
                    await self._read(_READ_MS / 1000)
        finally:
            await self._reader.close()
            await self._delivery.notifier.close()

    def _next(self) -> Action | Together | Bulletin | None:
        action = self._outbox.next_action(now_us())
        return action if action is not None or not self._bulletins else self._bulletins[0]

    async def _start(self) -> None:
        await self._reader.connect()
        remembered = Remembered(now_us())
        async for record in read_topic(self._settings, NOTIFICATIONS):
            known = read_event(Notification, record)
            if known is not None and known.episode_id == CANARY:
                self._proving.restore(known)
            elif known is not None and is_bulletin(known.episode_id):
                self._marks[known.episode_id] = known.stage != "intent"
            elif known is not None:
                remembered.take(known)
        first = (await self._reader.log_starts([_ALERTS]))[_ALERTS]
        last = (await self._reader.log_ends([_ALERTS]))[_ALERTS]
        resume = self._outbox.restore(remembered.newest.values(), remembered.resume)
        if resume is not None:
            await self._recall(resume)
        await self._reader.start({_ALERTS: min(max(resume or 0, first), last)})
        self.knows.set()
        log.info("telling", notifier=self._delivery.notifier.name, episodes=len(remembered.newest))

    async def _recall(self, resume: int) -> None:
        """Know again what the messages of episodes that may go on say."""
        since_ms = (now_us() - GOES_ON_US) // 1000
        first = (await self._reader.offsets_since([_ALERTS], since_ms))[_ALERTS]
        last = (await self._reader.log_ends([_ALERTS]))[_ALERTS]
        if last - first > _MOST_RECALLED:
            log.warning("too many alerts to know all again", oldest_left_out=last - first - _MOST_RECALLED)
        async for record in read_partitions(self._settings, [_ALERTS], since_ms, _MOST_RECALLED):
            alert = read_event(Alert, record) if record.offset < resume else None
            if alert is not None:
                self._outbox.recall(alert)

    async def _read(self, wait_s: float) -> None:
        """Take in what came, at the latest after `wait_s`."""
        if self._outbox.is_full:
            await asyncio.sleep(wait_s)
            return
        for records in (await self._reader.batch(int(wait_s * 1000), max_records=100)).values():
            self._take_in(records)

    def _take_in(self, records: Iterable[ConsumerRecord]) -> None:
        for record in records:
            alert = read_event(Alert, record)
            if alert is None or self._proving.take(alert):
                continue
            if not self._outbox.add(record.offset, alert) and alert.data_quality != "ok":
                ALERTS_SUPPRESSED.labels(alert.data_quality).inc()

    async def _carry_out(self, action: Action | Together | Bulletin) -> None:
        parent = None if isinstance(action, Bulletin) else action.parent
        await self._delivery.confirm()
        await self._receipts.note(action, "intent", parent)
        failpoints.reach("alert-intended")
        try:
            place = await self._delivery.deliver(action)
        except Later as error:
            SLACK_CALLS.labels("limited").inc()
            self._not_before_s = monotonic() + error.seconds
        except Unanswered as error:
            self._doubt(action, str(error))
        except Refused as error:
            await self._refuse(action, parent, str(error))
        else:
            failpoints.reach("alert-told")
            await self._done(action, place)
            failpoints.reach("alert-receipt-kept")

    async def _done(self, action: Action | Together | Bulletin, place: Place) -> None:
        SLACK_CALLS.labels("told").inc()
        self._attempt = 0
        self._settle(action, place)
        await self._receipts.note(action, "sent", place)
        if isinstance(action, Action):
            earlier = [one for one in self._outbox.history(action.newest.episode_id) if one != action.newest]
            self._charting.want(action.newest, earlier)

    def _doubt(self, action: Action | Together | Bulletin, fault: str) -> None:
        if isinstance(action, Bulletin):
            self._bulletins[0] = replace(action, may_repeat=True)
        else:
            self._outbox.doubt(action)
        self._wait_after(fault)

    def _wait_after(self, fault: str) -> None:
        SLACK_CALLS.labels("unanswered").inc()
        self._attempt += 1
        pause = pause_s(self._attempt, random.random())
        self._not_before_s = monotonic() + pause
        log.warning("nobody answered", notifier=self._delivery.notifier.name, fault=fault, again_in_s=round(pause, 1))

    async def _prove(self) -> None:
        """Let the canary out; what it meets is met by every alert after it."""
        try:
            await self._proving.prove(self._delivery, self._receipts)
        except Later as error:
            SLACK_CALLS.labels("limited").inc()
            self._not_before_s = monotonic() + error.seconds
        except Unanswered as error:
            self._wait_after(str(error))
        except Refused as error:
            SLACK_CALLS.labels("refused").inc()
            await self._proving.give_up(str(error), self._receipts)

    async def _refuse(self, action: Action | Together | Bulletin, parent: Place | None, reason: str) -> None:
        SLACK_CALLS.labels("refused").inc()
        log.error("refused for good, kept as a dead letter", notifier=self._delivery.notifier.name, reason=reason)
        await self._receipts.keep(action, reason)
        self._settle(action, parent, is_told=False)
        await self._receipts.note(action, "refused", parent, reason)

    def _settle(self, action: Action | Together | Bulletin, place: Place | None, *, is_told: bool = True) -> None:
        if isinstance(action, Bulletin):
            self._bulletins.popleft()
            self._marks[action.mark] = True
        else:
            self._outbox.settle(action, place, now_us(), is_told=is_told)

    async def _show_a_picture(self) -> bool:
        """Put a finished chart into its message; say whether there was one to try."""
        while self._charting.finished:
            episode_id, picture = self._charting.finished.popleft()
            self._showings.append((monotonic(), 1, episode_id, picture))
        if not self._showings or self._showings[0][0] > monotonic():
            return False
        _, attempt, episode_id, picture = self._showings.popleft()
        action = self._outbox.show(episode_id, picture)
        if action is None:
            return True
        try:
            await self._delivery.show(action, picture)
        except NotReady:
            self._show_later(attempt, episode_id, picture)
        except Later as error:
            self._not_before_s = monotonic() + error.seconds
            self._show_later(attempt, episode_id, picture)
        except Unanswered:
            self._show_later(attempt, episode_id, picture)
        except (Gone, Refused) as error:
            self._give_up_showing(episode_id, str(error))
        else:
            CHARTS.labels("shown").inc()
            await self._receipts.note_picture(action)
        return True

    def _show_later(self, attempt: int, episode_id: str, picture: Picture) -> None:
        if attempt >= _MOST_SHOWINGS:
            self._give_up_showing(episode_id, "Slack did not make the upload ready")
            return
        self._showings.append((monotonic() + attempt * _BETWEEN_SHOWINGS_S, attempt + 1, episode_id, picture))

    def _give_up_showing(self, episode_id: str, reason: str) -> None:
        CHARTS.labels("not_shown").inc()
        log.warning("a chart could not be shown", reason=reason)
        self._outbox.take_down(episode_id)
