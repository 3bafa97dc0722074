"""Every few seconds: how near the unread records are to being deleted, as a metric; and people are told in time.

It works as well while the store is away, which is when it matters: the positions are then those that were committed
to Kafka as advice. What was told is noted beside them, for a process whose store is away lives only minutes.
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

import structlog
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from services.consumer.feed import EVERY_EXCHANGE, publish
from services.consumer.loop import Consumer
from services.consumer.retention import Lag, begun, over
from services.consumer.retention_probe import RetentionProbe
from services.consumer.sinks.base import Sink
from shared import metrics
from shared.clock import now_us
from shared.events import FeedEvent
from shared.kafka import discard, make_producer
from shared.settings import KafkaSettings

TOLD = "degraded"
"""Note beside a committed position: people know that unread records of its topic will be deleted soon."""
_EVERY_S = 5.0
_LOOKS_WITHIN_S = 10.0
log = structlog.get_logger(__name__)


@dataclass
class RetentionWatch:
    """Watches what one sink has yet to read of the partitions that it owns, or would own if its store were there.

    `group` is where the positions are committed, `consumer` is None until the store is open.
    """

    kafka: KafkaSettings
    sink: Sink
    group: str
    owned: Collection[TopicPartition]
    consumer: Consumer | None = None
    _told: set[str] | None = None
    _looked: asyncio.Event = field(default_factory=asyncio.Event)

    def advice(self) -> dict[TopicPartition, OffsetAndMetadata]:
        """What the running consumer has to commit: where it stands, and what was told of it, once that is known."""
        if self.consumer is None or self._told is None:
            return {}
        return _noted(self.consumer.started_at | self.consumer.stored, self._told)

    async def run(self) -> None:
        """Go on until cancelled. Kafka's silence is logged, and the next look comes."""
        while True:
            try:
                async with RetentionProbe(self.kafka, f"retention-{self.sink.name}", self.group) as probe:
                    while True:
                        await self._look(probe)
                        self._looked.set()
                        await asyncio.sleep(_EVERY_S)
            except KafkaError as error:
                log.warning("Kafka does not tell for now how long it keeps what is unread", reason=repr(error))
            await asyncio.sleep(_EVERY_S)

    async def looked(self) -> None:
        """Return after the first look, and what is told by it; or after some seconds without an answer of Kafka's."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_LOOKS_WITHIN_S):
                await self._looked.wait()

    async def _look(self, probe: RetentionProbe) -> None:
        if self.sink.is_standby:
            self._told = None  # the other copy tells
            return
        positions = await self._positions(probe)
        lags = await probe.lags(positions, now_us() // 1000)
        for topic, lag in lags.items():
            metrics.LAG_RETENTION_RATIO.labels(self.sink.name, topic).set(lag.ratio)
        told = self._told or set()
        log.debug("looked at what Kafka keeps", ratio={topic: round(lag.ratio, 3) for topic, lag in lags.items()})
        worse, better = begun(lags, told), over(lags, told)
        if worse or better:
            await self._tell(worse, better)
            self._told = told - {lag.topic for lag in better} | {lag.topic for lag in worse}
            if self.consumer is None:
                await probe.leave(_noted(positions, self._told))

    async def _positions(self, probe: RetentionProbe) -> dict[TopicPartition, int]:
        """Where the consumer stands, or stood when it committed last; and what was told of it."""
        if self.consumer is None or self._told is None:
            left = {p: at for p, at in (await probe.left()).items() if p in self.owned}
            self._told = {p.topic for p, at in left.items() if at.metadata == TOLD}
            if self.consumer is None:
                return {partition: at.offset for partition, at in left.items()}
        return self.consumer.started_at | self.consumer.stored

    async def _tell(self, worse: Iterable[Lag], better: Iterable[Lag]) -> None:
        """Publish first and note it then: told twice is better than not at all."""
        producer = make_producer(self.kafka, f"retention-{self.sink.name}")
        await producer.start()
        try:
            for lag in worse:
                log.warning("unread records will be deleted if this goes on", topic=lag.topic, lag=lag.told)
                await publish(producer, self._event("degraded", f"{lag.told}: {self._remedy}", lag))
            for lag in better:
                log.info("no unread records are near their end any more", topic=lag.topic, lag=lag.told)
                await publish(producer, self._event("resumed", lag.told, lag))
        finally:
            await discard(producer)

    def _event(self, kind: Literal["degraded", "resumed"], text: str, lag: Lag) -> FeedEvent:
        reason = f"consumer-{self.sink.name}: {lag.topic}: {text}"
        return FeedEvent(kind=kind, exchange=EVERY_EXCHANGE, reason=reason, at_us=now_us())

    @property
    def _remedy(self) -> str:
        return (
            f"what is not in {self.sink.name} by then is lost to it. Bring {self.sink.name} or its consumer back, or "
            "raise retention.ms and retention.bytes of the topic"
        )


def _noted(positions: Mapping[TopicPartition, int], told: Collection[str]) -> dict[TopicPartition, OffsetAndMetadata]:
    return {p: OffsetAndMetadata(at, TOLD if p.topic in told else "") for p, at in positions.items()}
