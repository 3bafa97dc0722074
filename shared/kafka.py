"""Making Kafka clients, waiting for Kafka, creating topics, and reading partitions from positions kept elsewhere."""

import logging
import ssl
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaConnectionError, KafkaError, TopicAlreadyExistsError, for_code
from aiokafka.structs import ConsumerRecord, TopicPartition
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_delay,
    wait_exponential_jitter,
)

from shared.errors import Unreachable, WrongUse
from shared.settings import KafkaSettings
from shared.topics import TOPICS, Topic

log = structlog.get_logger(__name__)
MAX_REQUEST_BYTES = 4 << 20


def client_options(settings: KafkaSettings, client_id: str) -> dict[str, Any]:
    """The keyword arguments that every aiokafka client of ours shares."""
    options: dict[str, Any] = {
        "bootstrap_servers": settings.bootstrap_servers.split(","),
        "client_id": f"tapewatch-{client_id}",
        "security_protocol": settings.security_protocol,
    }
    if settings.security_protocol.endswith("SSL"):
        context = ssl.create_default_context(cafile=settings.ssl_cafile)
        if settings.ssl_certfile:
            context.load_cert_chain(settings.ssl_certfile, settings.ssl_keyfile)
        options["ssl_context"] = context
    if settings.security_protocol.startswith("SASL"):
        options |= {
            "sasl_mechanism": settings.sasl_mechanism,
            "sasl_plain_username": settings.sasl_username,
            "sasl_plain_password": settings.sasl_password.get_secret_value() if settings.sasl_password else None,
        }
    return options


async def wait_until_reachable(settings: KafkaSettings, wait_s: int) -> None:
    """Return once Kafka answers. Says why it waits, backs off, raises Unreachable after `wait_s` seconds."""

    def say(state: RetryCallState) -> None:
        log.warning(
            "waiting for Kafka",
            servers=settings.bootstrap_servers,
            waited_s=round(state.seconds_since_start or 0),
        )

    attempts = AsyncRetrying(
        retry=retry_if_exception_type((KafkaConnectionError, OSError)),
        wait=wait_exponential_jitter(initial=0.1, max=3),
        stop=stop_after_delay(wait_s),
        before_sleep=say,
        reraise=True,
    )
    try:
        async for attempt in attempts:
            with attempt:
                await _touch(settings)
    except (KafkaConnectionError, OSError):
        raise Unreachable(
            f"Kafka at {settings.bootstrap_servers} did not answer within {wait_s} s: "
            "is it running, and is TAPEWATCH_KAFKA__BOOTSTRAP_SERVERS right?"
        ) from None


async def _touch(settings: KafkaSettings) -> None:
    quiet = logging.getLogger("aiokafka")
    level = quiet.level
    quiet.setLevel(logging.CRITICAL)  # a refused bootstrap is told by the caller, once
    admin = AIOKafkaAdminClient(**client_options(settings, "probe"))
    try:
        await admin.start()
    finally:
        await admin.close()
        quiet.setLevel(level)


async def create_topics(settings: KafkaSettings, topics: Sequence[Topic] = TOPICS) -> list[str]:
    """Make the topics that are not there yet and return their names. Safe to repeat.

    Raises WrongUse when a topic exists with another partition count: keys would change partition and lose their order.
    """
    admin = AIOKafkaAdminClient(**client_options(settings, "topics"))
    await admin.start()
    try:
        existing = set(await admin.list_topics())
        described = await admin.describe_topics([t.name for t in topics if t.name in existing]) if existing else []
        counts = {entry["topic"]: len(entry["partitions"]) for entry in described}
        for topic in topics:
            if counts.get(topic.name, topic.partitions) != topic.partitions:
                raise WrongUse(
                    f"topic {topic.name} has {counts[topic.name]} partitions and must have {topic.partitions}: "
                    "order would break; delete it or use another cluster"
                )
        wanted = [
            NewTopic(t.name, t.partitions, settings.replication_factor, topic_configs=t.config())
            for t in topics
            if t.name not in existing
        ]
        if wanted:
            _check_created(await admin.create_topics(wanted))
        return [t.name for t in wanted]
    finally:
        await admin.close()


def _check_created(response: Any) -> None:
    for name, code, *rest in response.topic_errors:
        if code and for_code(code) is not TopicAlreadyExistsError:
            raise WrongUse(f"Kafka refused to create {name}: {for_code(code).__name__} {rest[0] if rest else ''}")


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
    """Reads fixed partitions from given offsets: no group, no committed offset, no silent jump.

    A position outside the log raises aiokafka's OffsetOutOfRangeError, which the caller must tell people about.
    """

    def __init__(self, settings: KafkaSettings, client_id: str) -> None:
        self._consumer = AIOKafkaConsumer(
            **client_options(settings, client_id),
            auto_offset_reset="none",
            enable_auto_commit=False,
            max_partition_fetch_bytes=MAX_REQUEST_BYTES,
            fetch_max_wait_ms=500,
        )

    async def start(self, positions: Mapping[TopicPartition, int]) -> None:
        """Connect and stand at `positions` (next offset to read, by partition)."""
        await self._consumer.start()
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
