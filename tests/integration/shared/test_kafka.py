import asyncio
import random
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.cluster import ClusterMetadata
from aiokafka.errors import OffsetOutOfRangeError
from aiokafka.structs import TopicPartition

from shared.errors import Unreachable, WrongUse
from shared.kafka import PartitionReader, create_topics, discard, make_producer, wait_until_reachable
from shared.settings import KafkaSettings
from shared.topics import FEED, TOPICS, TRADES

FIRST = TopicPartition(TRADES.name, 0)
SECOND = TopicPartition(TRADES.name, 1)


@pytest.fixture
async def admin(kafka: KafkaSettings) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await client.start()
    yield client
    await client.close()


@pytest.fixture
async def reader(fresh_topics: KafkaSettings) -> AsyncIterator[PartitionReader]:
    one = PartitionReader(fresh_topics, "test")
    yield one
    await one.close()


async def test_a_start_does_not_rest_once_a_topic(reader: PartitionReader, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", "aiokafka")
    await reader.connect()

    starts = await reader.log_starts([TopicPartition(topic.name, 0) for topic in TOPICS])

    assert len(starts) == len(TOPICS)
    assert [line for line in caplog.messages if "wait for metadata refresh" in line] == []


async def test_topics_are_created_once(fresh_topics: KafkaSettings, admin: AIOKafkaAdminClient) -> None:
    assert await create_topics(fresh_topics) == []
    await admin.delete_topics([FEED.name])
    assert await create_topics(fresh_topics) == [FEED.name]


async def test_processes_that_create_topics_at_once_do_not_disturb_each_other(
    fresh_topics: KafkaSettings, admin: AIOKafkaAdminClient
) -> None:
    await admin.delete_topics([topic.name for topic in TOPICS])
    made = await asyncio.gather(*(create_topics(fresh_topics) for _ in range(4)))
    assert set().union(*made) == {topic.name for topic in TOPICS}
    counts = {entry["topic"]: len(entry["partitions"]) for entry in await admin.describe_topics()}
    assert all(counts[topic.name] == topic.partitions for topic in TOPICS)


async def test_another_partition_count_is_refused(fresh_topics: KafkaSettings) -> None:
    with pytest.raises(WrongUse, match=r"topic tape\.feed\.v1 has 1 partitions and must have 3") as error:
        await create_topics(fresh_topics, [replace(FEED, partitions=3)])
    assert error.value.exit_code == 2


async def test_what_kafka_refuses_is_told(fresh_topics: KafkaSettings) -> None:
    three_copies = fresh_topics.model_copy(update={"replication_factor": 3})
    with pytest.raises(WrongUse, match=r"Kafka refused to create tape\.new\.v1: InvalidReplicationFactorError"):
        await create_topics(three_copies, [replace(FEED, name="tape.new.v1")])


async def test_broker_keeps_topics_as_promised(fresh_topics: KafkaSettings, admin: AIOKafkaAdminClient) -> None:
    wanted = [ConfigResource(ConfigResourceType.TOPIC, topic.name) for topic in TOPICS]
    found = {
        name: {entry[0]: entry[1] for entry in entries}
        for response in await admin.describe_configs(wanted)
        for _, _, _, name, entries in response.resources
    }
    for topic in TOPICS:
        assert topic.config().items() <= found[topic.name].items()


async def test_broker_stamps_records_with_its_own_clock(fresh_topics: KafkaSettings, reader: PartitionReader) -> None:
    producer = make_producer(fresh_topics, "test")
    await producer.start()
    try:
        years_ago_ms = 1_600_000_000_000
        await producer.send_and_wait(TRADES.name, b"{}", partition=0, timestamp_ms=years_ago_ms)
    finally:
        await producer.stop()
    await reader.start({FIRST: 0})
    record = (await reader.batch(10_000, 10))[FIRST][0]
    assert record.timestamp > years_ago_ms + 86_400_000
    assert record.timestamp_type == 1


async def test_reader_starts_where_it_is_told_and_keeps_to_its_bound(
    fresh_topics: KafkaSettings, reader: PartitionReader
) -> None:
    await publish(fresh_topics, {0: 5, 1: 3})
    await reader.start({FIRST: 3, SECOND: 0})
    assert await reader.log_starts([FIRST, SECOND]) == {FIRST: 0, SECOND: 0}
    assert await reader.log_ends([FIRST, SECOND]) == {FIRST: 5, SECOND: 3}
    offsets: dict[TopicPartition, list[int]] = {FIRST: [], SECOND: []}
    while sum(map(len, offsets.values())) < 5:
        batch = await reader.batch(10_000, 2)
        assert sum(map(len, batch.values())) <= 2
        for partition, records in batch.items():
            offsets[partition] += [record.offset for record in records]
    assert offsets == {FIRST: [3, 4], SECOND: [0, 1, 2]}
    assert await reader.batch(50, 2) == {}


async def test_a_record_longer_than_a_fetch_comes_whole_from_every_partition(fresh_topics: KafkaSettings) -> None:
    value = random.Random(7).randbytes(100_000)
    await publish(fresh_topics, {0: 2, 1: 2}, value)
    reader = PartitionReader(fresh_topics, "test", fetch_bytes=1_000)
    try:
        stamps_ms = await reader.stamps_ms({FIRST: 1, SECOND: 0}, within_s=30)
        await reader.start({FIRST: 0})
        first = await reader.batch(10_000, 10)
    finally:
        await reader.close()
    assert stamps_ms.keys() == {FIRST, SECOND}
    assert [record.value for record in first[FIRST]] == [value]


async def test_reader_waits_at_the_end_of_the_log(fresh_topics: KafkaSettings, reader: PartitionReader) -> None:
    await reader.start({FIRST: 0})
    waiting = asyncio.create_task(reader.batch(30_000, 10))
    await publish(fresh_topics, {0: 1})
    assert [record.offset for record in (await waiting)[FIRST]] == [0]


@pytest.mark.parametrize("position", [7, 1])
async def test_a_position_outside_the_log_is_an_error_and_no_jump(
    fresh_topics: KafkaSettings, admin: AIOKafkaAdminClient, reader: PartitionReader, position: int
) -> None:
    await publish(fresh_topics, {0: 5})
    await admin.delete_records({FIRST: RecordsToDelete(before_offset=3)})
    await reader.start({FIRST: position})
    with pytest.raises(OffsetOutOfRangeError):
        await reader.batch(10_000, 10)


async def test_a_server_that_never_answers_is_unreachable(unused_tcp_port: int) -> None:
    with socket.create_server(("127.0.0.1", unused_tcp_port)):
        settings = KafkaSettings(bootstrap_servers=f"127.0.0.1:{unused_tcp_port}")
        with pytest.raises(Unreachable, match=f"127.0.0.1:{unused_tcp_port}") as error:
            await wait_until_reachable(settings, 0)
    assert error.value.exit_code == 3


async def test_what_a_start_waits_for_is_told_at_each_attempt(unused_tcp_port: int) -> None:
    told: list[str] = []
    with pytest.raises(Unreachable):
        await wait_until_reachable(KafkaSettings(bootstrap_servers=f"127.0.0.1:{unused_tcp_port}"), 2, tell=told.append)
    assert len(told) > 1
    assert told[0].startswith("waiting for Kafka for 0 s: Unable connect to")


async def test_kafka_that_runs_is_reachable_at_the_second_address_too(kafka: KafkaSettings) -> None:
    servers = f"127.0.0.1:1, {kafka.bootstrap_servers}"
    await wait_until_reachable(kafka.model_copy(update={"bootstrap_servers": servers}), 0)


async def test_a_broker_that_has_just_begun_and_knows_none_is_waited_for(
    kafka: KafkaSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, update = iter((True, True, False)), ClusterMetadata.update_metadata

    def just_begun(self: ClusterMetadata, metadata: Any) -> None:
        if next(answers, False):
            metadata.brokers = []
        update(self, metadata)

    monkeypatch.setattr(ClusterMetadata, "update_metadata", just_begun)
    told: list[str] = []
    await wait_until_reachable(kafka, 30, tell=told.append)
    assert [text.partition(": ")[2] for text in told] == ["it knows no broker yet, itself included"] * 2


async def test_certificates_that_cannot_be_read_are_named(kafka: KafkaSettings) -> None:
    with pytest.raises(WrongUse, match=r"TAPEWATCH_KAFKA__SSL_CAFILE.*No such file"):
        await wait_until_reachable(
            kafka.model_copy(update={"security_protocol": "SSL", "ssl_cafile": "/nowhere/ca.pem"}), 60
        )


@pytest.mark.parametrize("is_known", [False, True], ids=["of a stranger", "for another name"])
async def test_a_certificate_that_is_not_taken_is_told_with_what_to_look_at(tmp_path: Path, is_known: bool) -> None:
    key, trusted = _certificate(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(trusted, key)
    async with await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context) as server:
        settings = KafkaSettings(
            bootstrap_servers=f"127.0.0.1:{server.sockets[0].getsockname()[1]}",
            security_protocol="SSL",
            ssl_cafile=trusted if is_known else None,
        )
        with pytest.raises(Unreachable, match=r"SSL_CAFILE .* signed Kafka's, and .*BOOTSTRAP_SERVERS the name"):
            await wait_until_reachable(settings, 0)


def _certificate(directory: Path) -> tuple[Path, Path]:
    """A key, and a certificate of `stores.example` that it signed itself."""
    key, trusted = directory / "key.pem", directory / "ca.pem"
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    names = ("-subj", "/CN=kafka", "-addext", "subjectAltName=DNS:stores.example")
    command = ["openssl", "req", "-x509", *curve, *names, "-keyout", str(key), "-out", str(trusted)]
    subprocess.run(command, check=True, capture_output=True)
    return key, trusted


async def publish(settings: KafkaSettings, counts: dict[int, int], value: bytes = b"{}") -> None:
    producer = make_producer(settings, "test")
    await producer.start()
    try:
        for partition, count in counts.items():
            for _ in range(count):
                await producer.send_and_wait(TRADES.name, value, partition=partition)
    finally:
        await producer.stop()


async def test_a_producer_ends_whose_connection_nobody_reads_any_more(
    fresh_topics: KafkaSettings, kafka_frozen: Any, kafka_listed: Any
) -> None:
    producer = make_producer(fresh_topics, "test")
    await producer.start()
    await producer.send_and_wait(TRADES.name, b"{}")
    writers = [connection._writer for connection in producer.client._conns.values()]
    with kafka_frozen():
        for writer in writers:
            writer.write(bytes(32 << 20))  # more than sockets take
        await discard(producer)
        await asyncio.sleep(0)
        assert all(writer.is_closing() for writer in writers)
    assert not [task for task in asyncio.all_tasks() if "aiokafka" in repr(task)]
    await kafka_listed()


async def test_a_reader_may_end_as_soon_as_it_has_begun(kafka: KafkaSettings) -> None:
    reader = PartitionReader(kafka, "test")
    await reader.start({FIRST: 0})
    await reader.close()
    assert not [task for task in asyncio.all_tasks() if "aiokafka" in repr(task)]


async def test_a_reader_ends_while_kafka_stands_still(
    fresh_topics: KafkaSettings, kafka_frozen: Any, kafka_listed: Any
) -> None:
    reader = PartitionReader(fresh_topics, "test", group_id="test")
    await reader.start({FIRST: 0})
    with kafka_frozen():
        advising = asyncio.create_task(reader.advise({FIRST: 0}))
        await asyncio.sleep(1)
        async with asyncio.timeout(20):  # an answer is waited for twice as long
            await reader.close()
        advising.cancel()
        await asyncio.wait({advising})
        assert not [task for task in asyncio.all_tasks() if "aiokafka" in repr(task)]
    await kafka_listed()
