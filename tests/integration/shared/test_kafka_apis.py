"""Which requests of Kafka's protocol our clients send, in which versions; and that Redpanda takes each of them."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import IncompatibleBrokerVersion
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from devstack.kafka_logins import LoginListener
from devstack.places import DataDirectory
from services.consumer.app import advice_group
from services.consumer.retention_probe import RetentionProbe
from shared.kafka import PartitionReader, check_rights, create_topics, make_producer, wait_until_reachable
from shared.kafka.log_dirs import describe_log_dirs
from shared.kafka.metadata import describe_topics
from shared.rights import RIGHTS
from shared.settings import KafkaSettings
from shared.topics import TOPICS, TRADES
from tests.kafka_logins import KafkaWithLogins, give_rights

pytestmark = [pytest.mark.servers, pytest.mark.asyncio(loop_scope="module")]
PASSWORD = "a password"
PLACE = TopicPartition(TRADES.name, 0)
GROUP = advice_group("redis")

# From and to which version the handlers of Redpanda's own source take each request (src/v/kafka/server/handlers/*.h,
# of 2024 and 2025); its documentation names only what it has not. Releases since then take later versions as well.
REDPANDA: dict[int, tuple[int, int]] = {
    0: (0, 7),  # Produce
    1: (4, 11),  # Fetch
    2: (0, 4),  # ListOffsets
    3: (0, 8),  # Metadata
    8: (1, 8),  # OffsetCommit
    9: (1, 7),  # OffsetFetch
    10: (0, 3),  # FindCoordinator
    15: (0, 5),  # DescribeGroups
    17: (0, 1),  # SaslHandshake
    18: (0, 3),  # ApiVersions
    19: (0, 6),  # CreateTopics
    22: (0, 3),  # InitProducerId
    29: (0, 2),  # DescribeAcls
    30: (0, 2),  # CreateAcls
    32: (0, 4),  # DescribeConfigs
    35: (0, 1),  # DescribeLogDirs
    36: (0, 2),  # SaslAuthenticate
}
# (API key, version) as we send it to Apache Kafka 4.3, and the version that the same request has for that Redpanda.
# None: it does not take it, and we go on without (an older Redpanda has no topic ids, and makes users by `rpk` alone).
SENT: dict[tuple[int, int], int | None] = {
    (0, 7): 7,
    (1, 11): 11,
    (2, 3): 3,
    (3, 5): 5,
    (3, 11): None,
    (8, 3): 3,
    (9, 3): 3,
    (10, 1): 1,
    (15, 3): 3,
    (17, 1): 1,
    (18, 0): 0,
    (19, 3): 3,
    (22, 0): 0,
    (29, 1): 1,
    (30, 1): 1,
    (32, 2): 2,
    (35, 4): 1,
    (36, 1): 1,
    (51, 0): None,
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def kafka() -> AsyncIterator[tuple[KafkaWithLogins, KafkaSettings]]:
    """A broker that asks who is there, and its administrator's settings."""
    directory = DataDirectory()
    logins = KafkaWithLogins(directory.path / "kafka", LoginListener())
    server = logins.server()
    await asyncio.to_thread(server.start)
    yield logins, KafkaSettings(bootstrap_servers=server.address)
    await asyncio.to_thread(server.stop)
    directory.close()


async def test_every_request_that_we_send_is_on_the_list_and_redpanda_takes_it(
    kafka: tuple[KafkaWithLogins, KafkaSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: dict[tuple[int, int], int | None] = {}
    send = AIOKafkaConnection.send

    def record(connection: Any, request: Any, *arguments: Any, **named: Any) -> Any:
        asked = request.prepare(connection._versions)
        is_first = not connection._versions  # it asks what the broker speaks, before it knows
        sent[asked.API_KEY, asked.API_VERSION] = asked.API_VERSION if is_first else version_for_redpanda(request)
        return send(connection, request, *arguments, **named)

    monkeypatch.setattr(AIOKafkaConnection, "send", record)
    await everything_that_services_and_commands_do(*kafka)
    assert dict(sorted(sent.items())) == SENT


def version_for_redpanda(request: Any) -> int | None:
    """As aiokafka chooses it by what a broker says that it takes."""
    try:
        return int(request.prepare(REDPANDA).API_VERSION)
    except (IncompatibleBrokerVersion, NotImplementedError):
        return None


async def everything_that_services_and_commands_do(logins: KafkaWithLogins, administrator: KafkaSettings) -> None:
    await wait_until_reachable(administrator, 60)
    for role in RIGHTS:
        await give_rights(administrator, role, role, PASSWORD)
    await create_topics(logins.as_user("setup", PASSWORD))
    producer, consumer, operator = (
        logins.as_user(role, PASSWORD) for role in ("producer", "consumer-redis", "operator")
    )
    await wait_until_reachable(consumer, 10)
    await check_rights(consumer, "consumer-redis", [GROUP])
    async with make_producer(producer, "test") as sending:
        await sending.send_and_wait(TRADES.name, b"{}", partition=0)
    await read(consumer)
    await check_rights(consumer, "consumer-redis", [GROUP])  # now that a group has a coordinator
    async with RetentionProbe(consumer, "test", GROUP) as probe:
        await probe.leave({PLACE: OffsetAndMetadata(0, "")})
    async with RetentionProbe(operator, "test", GROUP) as probe:
        await probe.lags({PLACE: 0}, 0)
        await probe.left()
    assert await describe_topics(operator, [TRADES.name], "test")
    assert await describe_log_dirs(operator, {topic.name: topic.partitions for topic in TOPICS}, "test")


async def read(consumer: KafkaSettings) -> None:
    reader = PartitionReader(consumer, "test", group_id=GROUP)
    await reader.start({PLACE: 0})
    assert await reader.batch(5_000, 1)
    await reader.log_starts([PLACE])
    await reader.offsets_since([PLACE], 0)
    await reader.advise({PLACE: 1})
    assert await reader.advised([PLACE]) == {PLACE: 1}
    await reader.close()
