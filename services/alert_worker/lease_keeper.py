"""Takes, keeps and gives up the charge of watching: claims beside the detectors' state, read back before they count."""

import asyncio
from contextlib import suppress
from time import monotonic

import msgspec
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, KafkaTimeoutError
from aiokafka.structs import ConsumerRecord, TopicPartition

from services.alert_worker.lease import RENEW_EVERY_S, SILENT_S, SURE_S, Claim, Lease, Owner, Silence
from services.alert_worker.snapshot import MARK
from services.alert_worker.this_worker import is_running
from services.alert_worker.topic_reader import read_event
from shared.clock import now_us
from shared.errors import TapewatchError
from shared.events import DetectorSnapshot
from shared.kafka import PartitionReader
from shared.liveness import KAFKA_GETS_S, Lack, Liveness
from shared.metrics import STANDBY
from shared.partitioning import symbol_key
from shared.settings import KafkaSettings
from shared.topics import DETECTOR_STATE
from shared.wire import HEADERS_OF_EVENT, encode

log = structlog.get_logger(__name__)

_NAME, _VERSION = "lease", "lease/1"
KEY = symbol_key(MARK, _NAME).encode()
"""Of claims among the detectors' state."""

_PARTITION = TopicPartition(DETECTOR_STATE.name, DETECTOR_STATE.partitions - 1)
_NEAR_END = 5_000
"""Of so many newest records, which are more than an hour's, one is a claim, unless there never was one."""
_LOOK_EVERY_S, _ANSWERS_WITHIN_S = 1.0, 3.0
_BEGINS_WITHIN_S = 60.0
"""So long a worker that is ready may take from the last look to its first trades."""


class Superseded(TapewatchError):
    """Another worker watches and tells; the line says which."""


class LeaseKeeper:
    """One worker's hold on the charge. `take` it first; then `keep` it beside the work, and `confirm` before telling.

    While Kafka is silent nothing is lost: nobody else can claim either.
    """

    def __init__(self, settings: KafkaSettings, producer: AIOKafkaProducer, liveness: Liveness, me: Owner) -> None:
        self._producer, self._liveness, self._lease = producer, liveness, Lease(me)
        self._reader = PartitionReader(settings, "alert-worker-lease")
        self._one_at_a_time = asyncio.Lock()
        self._sure_at_s: float | None = None
        self._standby = STANDBY.labels(reader="alert-worker")
        self._kafka_is_silent = False

    @property
    def is_sure(self) -> bool:
        """Whether we knew shortly ago that we are in charge."""
        return self._sure_at_s is not None and monotonic() - self._sure_at_s <= SURE_S

    async def take(self) -> None:
        """Return once we are in charge, standing by for as long as another one is."""
        await self._know_claims()
        silence, asked_at_s, was_standby = Silence(monotonic()), monotonic(), False
        while True:
            if self._lease.is_free(is_running) or silence.is_long(asked_at_s):
                await self._renew()
                if self._lease.is_mine:
                    break
                silence.broken(monotonic())
            if not was_standby:
                log.warning("standby: another alert worker watches", host=self._holder, takes_over_after_s=SILENT_S)
            was_standby = True
            self._standby.set(1)
            asked_at_s = await self._look_later(silence)
        self._standby.set(0)
        if was_standby:
            log.warning("took over from the other alert worker")

    async def keep(self, stop: asyncio.Event) -> None:
        """Renew until `stop`. Raises Superseded."""
        while not stop.is_set():
            async with self._one_at_a_time:
                await self._renew_or_end()
            with suppress(TimeoutError):
                async with asyncio.timeout(RENEW_EVERY_S):
                    await stop.wait()

    async def confirm(self) -> None:
        """Return when it is sure that we are in charge. Raises Superseded."""
        if self.is_sure:
            return
        async with self._one_at_a_time:
            while not self.is_sure:
                await self._renew_or_end()

    async def release(self) -> None:
        """Give it up, all being done, so that another one begins at once."""
        self._sure_at_s = None
        await self._write(self._lease.claim(is_released=True))

    async def close(self) -> None:
        """Read no more."""
        await self._reader.close()

    @property
    def _holder(self) -> str:
        return "nobody" if self._lease.holder is None else self._lease.holder.host

    async def _look_later(self, silence: Silence) -> float:
        """Read what came after a while; return when that was asked for."""
        await asyncio.sleep(_LOOK_EVERY_S)
        asked_at_s, newest = monotonic(), self._lease.newest
        try:
            async with asyncio.timeout(_ANSWERS_WITHIN_S):
                await self._catch_up()
        except (KafkaError, TimeoutError):
            silence.broken(monotonic())
            if not self._kafka_is_silent:
                self._liveness.waits(f"standby: {self._holder} watches; Kafka does not answer", KAFKA_GETS_S)
                self._liveness.lacks(Lack("Kafka", "Kafka does not answer"))
            self._kafka_is_silent = True
            return asked_at_s
        if self._lease.newest != newest:
            silence.broken(monotonic())
        self._kafka_is_silent = False
        self._liveness.lacks(None)
        self._liveness.moved(f"standby: {self._holder} watches", _BEGINS_WITHIN_S)
        return asked_at_s

    async def _renew_or_end(self) -> None:
        await self._renew()
        if not self._lease.is_mine:
            raise Superseded(f"another alert worker, on {self._holder}, watches and tells by now: this one ends")

    async def _renew(self) -> None:
        """Claim, and read what the log has up to there: only then is it known whether the claim counts."""
        asked_at_s = monotonic()
        await self._write(self._lease.claim())
        await self._catch_up_in_the_end()
        if self._lease.is_mine:
            self._sure_at_s = asked_at_s

    async def _write(self, claim: Claim) -> None:
        record = DetectorSnapshot(
            exchange=MARK, symbol=_NAME, partition=_PARTITION.partition, next_offset=0, rule_version=_VERSION,
            state=msgspec.json.encode(claim).decode(), at_us=now_us(),
        )  # fmt: skip
        await self._producer.send_and_wait(
            _PARTITION.topic, encode(record), KEY, _PARTITION.partition, headers=HEADERS_OF_EVENT[DetectorSnapshot]
        )

    async def _know_claims(self) -> None:
        await self._reader.connect()
        first = (await self._reader.log_starts([_PARTITION]))[_PARTITION]
        end = (await self._reader.log_ends([_PARTITION]))[_PARTITION]
        near = max(first, end - _NEAR_END)
        await self._reader.start({_PARTITION: near})
        await self._catch_up()
        if self._lease.holder is None and near > first:
            await self._reader.start({_PARTITION: first})
            await self._catch_up()

    async def _catch_up_in_the_end(self) -> None:
        while True:
            try:
                await self._catch_up()
            except KafkaError as error:
                if not (error.retriable or isinstance(error, KafkaTimeoutError)):
                    raise
                await asyncio.sleep(_LOOK_EVERY_S)
            else:
                return

    async def _catch_up(self) -> None:
        """Read up to the log's end as it is now. Raises KafkaError."""
        end = (await self._reader.log_ends([_PARTITION]))[_PARTITION]
        while await self._reader.position(_PARTITION) < end:
            for record in (await self._reader.batch(200, _NEAR_END)).get(_PARTITION, []):
                self._hear(record)

    def _hear(self, record: ConsumerRecord) -> None:
        if record.key != KEY or (saved := read_event(DetectorSnapshot, record)) is None:
            return
        try:
            claim = msgspec.json.decode(saved.state, type=Claim)
        except msgspec.MsgspecError as error:
            log.warning("a claim that cannot be read", offset=record.offset, reason=str(error))
            return
        self._lease.hear(record.offset, claim)
