"""Sends the canary round, and proves with its alert that people could be told; see `shared.canary`."""

import asyncio

import structlog
from aiokafka import AIOKafkaProducer

from services.alert_worker import canary
from services.alert_worker.actions import Place
from services.alert_worker.delivery import Delivery
from services.alert_worker.messages import bulletins
from services.alert_worker.messages.wording import Wording
from services.alert_worker.receipts import CANARY, Receipts
from shared.canary import EXCHANGE, SYMBOL, Sign, due_us
from shared.clock import NowMicros
from shared.events import Alert, Notification, Trade
from shared.metrics import CANARY_DUE, CANARY_RETURNED
from shared.partitioning import partition_of, symbol_key
from shared.topics import TRADES
from shared.wire import HEADERS_OF_EVENT, encode

log = structlog.get_logger(__name__)

_STARTS_WITHIN_US = 120_000_000
"""So long a worker that was away may take until its first round is back."""


class Proving:
    """One round every `every_s` seconds; none at all where that is 0."""

    def __init__(self, every_s: int, producer: AIOKafkaProducer, wording: Wording, now: NowMicros) -> None:
        self._every_s, self._producer, self._wording, self._now = every_s, producer, wording, now
        self._began_us = now()
        self._sign = self._told(Sign(due_us(self._began_us + every_s * 1_000_000, every_s)))
        self._place = Place()
        self.waiting: Alert | None = None
        """What has come as far as to us, and is still to go out."""

    def says(self, status: str) -> str:
        """The status, and what there is to say of the canary."""
        return f"{status}, {self._sign}" if self._every_s else status

    def _told(self, sign: Sign) -> Sign:
        CANARY_DUE.set(sign.due_us / 1e6 if self._every_s else 0)
        return sign

    async def run(self, knows: asyncio.Event, stop: asyncio.Event) -> None:
        """Send it round until `stop`, the first time when a round has passed since the last that is known of."""
        if not self._every_s:
            return
        await _either(knows, stop)
        last_us = self._sign.returned_us or self._began_us
        while not await _within(stop, (last_us - self._now()) / 1e6 + self._every_s):
            last_us = self._now()
            for trade in canary.trades(last_us):
                await self._publish(trade)

    def restore(self, known: Notification) -> None:
        """Know again when it was back, and where its message stands."""
        self._place = Place(known.channel, known.ts)
        if known.stage == "sent":
            first_us = self._began_us + _STARTS_WITHIN_US
            self._sign = self._told(Sign(max(first_us, due_us(known.at_us, self._every_s)), known.at_us))

    def take(self, alert: Alert) -> bool:
        """Whether the alert is the canary's; the newest waits to go out, unless it is of a round long ago."""
        if alert.exchange != EXCHANGE:
            return False
        if self._now() < due_us(alert.decided_at_us, self._every_s):
            self.waiting = alert
        return True

    async def prove(self, delivery: Delivery, receipts: Receipts) -> None:
        """Let what waits go out. Raises Later, Unanswered and Refused, and then it still waits."""
        alert = self.waiting
        if alert is None:
            return
        message = bulletins.awake(alert.decided_at_us, self._wording, CANARY)
        self._place = await delivery.prove(message, self._place)
        self.waiting = None
        await receipts.note_canary(alert, self._place)
        self._sign = self._told(Sign(due_us(alert.decided_at_us, self._every_s), self._now()))
        CANARY_RETURNED.set(self._now() / 1e6)

    async def give_up(self, reason: str, receipts: Receipts) -> None:
        """It was refused: the next round tries again."""
        alert, self.waiting = self.waiting, None
        if alert is not None:
            log.error("the canary was refused", reason=reason)
            await receipts.note_canary(alert, self._place, reason)

    async def _publish(self, trade: Trade) -> None:
        key = symbol_key(EXCHANGE, SYMBOL)
        await self._producer.send(
            TRADES.name, encode(trade), key.encode(), partition=partition_of(key, TRADES.partitions),
            headers=HEADERS_OF_EVENT[Trade],
        )  # fmt: skip


async def _within(event: asyncio.Event, seconds: float) -> bool:
    """Whether it is set by then."""
    try:
        async with asyncio.timeout(max(0.0, seconds)):
            return await event.wait()
    except TimeoutError:
        return False


async def _either(*events: asyncio.Event) -> None:
    waiting = [asyncio.create_task(event.wait()) for event in events]
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()
