"""Kafka's own id of each topic, which tells a topic from one of the same name that was deleted and made anew.

aiokafka 0.14 speaks Metadata up to version 5; topic ids came with version 10 (KIP-516). The structures here are
version 11 of that request and its answer, in the "flexible" encoding of KIP-482, as Kafka's protocol guide has them.
"""

from collections.abc import Sequence
from io import BytesIO
from typing import Any
from uuid import UUID

import structlog
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError, for_code
from aiokafka.protocol.abstract import AbstractType
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Boolean, CompactArray, CompactString, Int16, Int32, Schema, TaggedFields
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_delay, wait_exponential_jitter

from shared.errors import Unreachable, WrongUse
from shared.kafka import client_options
from shared.settings import KafkaSettings
from shared.topics import Topic

NO_ID = "none"
"""Stands for the id where the broker knows no topic ids: a topic made anew is then not told from the old one."""

log = structlog.get_logger(__name__)


class MissingTopic(Exception):
    """A topic is not there, or not yet."""


class _Uuid(AbstractType[UUID]):  # type: ignore[misc]  # aiokafka is untyped
    @classmethod
    def encode(cls, value: UUID) -> bytes:
        return value.bytes

    @classmethod
    def decode(cls, data: BytesIO) -> UUID:
        return UUID(bytes=data.read(16))


_NODES = CompactArray(Int32)
_PARTITION = (
    ("error_code", Int16),
    ("partition", Int32),
    ("leader", Int32),
    ("leader_epoch", Int32),
    ("replicas", _NODES),
    ("isr", _NODES),
    ("offline_replicas", _NODES),
    ("tags", TaggedFields),
)
_TOPIC = (
    ("error_code", Int16),
    ("name", CompactString("utf-8")),
    ("topic_id", _Uuid),
    ("is_internal", Boolean),
    ("partitions", CompactArray(*_PARTITION)),
    ("authorized_operations", Int32),
    ("tags", TaggedFields),
)
_BROKER = (
    ("node_id", Int32),
    ("host", CompactString("utf-8")),
    ("port", Int32),
    ("rack", CompactString("utf-8")),
    ("tags", TaggedFields),
)


class MetadataResponseV11(Response):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 11
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("brokers", CompactArray(*_BROKER)),
        ("cluster_id", CompactString("utf-8")),
        ("controller_id", Int32),
        ("topics", CompactArray(*_TOPIC)),
        ("tags", TaggedFields),
    )


class MetadataRequestV11(RequestStruct):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 11
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = MetadataResponseV11
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", _Uuid), ("name", CompactString("utf-8")), ("tags", TaggedFields))),
        ("allow_auto_topic_creation", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class _TopicIdsRequest(Request[MetadataRequestV11]):  # type: ignore[misc]
    API_KEY = 3

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def build(self, request_struct_class: type[MetadataRequestV11]) -> MetadataRequestV11:
        nothing: dict[int, bytes] = {}
        topics = [(UUID(int=0), name, nothing) for name in self._names]
        return request_struct_class(topics, False, False, nothing)


async def read_topic_ids(settings: KafkaSettings, topics: Sequence[Topic]) -> dict[str, str]:
    """Kafka's id of each topic by name, as 32 hexadecimal digits; `NO_ID` from a broker without topic ids.

    Raises MissingTopic, WrongUse when a topic has another partition count than it must have, and KafkaError.
    """
    client = AIOKafkaClient(**client_options(settings, "topic-ids"))
    await client.bootstrap()
    try:
        answer = await client.send(client.get_random_node(), _TopicIdsRequest([topic.name for topic in topics]))
    except NotImplementedError:
        log.warning("this broker knows no topic ids: a topic that is deleted and made anew will not be noticed")
        return {topic.name: NO_ID for topic in topics}
    finally:
        await client.close()
    found = {entry[1]: entry for entry in answer.topics}
    return {topic.name: _id_of(topic, found[topic.name]) for topic in topics}


def _id_of(topic: Topic, entry: Sequence[Any]) -> str:
    error, _, topic_id, _, partitions, *_ = entry
    if error == UnknownTopicOrPartitionError.errno:
        raise MissingTopic(topic.name)
    if error:
        raise for_code(error)(topic.name)
    if len(partitions) != topic.partitions:
        raise WrongUse(
            f"topic {topic.name} has {len(partitions)} partitions and must have {topic.partitions}: "
            "order would break; delete it or use another cluster"
        )
    return str(topic_id.hex)


async def wait_for_topic_ids(settings: KafkaSettings, topics: Sequence[Topic], wait_s: int) -> dict[str, str]:
    """Like `read_topic_ids`, and waits for topics that are not there yet. Raises Unreachable after `wait_s` seconds."""

    def say(state: RetryCallState) -> None:
        reason = state.outcome.exception() if state.outcome else None
        log.warning("waiting for the topics", missing=str(reason), waited_s=round(state.seconds_since_start or 0))

    attempts = AsyncRetrying(
        retry=retry_if_exception_type((MissingTopic, KafkaError)),
        wait=wait_exponential_jitter(multiplier=0.1, max=3),
        stop=stop_after_delay(wait_s),
        before_sleep=say,
        reraise=True,
    )
    try:
        async for attempt in attempts:
            with attempt:
                return await read_topic_ids(settings, topics)
    except MissingTopic as error:
        raise Unreachable(f"topic {error} is not there after {wait_s} s: run `tapewatch topics create`") from None
    except KafkaError as error:
        raise Unreachable(f"Kafka did not tell its topics within {wait_s} s: {error!r}") from None
    raise AssertionError("the retry loop ends by returning or raising")
