"""Each server keeps its data and port through a kill -9, can be frozen, and takes only the ports it should."""

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from redis.asyncio import Redis

from devstack.kafka_server import Kafka, kafka_cluster
from devstack.ports import Port, free_port
from devstack.postgres_server import Postgres
from devstack.server import Recipe, Server
from devstack.stack import Options, ServerAddresses, Stack, start_together, stop_together
from devstack.valkey_server import Valkey
from shared.errors import Unreachable, WrongUse

pytestmark = pytest.mark.servers
Start = Callable[[Recipe], Server]
Wait = Callable[[list[int]], list[int]]


@pytest.fixture
def start() -> Iterator[Start]:
    servers: list[Server] = []

    def start_(recipe: Recipe) -> Server:
        servers.append(Server(recipe))
        servers[-1].start()
        return servers[-1]

    yield start_
    for server in servers:
        server.stop()


@pytest.mark.long
async def test_kafka_keeps_records_through_a_kill(start: Start, data_directory: Path) -> None:
    server = start(Kafka(data_directory / "kafka"))
    address = server.address
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    await admin.create_topics([NewTopic("kept", 1, 1)])
    await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=address, acks="all")
    await producer.start()
    for number in range(100):
        await producer.send_and_wait("kept", b"%d" % number)
    await producer.stop()
    server.kill()
    assert server.wait() == -signal.SIGKILL
    await asyncio.to_thread(server.start)
    assert server.address == address
    consumer = AIOKafkaConsumer(bootstrap_servers=address, auto_offset_reset="earliest")
    await consumer.start()
    assert (await consumer.end_offsets([TopicPartition("kept", 0)])).popitem()[1] == 100
    await consumer.stop()
    server.ask_to_stop()
    assert server.wait() == 143


@pytest.mark.long
async def test_postgres_keeps_rows_through_a_kill(start: Start, data_directory: Path) -> None:
    server = start(Postgres(data_directory / "postgres"))
    dsn = server.address
    connection = await asyncpg.connect(dsn)
    await connection.execute("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
    server.kill()
    assert server.wait() == -signal.SIGKILL
    await connection.close(timeout=1) if not connection.is_closed() else None
    await asyncio.to_thread(server.start)
    assert server.address == dsn
    connection = await asyncpg.connect(dsn)
    assert await connection.fetchval("SELECT count(*) FROM kept") == 1000
    await connection.close()
    server.ask_to_stop()
    assert server.wait() == 0


async def test_postgres_wants_the_password(start: Start, data_directory: Path) -> None:
    server = start(Postgres(data_directory / "postgres"))
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(server.address, password="guessed")


async def test_valkey_keeps_what_is_older_than_its_sync_through_a_kill(start: Start, data_directory: Path) -> None:
    server = start(Valkey(data_directory / "valkey", password="secret"))
    async with Redis.from_url(server.address) as client:
        await client.set("kept", 1)
        await client.execute_command("WAITAOF", 1, 0, 5000)
    server.kill()
    assert server.wait() == -signal.SIGKILL
    await asyncio.to_thread(server.start)
    async with Redis.from_url(server.address) as client:
        assert await client.get("kept") == b"1"
    server.ask_to_stop()
    assert server.wait() == 0


@pytest.mark.parametrize("make", [Postgres, Valkey])
def test_a_frozen_server_can_be_stopped(start: Start, data_directory: Path, make: Callable[[Path], Recipe]) -> None:
    server = start(make(data_directory / "server"))
    server.kill(signal.SIGSTOP)
    server.stop()
    assert server.wait() == 0


@pytest.mark.long
@pytest.mark.parametrize("make", [Kafka, Postgres, Valkey])
def test_a_free_port_that_somebody_was_quicker_to_take_is_left_to_them(
    start: Start, data_directory: Path, make: Callable[[Path], Recipe]
) -> None:
    with socket.create_server(("127.0.0.1", free_port())) as quicker:
        recipe = make(data_directory / "server")
        recipe.ports[0].picked = quicker.getsockname()[1]
        server = start(recipe)
        assert recipe.ports[0].number != quicker.getsockname()[1]
        assert server.running


@pytest.mark.long
@pytest.mark.parametrize("make", [Kafka, Postgres, Valkey])
def test_a_server_whose_clients_know_its_port_does_not_move(
    start: Start, data_directory: Path, make: Callable[[Path], Recipe]
) -> None:
    server = start(make(data_directory / "server"))
    port = server.recipe.ports[0].number
    server.stop()
    with socket.create_server(("127.0.0.1", port)), pytest.raises(WrongUse, match=f"port {port} for .* in use"):
        server.start()
    server.start()
    assert server.recipe.ports[0].number == port


def test_a_port_asked_for_and_taken_is_told_before_anything_starts() -> None:
    with socket.create_server(("127.0.0.1", free_port())) as other:
        port = other.getsockname()[1]
        stack = Stack(given=ServerAddresses(), options=Options(redis_port=port))
        with pytest.raises(WrongUse, match=f"port {port} for Valkey is already in use"):
            stack.start()
    assert not any(server.running for server in stack.servers)


def test_a_server_that_cannot_come_up_says_why_and_takes_the_others_along(data_directory: Path) -> None:
    stack = Stack(data_directory / "stack", given=ServerAddresses(kafka="elsewhere:9092"))
    assert stack.postgres
    recipe = stack.postgres.recipe
    assert isinstance(recipe, Postgres)
    recipe.settings = {"shared_buffers": "nonsense"}
    with pytest.raises(Unreachable, match=r'PostgreSQL ended with status 1: .*"shared_buffers"'):
        stack.start()
    assert not any(server.running for server in stack.servers)


def test_servers_of_which_the_address_is_given_are_not_started() -> None:
    with Stack(given=ServerAddresses(kafka="elsewhere:9092", postgres="postgresql://elsewhere/x")) as stack:
        assert [server.name for server in stack.servers] == ["Valkey"]
        assert stack.environment() == {
            "TAPEWATCH_KAFKA__BOOTSTRAP_SERVERS": "elsewhere:9092",
            "TAPEWATCH_POSTGRES__DSN": "postgresql://elsewhere/x",
            "TAPEWATCH_REDIS__URL": stack.redis_url,
        }


async def test_a_start_that_is_cancelled_leaves_nothing_behind(wait_until_gone: Wait) -> None:
    stack = Stack(given=ServerAddresses())

    async def use() -> None:
        async with stack:
            raise AssertionError("it was to be cancelled before it was up")

    starting = asyncio.create_task(use())
    while not (stack.redis and stack.redis.running):  # noqa: ASYNC110  there is no event for a process
        await asyncio.sleep(0.01)
    pid = stack.redis.pid
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert not any(server.running for server in stack.servers)
    assert wait_until_gone([pid]) == []


@pytest.mark.long
def test_three_brokers_form_one_cluster(data_directory: Path) -> None:
    brokers = kafka_cluster(data_directory)
    try:
        start_together(brokers)
        addresses = ",".join(broker.address for broker in brokers)
        assert asyncio.run(_brokers_and_copies(addresses)) == (3, 3)
        brokers[0].kill()
        assert brokers[0].wait() == -signal.SIGKILL
        brokers[0].start()
        assert asyncio.run(_brokers_and_copies(addresses)) == (3, 3)
    finally:
        stop_together(brokers)


async def _brokers_and_copies(addresses: str) -> tuple[int, int]:
    admin = AIOKafkaAdminClient(bootstrap_servers=addresses)
    await admin.start()
    try:
        if "copied" not in await admin.list_topics():
            await admin.create_topics([NewTopic("copied", 1, 3)])
        cluster = await admin.describe_cluster()
        while not (await admin.describe_topics(["copied"]))[0]["partitions"]:  # noqa: ASYNC110  the one that is asked may not know it yet
            await asyncio.sleep(0.05)
        topic = (await admin.describe_topics(["copied"]))[0]
        return len(cluster["brokers"]), len(topic["partitions"][0]["replicas"])
    finally:
        await admin.close()


def test_ports_that_are_asked_for_are_used(start: Start, data_directory: Path) -> None:
    wanted = free_port()
    server = start(Valkey(data_directory / "valkey", Port(wanted)))
    assert server.address == f"redis://127.0.0.1:{wanted}/0"
