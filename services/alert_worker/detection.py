"""Reads trades, lets the pure part decide, and makes every alert a record on Kafka before anybody is told."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from time import monotonic

import msgspec
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.structs import ConsumerRecord, TopicPartition

from services.alert_worker import snapshot
from services.alert_worker.canary import CanaryWatch
from services.alert_worker.feed_reader import FeedReader
from services.alert_worker.feeds import SUPPRESSED
from services.alert_worker.hearing import heard
from services.alert_worker.judged import Judged
from services.alert_worker.lease_keeper import KEY as LEASE_KEY
from services.alert_worker.lease_keeper import LeaseKeeper
from services.alert_worker.mutes import MUTE, Mutes
from services.alert_worker.notices import Notices
from services.alert_worker.on_the_way import OnTheWay
from services.alert_worker.partition import Decided, Partition
from services.alert_worker.rules.ruleset import Ruleset
from services.alert_worker.state_saving import StateSaving
from services.alert_worker.topic_reader import partitions_of, read_event, read_events, read_topic
from services.alert_worker.watch import Watch
from shared.canary import EXCHANGE, SYMBOL
from shared.clock import NowMicros, now_us
from shared.events import Alert, Candle, DetectorSnapshot, Instrument, Trade
from shared.kafka import PartitionReader
from shared.liveness import KAFKA_GETS_S, Lack, Liveness
from shared.metrics import ALERTS, ALERTS_SUPPRESSED, PRICES_NOT_COMPARED, TRADES_IGNORED
from shared.partitioning import partition_of, symbol_key
from shared.settings import KafkaSettings
from shared.topics import ALERTS as ALERTS_TOPIC
from shared.topics import CANDLES, DETECTOR_STATE, INSTRUMENTS, TRADES
from shared.wire import HEADERS_OF_EVENT, encode

log = structlog.get_logger(__name__)

WARM_UP_MS = 30 * 60_000
"""How much of the tape a start without snapshots reads,"""

CANDLES_MS = 24 * 60 * 60_000
"""and how much of the exchanges' own minutes."""

STALE_AFTER_US = 600_000_000
"""An alert older than this is kept as a record, marked stale, and not told."""

_PUBLISHED_KEPT = 20_000
"""Ids of alerts that a restart would repeat: those since the oldest snapshot, which is minutes."""

_READ_MS = 20
_PROVE_EVERY_S, _PROVE_WITHIN_S = 3.0, 3.0
_MOST_RECORDS = 2_000
_GATHER_S = 0.025
"""Between looks at a tape that is not behind: every look costs as much as fifty trades, and none is judged before the
lateness that is allowed for has passed anyway."""

_INSTRUMENTS = TopicPartition(INSTRUMENTS.name, 0)
_CANARY_KEY = symbol_key(EXCHANGE, SYMBOL).encode()
_CANARY_COMES_BY = TopicPartition(TRADES.name, partition_of(_CANARY_KEY.decode(), TRADES.partitions))


class Detection:
    """The watch over all partitions of the trades topic, and over what the exchanges say, until stopped."""

    def __init__(  # noqa: PLR0913, PLR0917 - what it reads, writes to, goes by, and says
        self, settings: KafkaSettings, producer: AIOKafkaProducer, liveness: Liveness, mutes: Mutes, rules: Ruleset,
        says: Callable[[str], str], lease: LeaseKeeper,
    ) -> None:  # fmt: skip
        self._settings, self._producer, self._liveness = settings, producer, liveness
        self._now: NowMicros = now_us
        self._mutes, self._says, self._lease = mutes, says, lease
        self._canary = CanaryWatch()
        self._proved_at_s = 0.0
        self._kafka_is_silent = False
        self._reader = PartitionReader(settings, "alert-worker")
        self._feed_reader = FeedReader(settings)
        self._watch = Watch(TRADES.partitions, rules)
        self._notices = Notices()
        self._rules = rules
        self._partitions = partitions_of(TRADES)
        self._candle_partitions = partitions_of(CANDLES)
        self._published: deque[str] = deque(maxlen=_PUBLISHED_KEPT)
        self._catching_up: dict[TopicPartition, int] = {}
        self._on_the_way = OnTheWay()
        self._judged = Judged()
        self._saving = StateSaving(producer, self._watch, self._notices, liveness, self._now)

    def change_rules(self, rules: Ruleset) -> None:
        """Judge by other rules as soon as all state is saved: a restart must not judge again what the old ones did."""
        self._rules = rules

    async def run(self, stop: asyncio.Event) -> None:
        """Restore, watch until `stop`, save. A failure is raised: the next start repeats what was not saved."""
        try:
            await self._start()
            await self._go_on(stop)
            await self._lease.confirm()
            await self._saving.save_all()
            await self._saving.save_notices()
        finally:
            await self._saving.give_up()
            await self._reader.close()
            await self._feed_reader.close()

    async def _start(self) -> None:
        await self._reader.connect()
        await self._feed_reader.start(self._now())
        partitions = self._partitions
        firsts, ends = await self._reader.log_starts(partitions), await self._reader.log_ends(partitions)
        now_ms = self._now() // 1000
        warm_up = await self._reader.offsets_since(partitions, now_ms - WARM_UP_MS)
        positions, saved_at_us = {}, self._now()
        for partition, records in (await self._snapshots()).items():
            resume = snapshot.restore(self._watch.partitions[partition.partition], records)
            if resume is None or resume > ends[partition]:
                self._watch.partitions[partition.partition] = Partition(self._watch.rules)
                resume = warm_up[partition]
                saved_at_us = min(saved_at_us, (now_ms - WARM_UP_MS) * 1000)
            positions[partition] = max(resume, firsts[partition])
            self._watch.partitions[partition.partition].position = positions[partition]
            saved_at_us = min([saved_at_us, *(record.at_us for record in records)])
        self._catching_up = {p: end for p, end in ends.items() if positions[p] < end}
        self._watch.is_live = not self._catching_up
        await self._know_published(saved_at_us // 1000 - 60_000)
        instruments = [_INSTRUMENTS]
        first, end = await self._reader.log_starts(instruments), await self._reader.log_ends(instruments)
        positions[_INSTRUMENTS] = self._notices.begin(first[_INSTRUMENTS], end[_INSTRUMENTS])
        # Before the trades: whenever candles count among them, they are here.
        await self._reader.start(positions | await self._learn_candles())
        log.info("watching", behind=sum(ends[p] - positions[p] for p in partitions), known_alerts=len(self._published))

    async def _learn_candles(self) -> dict[TopicPartition, int]:
        """Read all candles that there are, from where they last counted on; return where reading goes on."""
        partitions = self._candle_partitions
        firsts, ends = await self._reader.log_starts(partitions), await self._reader.log_ends(partitions)
        a_day = await self._reader.offsets_since(partitions, self._now() // 1000 - CANDLES_MS)
        saved = {p: self._watch.partitions[p.partition].candle_position for p in partitions}
        positions = {p: max(saved[p], firsts[p]) if 0 < saved[p] <= ends[p] else a_day[p] for p in partitions}
        behind = {p for p in partitions if positions[p] < ends[p]}
        await self._reader.start({p: positions[p] for p in behind})
        while behind:
            for partition, records in (await self._reader.batch(_READ_MS, _MOST_RECORDS)).items():
                self._hear(partition, records)
                positions[partition] = records[-1].offset + 1
                self._liveness.tells("learning what is usual")
                if positions[partition] >= ends[partition]:
                    behind.discard(partition)
        for partition, position in positions.items():
            self._watch.partitions[partition.partition].candle_position = position
        return positions

    def _hear(self, partition: TopicPartition, records: Sequence[ConsumerRecord]) -> None:
        for record, candle in zip(records, read_events(Candle, records), strict=True):
            if candle is not None:
                self._watch.hear(candle, record.offset, partition.partition)

    async def _snapshots(self) -> Mapping[TopicPartition, list[DetectorSnapshot]]:
        newest: dict[TopicPartition, dict[bytes, DetectorSnapshot]] = {partition: {} for partition in self._partitions}
        async for record in read_topic(self._settings, DETECTOR_STATE):
            saved = read_event(DetectorSnapshot, record) if record.key != LEASE_KEY else None
            if saved is not None and snapshot.is_of_watch(saved):
                snapshot.restore_watch(self._watch, saved)
            elif saved is not None and snapshot.is_of_notices(saved):
                snapshot.restore_notices(self._notices, saved)
            elif saved is not None and record.key is not None:
                newest[TopicPartition(TRADES.name, saved.partition)][record.key] = saved
        return {partition: list(records.values()) for partition, records in newest.items()}

    async def _know_published(self, since_ms: int) -> None:
        """Alerts that a former run published after what is replayed now: they are not published again."""
        async for record in read_topic(self._settings, ALERTS_TOPIC, since_ms=max(0, since_ms)):
            alert = read_event(Alert, record)
            if alert is not None:
                self._published.append(alert.alert_id)

    async def _go_on(self, stop: asyncio.Event) -> None:
        self._saving.begin()
        not_compared = self._watch.not_compared
        while not stop.is_set():
            if self._rules is not self._watch.rules:
                rules = self._rules
                await self._saving.save_all()
                self._watch.change_rules(rules)
            batch = await self._reader.batch(_READ_MS, _MOST_RECORDS)
            records = sum(map(len, batch.values()))
            await self._hear_exchanges(batch.pop(_INSTRUMENTS, []))
            for partition in self._candle_partitions:
                self._hear(partition, batch.pop(partition, []))
            decided = [one for partition, records in batch.items() for one in self._observe(partition, records)]
            decided += self._run_on(batch)
            PRICES_NOT_COMPARED.inc(self._watch.not_compared - not_compared)
            not_compared = self._watch.not_compared
            await self._publish(decided)
            await self._let_the_canary_on(batch)
            await self._tell_progress(bool(batch))
            if self._lease.is_sure:  # one that was frozen would lay old state over that of its successor
                await self._saving.save_what_is_due()
            if 0 < records < _MOST_RECORDS:
                await asyncio.sleep(_GATHER_S)

    async def _tell_progress(self, moved: bool) -> None:
        """Trades were judged; or now and then, Kafka says that there are none to judge.

        Its silence proves nothing: as while it is started anew it is given time, once.
        """
        silence = "; Kafka does not answer" if self._kafka_is_silent else ""
        self._liveness.tells(self._says(f"watching: {self._judged.says(self._behind, self._now())}{silence}"))
        if moved:
            self._is_well()
        elif monotonic() - self._proved_at_s >= _PROVE_EVERY_S:
            self._proved_at_s = monotonic()
            try:
                async with asyncio.timeout(_PROVE_WITHIN_S):
                    ends = await self._reader.log_ends(self._partitions)
            except (KafkaError, TimeoutError):
                if not self._kafka_is_silent:
                    self._liveness.waits(next_within_s=KAFKA_GETS_S)
                    self._liveness.lacks(Lack("Kafka", "Kafka does not answer"))
                self._kafka_is_silent = True
                return
            if all(self._watch.partitions[p.partition].position >= ends[p] for p in self._partitions):
                self._is_well()

    def _is_well(self) -> None:
        self._kafka_is_silent = False
        self._liveness.lacks(None)
        self._liveness.moved()

    def _behind(self) -> int:
        """Trades that are on Kafka and not judged, as of the last fetch."""
        positions = ((p, self._watch.partitions[p.partition].position) for p in self._partitions)
        return sum(self._reader.lag(partition, position) for partition, position in positions)

    def _observe(self, partition: TopicPartition, records: Sequence[ConsumerRecord]) -> list[Decided]:
        number = partition.partition
        watch = self._watch.partitions[number]
        ignored = watch.ignored
        trades = [
            (record.offset, trade)
            for record, trade in zip(records, read_events(Trade, records), strict=True)
            if trade is not None and trade.exchange != EXCHANGE
        ]
        decided = self._watch.observe_all(trades, number)
        if trades:
            self._judged.note(len(trades), trades[-1][1].received_at_us)
        watch.position = records[-1].offset + 1  # past what is no trade of a market, too
        TRADES_IGNORED.inc(watch.ignored - ignored)
        if trades and partition not in self._catching_up and trades[0][1].origin == "stream":
            self._on_the_way.note(trades[0][1].received_at_us, self._now())
        if watch.position >= self._catching_up.get(partition, 0):
            self._catching_up.pop(partition, None)
            self._watch.is_live = not self._catching_up
        return decided

    async def _hear_exchanges(self, records: Iterable[ConsumerRecord]) -> None:
        decided = []
        for record in records:
            instrument = read_event(Instrument, record)
            if instrument is None:
                self._notices.position = record.offset + 1
            elif (alert := self._notices.hear(instrument, record.offset, self._watch.rules)) is not None:
                decided.append(Decided(alert, 0))
        if decided:
            await self._publish(decided)
            await self._saving.save_notices()

    def _run_on(self, batch: Mapping[TopicPartition, object]) -> list[Decided]:
        """Our clock stands in for the trades of partitions that have none to read."""
        now_us = self._now()
        until_us = now_us - self._on_the_way.longest_us(now_us)
        return self._watch.run_on(
            until_us, (p.partition for p in self._partitions if p not in batch and self._is_idle(p))
        )

    def _is_idle(self, partition: TopicPartition) -> bool:
        """Whether everything that Kafka has was read: a batch is bounded, and leaves out what others had more of."""
        position = self._watch.partitions[partition.partition].position
        return partition not in self._catching_up and self._reader.is_at_end(partition, position)

    async def _publish(self, decided: Iterable[Decided]) -> None:
        fresh = [one for one in decided if one.alert.alert_id not in self._published]
        if fresh:
            self._liveness.waits(next_within_s=KAFKA_GETS_S)
            await self._lease.confirm()
            await self._feed_reader.catch_up()
        # In a storm hundreds at once: sent in their order, and waited for together.
        sent = [(record, await self._send_alert(record)) for record in map(self._record_of, fresh)]
        for record, acknowledged in sent:
            await acknowledged
            self._published.append(record.alert_id)
            self._saving.note_told(record)
            ALERTS.labels(record.state, record.kind).inc()
            log.info(
                "alert", state=record.state, symbol=record.symbol, change_pct=record.change_pct, id=record.alert_id
            )

    def _record_of(self, decided: Decided) -> Alert:
        """What becomes of it on Kafka: told, or marked with why not."""
        at_us = self._now()
        least_coins = self._watch.rules.storms.least_coins
        alert = heard(decided, self._feed_reader.feeds, self._mutes, at_us, least_coins)
        if alert.suppressed_by in {SUPPRESSED, MUTE}:
            ALERTS_SUPPRESSED.labels(alert.suppressed_by).inc()
        # Not against the trade's own time: a recording of another year, replayed now, is not old.
        is_stale = at_us - (alert.event_at_us or 0) - decided.delay_us > STALE_AFTER_US
        if is_stale:
            ALERTS_SUPPRESSED.labels("stale").inc()
        return msgspec.structs.replace(
            alert, decided_at_us=at_us, data_quality="stale" if is_stale else alert.data_quality
        )

    async def _send_alert(self, record: Alert) -> asyncio.Future[object]:
        self._liveness.waits(next_within_s=KAFKA_GETS_S)
        future: asyncio.Future[object] = await self._producer.send(
            ALERTS_TOPIC.name, encode(record), record.episode_id.encode(), headers=HEADERS_OF_EVENT[Alert]
        )
        return future

    async def _let_the_canary_on(self, batch: Mapping[TopicPartition, Iterable[ConsumerRecord]]) -> None:
        """What its rule says becomes a record as every alert does, and is told by nobody."""
        for record in batch.get(_CANARY_COMES_BY, ()):
            trade = read_event(Trade, record) if record.key == _CANARY_KEY else None
            for alert in self._canary.observe(trade) if trade is not None else ():
                if alert.alert_id not in self._published:
                    self._published.append(alert.alert_id)
                    decided = msgspec.structs.replace(alert, decided_at_us=self._now())
                    await (await self._send_alert(decided))
