"""Real servers for every test that wants them: started once for the run, emptied for each test.

Ask for `fresh_database`, `fresh_redis`, `fresh_topics`; for `each_database` and `each_redis` to run once against every
version that this machine has. A test that kills servers starts its own (see `devstack.server`).

With ``TAPEWATCH_TEST_SERVERS=containers`` they are those that docker-compose.yaml names, in containers, and each is one
version.
"""

import asyncio
import itertools
import logging
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import hypothesis
import pytest
import pytest_asyncio
import structlog
from hypothesis import HealthCheck
from pydantic import SecretStr

from devstack.installed import Installed, postgres_servers, redis_servers
from devstack.places import DataDirectory
from devstack.postgres_server import Postgres
from devstack.server import Recipe, Server
from devstack.stack import ServerAddresses, Stack
from devstack.valkey_server import Valkey
from shared import redaction
from shared.settings import KafkaSettings, PostgresSettings, RedisSettings
from shared.topics import TOPIC_BY_NAME

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer

    from services.consumer.sinks.redis_rights import Role
    from tests.containers import Containers

# No property depends on how fast this machine is.
hypothesis.settings.register_profile("any speed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis.settings.load_profile("any speed")

_TOPIC_NAMES = frozenset(TOPIC_BY_NAME)
_SERVER_FIXTURES = frozenset({"stack", "postgres_version", "redis_version"})
_numbers = itertools.count(1)
_IMAGES_WITHIN_S = 600  # the first test waits until images are there
_IN_CONTAINERS = {"": False, "containers": True}[os.environ.get("TAPEWATCH_TEST_SERVERS", "")]


# A shell's background job ignores SIGINT, and so would every process that a test starts there and ends by Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _SERVER_FIXTURES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("servers")
            if _IN_CONTAINERS and item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(_IMAGES_WITHIN_S))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    for fixture, installed in (("postgres_version", postgres_servers), ("redis_version", redis_servers)):
        if fixture in metafunc.fixturenames:
            found = [None] if _IN_CONTAINERS else installed()
            ids = [one.name if one else "container" for one in found]
            metafunc.parametrize(fixture, found, ids=ids, indirect=True, scope="session")


@pytest.fixture(scope="session", autouse=True)
def services_do_not_see_our_own_variable() -> None:
    """To them it is a setting that there is none of."""
    os.environ.pop("TAPEWATCH_TEST_SERVERS", None)


@pytest.fixture(autouse=True)
def no_secrets_of_other_tests() -> None:
    """What an earlier test gave as a password is a word like any other in the next."""
    redaction._known.clear()
    redaction._given.cache_clear()


@pytest.fixture(autouse=True)
def no_logging_of_other_tests() -> Iterator[None]:
    """A command that a test runs in this process sets up logging for all of it, and would for the next test, too."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(scope="session")
def containers() -> Iterator["Containers | None"]:
    """The servers in containers, where they are asked for."""
    if not _IN_CONTAINERS:
        yield None
        return
    from tests.containers import Containers

    with Containers() as running:
        yield running


@pytest.fixture(scope="session")
def stack(containers: "Containers | None") -> Iterator[Stack]:
    """Kafka, PostgreSQL and Valkey of this run. Never those of the settings: tests empty what they are given."""
    with Stack(given=containers.addresses if containers else ServerAddresses()) as running:
        yield running


@pytest.fixture
def kafka_frozen(stack: Stack, containers: "Containers | None") -> Callable[[], AbstractContextManager[None]]:
    """``with kafka_frozen():`` Kafka does nothing meanwhile, and its connections stay open."""
    if containers:
        return containers.kafka_frozen
    assert stack.kafka is not None
    return partial(_stopped, stack.kafka)


@pytest.fixture
def kafka_listed(kafka: KafkaSettings) -> Callable[[], Awaitable[None]]:
    """Wait until Kafka names its broker again: one that stood still was taken for dead, and a client learns of none."""
    from aiokafka.client import AIOKafkaClient

    async def until_listed() -> None:
        brokers = 0
        while not brokers:
            client = AIOKafkaClient(bootstrap_servers=kafka.bootstrap_servers)
            try:
                await client.bootstrap()
                brokers = len(client.cluster.brokers())
            finally:
                await client.close()
            await asyncio.sleep(0.1)

    return until_listed


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def kafka(stack: Stack) -> KafkaSettings:
    """Settings that lead to the Kafka of this run, topics as other tests left them."""
    from shared.kafka import wait_until_reachable

    settings = KafkaSettings(bootstrap_servers=stack.kafka_bootstrap_servers)
    await wait_until_reachable(settings, 60)
    return settings


@pytest.fixture
async def fresh_topics(stack: Stack, containers: "Containers | None", kafka: KafkaSettings) -> KafkaSettings:
    """Settings that lead to Kafka with all of our topics, empty, and no others; consumer groups are gone as well."""
    from aiokafka import AIOKafkaConsumer
    from aiokafka.admin import AIOKafkaAdminClient
    from aiokafka.protocol.admin import DeleteGroupsRequest

    from shared.kafka import create_topics
    from shared.kafka.ending import leave

    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    # A client that learns of eleven topics waits that often, so it is not to wait long.
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap_servers, retry_backoff_ms=5)
    await admin.start()
    await consumer.start()
    try:
        groups = [name for name, _ in await admin.list_consumer_groups()]
        if groups:
            await admin._send_request(DeleteGroupsRequest(groups))  # one broker: it coordinates every group
        there = {name for name in await admin.list_topics() if not name.startswith("__")}
        used = there - _TOPIC_NAMES | await _with_records(consumer, there & _TOPIC_NAMES)
        if used:
            await admin.delete_topics(list(used))
            there_still = containers.kafka_logs if containers else partial(_logs_below, stack.root / "kafka" / "data")
            await asyncio.to_thread(_wait_until_gone, there_still, used)
        await create_topics(kafka)
        assert not await _with_records(consumer, _TOPIC_NAMES)  # and waits until each partition has a leader
    finally:
        await leave(consumer)
        await admin.close()
    return kafka


async def _with_records(consumer: "AIOKafkaConsumer", names: AbstractSet[str]) -> set[str]:
    from aiokafka import TopicPartition

    partitions = [TopicPartition(name, n) for name in names for n in range(TOPIC_BY_NAME[name].partitions)]
    ends = await consumer.end_offsets(partitions)
    return {partition.topic for partition, end in ends.items() if end}


def _wait_until_gone(logs: Callable[[], AbstractSet[str]], names: AbstractSet[str]) -> None:
    """Wait for the logs themselves: the broker forgets a topic's name first and takes records for it a while longer."""
    while names & {log.rpartition("-")[0] for log in logs()}:
        time.sleep(0.01)


def _logs_below(kafka_data: Path) -> set[str]:
    return {path.name for path in kafka_data.glob("*-[0-9]")}


@contextmanager
def _stopped(server: Server) -> Iterator[None]:
    server.kill(signal.SIGSTOP)
    try:
        yield
    finally:
        server.kill(signal.SIGCONT)


CreateDatabase = Callable[..., Awaitable[str]]


@pytest.fixture
async def create_database(stack: Stack) -> AsyncIterator[CreateDatabase]:
    """``await create_database(template="…")``: DSN of a new database, dropped when the test ends."""
    async with _databases(stack.postgres_dsn) as create:
        yield create


@pytest.fixture
async def fresh_database(create_database: CreateDatabase) -> PostgresSettings:
    """Settings that lead to an empty database of this test alone, as its owner."""
    return PostgresSettings(dsn=SecretStr(await create_database()))


@pytest.fixture
async def fresh_redis(stack: Stack) -> RedisSettings:
    """Settings that lead to an empty Redis."""
    return await _emptied(stack.redis_url)


@pytest.fixture
def redis_user() -> Callable[[RedisSettings, "Role"], Awaitable[RedisSettings]]:
    """``await redis_user(settings, "writer")``: the same Redis as a user of one role, who is made anew."""
    from redis.asyncio import Redis

    from services.consumer.sinks.redis_rights import rules

    async def make(settings: RedisSettings, role: "Role") -> RedisSettings:
        url, user = settings.url.get_secret_value(), f"a_{role}"
        async with Redis.from_url(url) as client:
            await client.execute_command("ACL", "SETUSER", user, *rules(role, "a_password").split())
        parts = urlsplit(url)
        netloc = f"{user}:a_password@{parts.hostname}:{parts.port}"
        return RedisSettings(url=SecretStr(urlunsplit(parts._replace(netloc=netloc))))

    return make


@pytest.fixture(scope="session")
def postgres_version(request: pytest.FixtureRequest) -> Iterator[str]:
    """DSN of the owner on a PostgreSQL of each version that is installed."""
    installed: Installed | None = request.param
    if installed is None:
        yield request.getfixturevalue("stack").postgres_dsn
        return
    with _running(lambda root: Postgres(root / "postgres", programs=installed.path)) as server:
        yield server.address


@pytest.fixture(scope="session")
def redis_version(request: pytest.FixtureRequest) -> Iterator[str]:
    """URL of a Valkey or Redis of each version that is installed."""
    installed: Installed | None = request.param
    if installed is None:
        yield request.getfixturevalue("stack").redis_url
        return
    with _running(lambda root: Valkey(root / "valkey", program=installed.path)) as server:
        yield server.address


@pytest.fixture
async def each_database(postgres_version: str) -> AsyncIterator[PostgresSettings]:
    """Like `fresh_database`, once on every PostgreSQL that is installed."""
    async with _databases(postgres_version) as create:
        yield PostgresSettings(dsn=SecretStr(await create()))


@pytest.fixture
async def each_redis(redis_version: str) -> RedisSettings:
    """Like `fresh_redis`, once on every Valkey and Redis that is installed."""
    return await _emptied(redis_version)


@pytest.fixture
def data_directory() -> Iterator[Path]:
    """A directory for the data of servers that a test starts itself; PostgreSQL's account may enter it."""
    directory = DataDirectory()
    yield directory.path
    directory.close()


@contextmanager
def _running(recipe: Callable[[Path], Recipe]) -> Iterator[Server]:
    directory = DataDirectory()
    server = Server(recipe(directory.path))
    try:
        server.start()
        yield server
    finally:
        server.stop()
        directory.close()


@asynccontextmanager
async def _databases(owner_dsn: str) -> AsyncIterator[CreateDatabase]:
    import asyncpg

    names: list[str] = []
    connection = await asyncpg.connect(owner_dsn)

    async def create(template: str = "template1") -> str:
        names.append(f"test_{next(_numbers)}")
        await connection.execute(f'CREATE DATABASE {names[-1]} TEMPLATE "{template}"')
        return urlunsplit(urlsplit(owner_dsn)._replace(path=f"/{names[-1]}"))

    try:
        yield create
        for name in names:
            await connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    finally:
        await connection.close()


async def _emptied(url: str) -> RedisSettings:
    from redis.asyncio import Redis

    async with Redis.from_url(url) as client:
        await client.flushall()
    return RedisSettings(url=SecretStr(url))
