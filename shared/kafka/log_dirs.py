"""Asks each broker how much its log directories hold of our topics, and how much room is left there.

aiokafka 0.14 has no DescribeLogDirs: versions 1 (KIP-113) and 4 (KIP-827, which tells the room) are here, as Kafka's
protocol guide has them. Redpanda speaks version 1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import IncompatibleBrokerVersion
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    Array,
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Int64,
    Schema,
    String,
    TaggedFields,
)

from shared.kafka.clients import client_options
from shared.settings import KafkaSettings

_TOLD_NOTHING = -1


class LogDirsResponseV1(Response):  # type: ignore[misc]  # aiokafka is untyped
    API_KEY = 35
    API_VERSION = 1
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "results",
            Array(
                ("error_code", Int16),
                ("log_dir", String("utf-8")),
                (
                    "topics",
                    Array(
                        ("name", String("utf-8")),
                        (
                            "partitions",
                            Array(("partition", Int32), ("size", Int64), ("offset_lag", Int64), ("is_future", Boolean)),
                        ),
                    ),
                ),
            ),
        ),
    )


class LogDirsRequestV1(RequestStruct):  # type: ignore[misc]
    API_KEY = 35
    API_VERSION = 1
    RESPONSE_TYPE = LogDirsResponseV1
    SCHEMA = Schema(("topics", Array(("topic", String("utf-8")), ("partitions", Array(Int32)))))


class LogDirsResponseV4(Response):  # type: ignore[misc]
    API_KEY = 35
    API_VERSION = 4
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("error_code", Int16),
        (
            "results",
            CompactArray(
                ("error_code", Int16),
                ("log_dir", CompactString("utf-8")),
                (
                    "topics",
                    CompactArray(
                        ("name", CompactString("utf-8")),
                        (
                            "partitions",
                            CompactArray(
                                ("partition", Int32),
                                ("size", Int64),
                                ("offset_lag", Int64),
                                ("is_future", Boolean),
                                ("tags", TaggedFields),
                            ),
                        ),
                        ("tags", TaggedFields),
                    ),
                ),
                ("total_bytes", Int64),
                ("usable_bytes", Int64),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class LogDirsRequestV4(RequestStruct):  # type: ignore[misc]
    API_KEY = 35
    API_VERSION = 4
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = LogDirsResponseV4
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(
                ("topic", CompactString("utf-8")), ("partitions", CompactArray(Int32)), ("tags", TaggedFields)
            ),
        ),
        ("tags", TaggedFields),
    )


class _LogDirsRequest(Request[LogDirsRequestV1 | LogDirsRequestV4]):  # type: ignore[misc]
    API_KEY = 35

    def __init__(self, partitions: Mapping[str, int]) -> None:
        self._rows = [(topic, list(range(count))) for topic, count in partitions.items()]

    def build(
        self, request_struct_class: type[LogDirsRequestV1 | LogDirsRequestV4]
    ) -> LogDirsRequestV1 | LogDirsRequestV4:
        if request_struct_class is LogDirsRequestV1:
            return request_struct_class(self._rows)
        nothing: dict[int, bytes] = {}
        return request_struct_class([(*row, nothing) for row in self._rows], nothing)


@dataclass(frozen=True)
class LogDir:
    """A directory of one broker: the sizes of the partitions in it by topic, and what is free, if the broker tells."""

    host: str
    path: str
    sizes: Mapping[str, Sequence[int]]
    free_bytes: int | None


async def describe_log_dirs(settings: KafkaSettings, partitions: Mapping[str, int], client_id: str) -> list[LogDir]:
    """The directories of every broker that hold one of `partitions` (how many there are, by topic).

    None are told to a login without the right to Describe the cluster, nor by a broker that does not know this
    question. Raises KafkaError.
    """
    client = AIOKafkaClient(**client_options(settings, client_id))
    await client.bootstrap()
    try:
        return [
            found
            for broker in client.cluster.brokers()
            for row in (await client.send(broker.nodeId, _LogDirsRequest(partitions))).results
            if (found := _log_dir(broker.host, *row)).sizes
        ]
    except (IncompatibleBrokerVersion, NotImplementedError):
        return []
    finally:
        await client.close()


def _log_dir(host: str, _error: int, path: str, topics: Sequence[tuple], *room: int) -> LogDir:  # type: ignore[type-arg]
    sizes = {name: [size for _, size, *_ in partitions] for name, partitions, *_ in topics if partitions}
    _, usable, *_ = room or (_TOLD_NOTHING, _TOLD_NOTHING)
    return LogDir(host, path, sizes, None if usable == _TOLD_NOTHING else usable)
