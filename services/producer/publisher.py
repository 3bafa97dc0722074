"""Brings what waits to Kafka: a batch a partition, one on its way at a time, held until it is acknowledged.

A Kafka client that fails is replaced inside the process, what it left unacknowledged first: ending the process would
lose frames that nobody sends again. What no new client can mend (no such topic, no permission) ends the process. What
Kafka calls too large is sent in halves, and of a record that is too large alone what can be is kept (`refused`).
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import islice

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    IncompatibleBrokerVersion,
    InvalidTopicError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

from services.producer.exchanges.base import readable
from services.producer.gaps import gap_event
from services.producer.lanes import Lane, Lanes, Place
from services.producer.pace import Pace
from services.producer.refused import kept_of
from shared import metrics
from shared.clock import NowMicros
from shared.events import Candle, Event, FeedEvent, MarketEvent, Trade
from shared.kafka import discard
from shared.topics import CANDLES, DEAD_LETTERS, FEED, INSTRUMENTS, ORDERBOOKS, TICKERS, TRADES, Topic

MAX_BATCH_BYTES = 256 << 10
_BEYOND_REPAIR = (
    ClusterAuthorizationFailedError,
    IncompatibleBrokerVersion,
    InvalidTopicError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)
TOPICS_WRITTEN = (TRADES, TICKERS, ORDERBOOKS, FEED, DEAD_LETTERS, INSTRUMENTS, CANDLES)
_TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)
_RETRY_S = 1.0
log = structlog.get_logger(__name__)


class Publisher:
    """Takes events at any time and never waits; `run` brings them to Kafka.

    `make_client` gives a Kafka producer that is not started; `exchange` names whom dropped trades are counted for.
    Records about the feeds go first: no trade is sent while one of those is not acknowledged. So when Kafka holds a
    trade that came after a gap, it holds the gap.
    """

    def __init__(
        self,
        make_client: Callable[[], AIOKafkaProducer],
        exchange: str,
        flush_ms: int,
        now_us: NowMicros,
        lanes: Lanes | None = None,
    ) -> None:
        self._make_client = make_client
        self._exchange = exchange
        self._pace = Pace(flush_ms / 1000)
        self._now_us = now_us
        self._lanes = lanes or Lanes()
        self._client: AIOKafkaProducer | None = None
        self._failure: BaseException | None = None
        self.acknowledged = 0
        """Records that Kafka has taken so far."""
        self.newest_trade_us = 0
        """When the newest trade was received, 0 before the first; of what comes together the last counts."""
        self._published = {topic.name: metrics.EVENTS_PUBLISHED.labels(topic.name) for topic in TOPICS_WRITTEN}
        self._wake = asyncio.Event()
        self._settled = asyncio.Event()

    def publish(self, events: Sequence[MarketEvent]) -> None:
        """Market events, in the order in which they came."""
        put = self._lanes.put
        for event in events:
            put(event)
        if events and isinstance(last := events[-1], Trade):
            self.newest_trade_us = last.received_at_us
        self._wake.set()

    def put_candles(self, candles: Sequence[Candle]) -> None:
        """Minutes of the past, in the order of their telling. They wait behind everything else."""
        for candle in candles:
            self._lanes.put_candle(candle)
        self._wake.set()

    @property
    def candle_bytes(self) -> int:
        """What candles take that Kafka has not acknowledged."""
        return self._lanes.candle_bytes

    def put(self, topic: Topic, key: str, event: Event) -> bool:
        """Any other record. False when it is given up (see `Lanes.put_record`)."""
        self._wake.set()
        return self._lanes.put_record(topic, key, event)

    def announce(self, event: FeedEvent) -> None:
        """Something about a feed."""
        if event.kind == "gap":
            metrics.GAPS.labels(event.exchange).inc()
        self.put(FEED, event.exchange, event)

    @property
    def is_away(self) -> bool:
        """Whether there is no client that Kafka answers."""
        return self._client is None

    @property
    def on_the_way(self) -> dict[Place, int]:
        """The number of the batch that is on its way, by partition; sent again by another client it has another one."""
        return {place: lane.batches for place, lane in self._lanes.lanes.items() if lane.in_flight}

    @property
    def trades_put(self) -> Mapping[Place, int]:
        """How many trades came so far, by partition."""
        return self._lanes.trades_put

    def holds(self, trades_put: Mapping[Place, int]) -> bool:
        """Whether Kafka has all of these, or a gap that tells of them is on its way."""
        return self._lanes.holds(trades_put)

    async def until_holds(self, trades_put: Mapping[Place, int]) -> None:
        """Wait for that. Records of feeds overtake trades: one that says that trades are there has to wait for them."""
        while not self.holds(trades_put):
            self._settled.clear()
            await self._settled.wait()

    @property
    def unacknowledged(self) -> int:
        """How many records Kafka has not acknowledged."""
        return self._lanes.unacknowledged

    @property
    def is_idle(self) -> bool:
        """Whether everything that came is acknowledged."""
        return self._lanes.empty

    async def run(self) -> None:
        """Send until cancelled. Raises KafkaError when no new client can help."""
        try:
            self._client = await self._started()
            while True:
                await self._wake.wait()
                self._wake.clear()
                self._tell_losses()
                await self._replace_failed_client()
                records = await self._send_waiting(self._client)
                await asyncio.sleep(self._pace.wait_s(records, self._now_us()))
        finally:
            if self._client is not None:
                await discard(self._client)

    def give_up_client(self, reason: str) -> None:
        """Have the client replaced that gets nothing acknowledged; what is on its way is sent again by the next."""
        if self._client is not None:
            self._failed(KafkaTimeoutError(reason))

    async def drain(self, within_s: float) -> bool:
        """Wait until everything is acknowledged; False when that takes longer than `within_s`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while not self._lanes.empty:
                    self._settled.clear()
                    await self._settled.wait()
        return self._lanes.empty

    def _tell_losses(self) -> None:
        lanes = self._lanes
        gap = lanes.end_of_dropping()
        for channel, count in lanes.conflated.items():
            metrics.EVENTS_CONFLATED.labels(channel).inc(count)
        lanes.conflated.clear()
        if lanes.dropped_trades:
            metrics.TRADES_DROPPED.labels(self._exchange).inc(lanes.dropped_trades)
            lanes.dropped_trades = 0
        if gap is not None:
            log.error("trades were given up while Kafka was away", symbols=len(gap.symbols), to_us=gap.to_us)
            event = gap_event(gap, self._exchange, None, "Kafka was away for too long", self._now_us())
            self.announce(event)

    async def _send_waiting(self, client: AIOKafkaProducer) -> int:
        now_ms, records = self._now_us() // 1000, 0
        for lane in [lane for lane in self._lanes.lanes.values() if lane.topic is not CANDLES]:
            if lane.waiting and not lane.in_flight and not (lane.topic.event is Trade and self._feed_comes_first()):
                await self._send(client, lane, now_ms)
                records += len(lane.in_flight)
        for lane in self._lanes.of(Candle):
            if lane.waiting and not lane.in_flight:
                await self._send(client, lane, now_ms)
        return records  # candles are no part of the market's pace

    def _feed_comes_first(self) -> bool:
        """Asked anew for every batch of trades: while one is handed over, a gap may be told, and trades after it."""
        return any(lane.waiting or lane.in_flight for lane in self._lanes.of(FeedEvent))

    async def _send(self, client: AIOKafkaProducer, lane: Lane, now_ms: int) -> None:
        batch = client.create_batch()
        append, headers, count = batch.append, lane.headers, 0
        for key, value in islice(lane.waiting, lane.most):
            if append(key=key, value=value, timestamp=now_ms, headers=headers) is None:
                break
            count += 1
        lane.take(count)
        try:
            sent = await client.send_batch(batch, lane.topic.name, partition=lane.partition)
        except KafkaError as error:
            self._failed(error)
            return
        sent.add_done_callback(partial(self._answered, client, lane))

    def _answered(self, client: AIOKafkaProducer, lane: Lane, sent: "asyncio.Future[object]") -> None:
        if sent.cancelled() or client is not self._client:
            return
        error = sent.exception()
        if error is not None:
            if isinstance(error, _TOO_LARGE):
                # The next client sends less; the old one has counted what was refused, and nobody takes it now.
                self._make_smaller(lane)
                error = KafkaError(f"{lane.topic.name}: {error}")
            self._failed(error)
            return
        count = self._lanes.acknowledged(lane)
        self.acknowledged += count
        self._published[lane.topic.name].inc(count)
        self._settled.set()
        self._wake.set()

    def _make_smaller(self, lane: Lane) -> None:
        """No record is lost for the sake of one that is too large alone: of that one, what can be is kept."""
        if not lane.too_large():
            return
        ((_, value),), name = lane.in_flight, lane.topic.name
        self._lanes.acknowledged(lane)
        reason = f"{name} does not take a record of {len(value)} bytes"
        kept = kept_of(lane.topic, value, reason, self._exchange, self._now_us())
        if kept.gap is not None:
            self.announce(kept.gap)
        is_kept = kept.form is not None and self.put(kept.form[0], self._exchange, kept.form[1])
        if not is_kept:
            metrics.RECORDS_REFUSED.labels(name).inc()
        begins = readable(value[:300].decode("utf-8", "replace"))
        log.error("a record is too large for Kafka", reason=reason, is_kept=is_kept, begins=begins)
        self._settled.set()

    def _failed(self, error: BaseException) -> None:
        self._failure = self._failure or error
        self._wake.set()

    async def _replace_failed_client(self) -> None:
        failure, old = self._failure, self._client
        if failure is None or old is None:
            return
        if not isinstance(failure, KafkaError) or isinstance(failure, _BEYOND_REPAIR):
            raise failure
        log.warning("Kafka client is replaced", reason=repr(failure))
        await discard(old)  # batches of other partitions may still be acknowledged here
        self._client = None
        metrics.KAFKA_CLIENTS_REPLACED.inc()
        for lane in self._lanes.lanes.values():
            lane.give_back()
        self._failure = None
        self._client = await self._started()

    async def _started(self) -> AIOKafkaProducer:
        while True:
            client = self._make_client()
            try:
                await client.start()
                # Asked for now, because sending waits for what it does not know, and nothing waits for Kafka here.
                for topic in TOPICS_WRITTEN:
                    await client.partitions_for(topic.name)
            except KafkaError as error:
                log.warning("waiting for Kafka", reason=str(error) or repr(error))
                await discard(client)
                await asyncio.sleep(_RETRY_S)
            except asyncio.CancelledError:
                await discard(client)
                raise
            else:
                return client
