"""Making Kafka clients, waiting for Kafka, creating topics, and reading partitions from positions kept elsewhere."""

import asyncio
import logging
import ssl
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaConnectionError, KafkaError, NoError, TopicAlreadyExistsError, for_code
from aiokafka.structs import ConsumerRecord, TopicPartition
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry,
    retry_if_exception_type,
    stop_after_delay,
    wait_exponential_jitter,
    wait_fixed,
)

from shared.errors import Stopped, Unreachable, WrongUse
from shared.settings import KafkaSettings
from shared.topics import TOPICS, Topic

log = structlog.get_logger(__name__)
MAX_REQUEST_BYTES = 4 << 20


class TopicsNotVisible(Unreachable):
    """A broker does not list a topic that its controller made just now."""


def client_options(settings: KafkaSettings, client_id: str) -> dict[str, Any]:
    """The keyword arguments that every aiokafka client of ours shares. Raises WrongUse for unusable certificates."""
    options: dict[str, Any] = {
        "bootstrap_servers": [server.strip() for server in settings.bootstrap_servers.split(",")],
        "client_id": f"tapewatch-{client_id}",
        "security_protocol": settings.security_protocol,
    }
    if settings.security_protocol.endswith("SSL"):
        options["ssl_context"] = _ssl_context(settings)
    if settings.security_protocol.startswith("SASL"):
        options |= {
            "sasl_mechanism": settings.sasl_mechanism,
            "sasl_plain_username": settings.sasl_username,
            "sasl_plain_password": settings.sasl_password.get_secret_value() if settings.sasl_password else None,
        }
    return options


def _ssl_context(settings: KafkaSettings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.ssl_cafile)
        if settings.ssl_certfile:
            context.load_cert_chain(settings.ssl_certfile, settings.ssl_keyfile)
    except OSError as error:  # SSLError among them
        raise WrongUse(
            f"the certificates that TAPEWATCH_KAFKA__SSL_CAFILE, SSL_CERTFILE and SSL_KEYFILE name: {error}"
        ) from None
    return context


async def wait_until_reachable(settings: KafkaSettings, wait_s: int, stop: asyncio.Event | None = None) -> None:
    """Return once Kafka answers. Says why it waits, backs off, raises Unreachable after `wait_s` seconds.

    Raises Stopped when `stop` is set meanwhile.
    """
    options = client_options(settings, "probe") | {"request_timeout_ms": 5_000}

    def say(state: RetryCallState) -> None:
        waited_s = round(state.seconds_since_start or 0)
        log.warning("waiting for Kafka", servers=settings.bootstrap_servers, waited_s=waited_s, reason=reasons[-1])

    attempts = AsyncRetrying(
        retry=retry_if_exception_type(KafkaConnectionError),
        wait=wait_exponential_jitter(multiplier=0.1, max=3),
        stop=stop_after_delay(wait_s),
        sleep=_sleep_until(stop or asyncio.Event()),
        before_sleep=say,
        reraise=True,
    )
    with _connection_complaints() as reasons:
        try:
            await attempts(_touch, options)
        except KafkaConnectionError:
            raise Unreachable(
                f"Kafka did not answer within {wait_s} s: {reasons[-1]}. "
                "Is it running, and is TAPEWATCH_KAFKA__BOOTSTRAP_SERVERS right?"
            ) from None


def _sleep_until(stop: asyncio.Event) -> Callable[[float], Awaitable[None]]:
    async def sleep(seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), seconds)
            raise Stopped("stopped while waiting for Kafka")

    return sleep


async def _touch(options: Mapping[str, Any]) -> None:
    admin = AIOKafkaAdminClient(**options)
    try:
        await admin.start()
    finally:
        await admin.close()


@contextmanager
def _connection_complaints() -> Iterator[deque[str]]:
    """Why aiokafka could not connect, last one last: it logs the reason and raises without it. Not logged meanwhile."""
    reasons = deque(["no connection"], maxlen=1)

    def keep(record: logging.LogRecord) -> bool:
        reasons.append(record.getMessage().rstrip(": "))
        return False

    logger = logging.getLogger("aiokafka")
    logger.addFilter(keep)
    try:
        yield reasons
    finally:
        logger.removeFilter(keep)


async def create_topics(settings: KafkaSettings, topics: Sequence[Topic] = TOPICS) -> list[str]:
    """Make the topics that are not there yet and return their names, once they can be used. Safe to repeat.

    Raises WrongUse when a topic exists with another partition count: keys would change partition and lose their order.
    """
    admin = AIOKafkaAdminClient(**client_options(settings, "topics"))
    try:
        await admin.start()
        factor = settings.replication_factor
        wanted = [NewTopic(t.name, t.partitions, factor, topic_configs=t.config()) for t in topics]
        # Asking for all of them lets the controller decide: what brokers list may be a moment old.
        made = _names_made(await admin.create_topics(wanted))
        _check_counts(topics, await _partition_counts(admin, {topic.name for topic in topics}))
        return made
    finally:
        await admin.close()


def _names_made(response: Any) -> list[str]:
    made = []
    for name, code, *rest in response.topic_errors:
        error = for_code(code)
        if error is NoError:
            made.append(name)
        elif error is not TopicAlreadyExistsError:
            raise WrongUse(f"Kafka refused to create {name}: {error.__name__} {rest[0] if rest else ''}".rstrip())
    return made


@retry(retry=retry_if_exception_type(TopicsNotVisible), wait=wait_fixed(0.05), stop=stop_after_delay(10), reraise=True)
async def _partition_counts(admin: AIOKafkaAdminClient, names: Collection[str]) -> dict[str, int]:
    counts = {entry["topic"]: len(entry["partitions"]) for entry in await admin.describe_topics()}
    missing = sorted(name for name in names if name not in counts)
    if missing:
        raise TopicsNotVisible(f"Kafka made {missing[0]} and does not list it")
    return counts


def _check_counts(topics: Sequence[Topic], found: Mapping[str, int]) -> None:
    for topic in topics:
        if found[topic.name] != topic.partitions:
            raise WrongUse(
                f"topic {topic.name} has {found[topic.name]} partitions and must have {topic.partitions}, or keys "
                "change their partition and lose their order: delete the topic or use another cluster"
            )


def make_producer(settings: KafkaSettings, client_id: str, **options: Any) -> AIOKafkaProducer:
    """An idempotent producer with acks=all; not started."""
    return AIOKafkaProducer(
        **client_options(settings, client_id),
        acks="all",
        enable_idempotence=True,
        max_request_size=MAX_REQUEST_BYTES,
        **{"compression_type": "zstd", "request_timeout_ms": 30_000} | options,
    )


class PartitionReader:
    """Reads fixed partitions from given offsets: no group membership, no silent jump.

    A position outside the log raises aiokafka's OffsetOutOfRangeError, which the caller must tell people about.
    `group_id` names the group under which positions are committed for lag monitors to see; nothing reads them back.
    """

    def __init__(self, settings: KafkaSettings, client_id: str, group_id: str | None = None) -> None:
        self._consumer = AIOKafkaConsumer(
            **client_options(settings, client_id),
            group_id=group_id,
            auto_offset_reset="none",
            enable_auto_commit=False,
            max_partition_fetch_bytes=MAX_REQUEST_BYTES,
            fetch_max_wait_ms=500,
        )
        self._connected = False

    async def connect(self) -> None:
        """Connect, so that `log_starts` and the like answer before it is known where to start."""
        if not self._connected:
            await self._consumer.start()
            self._connected = True

    async def start(self, positions: Mapping[TopicPartition, int]) -> None:
        """Connect and stand at `positions` (next offset to read, by partition)."""
        await self.connect()
        self._consumer.assign(list(positions))
        for partition, offset in positions.items():
            self._consumer.seek(partition, offset)

    async def batch(self, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[ConsumerRecord]]:
        """What is there by now, at most `max_records`; empty after `timeout_ms` of silence."""
        found = await self._consumer.getmany(timeout_ms=timeout_ms, max_records=max_records)
        return dict(found)

    async def log_starts(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """First offset still kept, by partition."""
        return dict(await self._consumer.beginning_offsets(list(partitions)))

    async def log_ends(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Offset of the next record to come, by partition."""
        return dict(await self._consumer.end_offsets(list(partitions)))

    async def offsets_since(self, partitions: Sequence[TopicPartition], since_ms: int) -> dict[TopicPartition, int]:
        """Offset of the first record that the broker stamped at `since_ms` or later; the log's end where none is."""
        ends = await self.log_ends(partitions)
        found = await self._consumer.offsets_for_times(dict.fromkeys(partitions, since_ms))
        return {p: at.offset if (at := found.get(p)) is not None else ends[p] for p in partitions}

    async def position(self, partition: TopicPartition) -> int:
        """Offset of the next record to read, also past records that a compacted log no longer holds."""
        return int(await self._consumer.position(partition))

    def lag(self, partition: TopicPartition, position: int) -> int:
        """Records between `position` and the log's end as of the last fetch."""
        return max(0, (self._consumer.highwater(partition) or position) - position)

    async def advise(self, positions: Mapping[TopicPartition, int]) -> None:
        """Commit `positions` to the group, for lag monitors. Raises KafkaError."""
        await self._consumer.commit(dict(positions))

    async def close(self) -> None:
        """Leave; positions are the caller's."""
        await self._consumer.stop()


__all__ = [
    "KafkaError",
    "PartitionReader",
    "client_options",
    "create_topics",
    "make_producer",
    "wait_until_reachable",
]
