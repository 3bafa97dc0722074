"""Asks Kafka about topics: ids, partitions, and what we may do with them.

aiokafka 0.14 speaks Metadata up to version 5; topic ids came with version 10 (KIP-516). The structures here are
version 11 of that request and its answer, in the "flexible" encoding of KIP-482, as Kafka's protocol guide has them.
"""

from collections.abc import Sequence
from io import BytesIO
from typing import Any, NamedTuple
from uuid import UUID

from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.abstract import AbstractType
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Boolean, CompactArray, CompactString, Int16, Int32, Schema, TaggedFields

from shared.kafka.clients import client_options
from shared.settings import KafkaSettings


class Described(NamedTuple):
    """What a broker says of a topic. `error` is Kafka's number, 0 for none; `operations` a bit an operation."""

    error: int
    name: str
    topic_id: UUID
    is_internal: bool
    partitions: Sequence[Any]
    operations: int
    tags: Any


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


class _TopicsRequest(Request[MetadataRequestV11]):  # type: ignore[misc]
    API_KEY = 3

    def __init__(self, names: Sequence[str], *, with_operations: bool) -> None:
        self._names, self._with_operations = names, with_operations

    def build(self, request_struct_class: type[MetadataRequestV11]) -> MetadataRequestV11:
        nothing: dict[int, bytes] = {}
        topics = [(UUID(int=0), name, nothing) for name in self._names]
        return request_struct_class(topics, False, self._with_operations, nothing)


async def describe_topics(
    settings: KafkaSettings, names: Sequence[str], client_id: str, *, with_operations: bool = False
) -> dict[str, Described] | None:
    """What a broker says of each topic, by name; None from one that does not know this question. Raises KafkaError."""
    client = AIOKafkaClient(**client_options(settings, client_id))
    await client.bootstrap()
    try:
        request = _TopicsRequest(names, with_operations=with_operations)
        answer = await client.send(client.get_random_node(), request)
    except NotImplementedError:
        return None
    finally:
        await client.close()
    return {entry[1]: Described(*entry) for entry in answer.topics}
