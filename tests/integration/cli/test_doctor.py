"""`tapewatch doctor` against the real servers, well and with faults put in."""

import asyncio
import json
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions
from aiokafka.structs import TopicPartition
from redis.asyncio import Redis

from services.cli.doctor.asking import ask_all
from services.cli.doctor.checks import judge
from services.cli.doctor.finding import Finding, exit_code
from services.consumer.app import advice_group
from services.consumer.migrate import migrate
from shared.clock import now_us
from shared.kafka import PartitionReader, log_dirs, make_producer
from shared.settings import KafkaSettings, PostgresSettings, RedisSettings, load_with_origins
from shared.topics import CANDLES, CONTROL, TOPICS, TRADES

Environment = dict[str, str]


@pytest.fixture
async def environment(
    fresh_topics: KafkaSettings, fresh_database: PostgresSettings, fresh_redis: RedisSettings, unused_tcp_port: int
) -> Environment:
    """A sound deployment without exchanges and without Slack."""
    await asyncio.to_thread(migrate, fresh_database, 10)
    today = datetime.now(UTC).date()
    await in_postgres(fresh_database, *(f"SELECT make_trade_day('{today + timedelta(days=n)}')" for n in range(4)))
    async with Redis.from_url(fresh_redis.url.get_secret_value()) as redis:
        await redis.xadd("trades:upbit:KRW-BTC", {"price": "1", "received_at_us": now_us()}, id="1-1")
    reader = PartitionReader(fresh_topics, "test", group_id=advice_group("redis"))
    await reader.start({TopicPartition(TRADES.name, 0): 0})
    await reader.advise({TopicPartition(TRADES.name, 0): 0})
    await reader.close()
    nowhere = f"http://127.0.0.1:{unused_tcp_port}"
    return {
        "TAPEWATCH_KAFKA__BOOTSTRAP_SERVERS": fresh_topics.bootstrap_servers,
        "TAPEWATCH_POSTGRES__DSN": fresh_database.dsn.get_secret_value(),
        "TAPEWATCH_REDIS__URL": fresh_redis.url.get_secret_value(),
        "TAPEWATCH_UPBIT__REST_URL": nowhere,
        "TAPEWATCH_BINANCE__REST_URL": nowhere,
    }


async def in_postgres(settings: PostgresSettings, *statements: str) -> None:
    connection = await asyncpg.connect(settings.dsn.get_secret_value())
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


async def findings(environment: Environment) -> list[Finding]:
    answers = await ask_all(load_with_origins(environment), environment)
    return [finding for source, answer in answers.items() for finding in judge(source, answer)]


def of(found: list[Finding], check: str) -> list[tuple[str, str]]:
    return [(one.verdict, one.told) for one in found if one.check == check]


async def test_what_is_sound_is_well_and_what_is_missing_is_named(environment: Environment) -> None:
    found = await findings(environment)
    assert {one.check for one in found if one.verdict == "away"} == {"upbit", "binance"}
    assert of(found, "topics")[0][1].startswith("11 as they should be")
    assert of(found, "migrations") == [("well", "step 0009, the newest")]
    assert of(found, "days") == [("well", "3 days ahead have their table, 4 are kept")]
    assert [verdict for verdict, _ in of(found, "lag")] == ["well"]
    assert of(found, "clock")[0][0] == "well"
    fresh = of(found, "freshness")
    assert fresh[0][0] == "well"
    assert fresh[1:] == [
        ("warning", "no trade of binance in Redis"),
        ("wrong", "no trade of the last day in Postgres"),
    ]
    assert of(found, "slack")[0][0] == "warning"
    kafka, postgres = (told for _, told in of(found, "disk"))
    assert re.fullmatch(r"Kafka takes 0\.\d\d GB in /\S+ of 127\.0\.0\.1; too early to say how much a day", kafka)
    assert "in PostgreSQL" in postgres
    facts: Any = (await ask_all(load_with_origins(environment), environment))["postgres"]
    assert facts.for_good_bytes > 0
    [(verdict, memory)] = of(found, "memory")
    assert verdict == "well"
    assert re.fullmatch(r"Redis uses \d+ of \d+ MB, then noeviction", memory)
    assert exit_code(found) == 1


async def test_kafka_tells_sizes_by_topic_how_old_they_are_and_the_room_that_is_left(
    environment: Environment, fresh_topics: KafkaSettings
) -> None:
    async with make_producer(fresh_topics, "test") as producer:
        await producer.send_and_wait(TRADES.name, b"x" * 100_000, partition=3)
    facts: Any = (await ask_all(load_with_origins(environment), environment))["kafka"]
    [log_dir] = facts.log_dirs
    assert sorted(log_dir.sizes) == sorted(topic.name for topic in TOPICS)
    assert len(log_dir.sizes[TRADES.name]) == TRADES.partitions
    assert max(log_dir.sizes[TRADES.name]) > 0
    assert log_dir.free_bytes == pytest.approx(shutil.disk_usage(log_dir.path).free, rel=0.2)
    assert 0 <= facts.spans_s[TRADES.name] < 60


async def test_a_broker_that_speaks_the_first_version_alone_leaves_the_room_to_be_looked_up_here(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_dirs._LogDirsRequest, "_CLASSES", (log_dirs.LogDirsRequestV1,))
    facts: Any = (await ask_all(load_with_origins(environment), environment))["kafka"]
    [log_dir] = facts.log_dirs
    assert sorted(log_dir.sizes) == sorted(topic.name for topic in TOPICS)
    assert log_dir.free_bytes == pytest.approx(shutil.disk_usage(log_dir.path).free, rel=0.2)


@pytest.fixture
async def admin(fresh_topics: KafkaSettings) -> AsyncIterator[AIOKafkaAdminClient]:
    """Takes away afterwards what nobody else may meet."""
    client = AIOKafkaAdminClient(bootstrap_servers=fresh_topics.bootstrap_servers)
    await client.start()
    yield client
    await until_gone(client, CANDLES.name)
    await client.close()


async def until_gone(admin: AIOKafkaAdminClient, name: str) -> None:
    await admin.delete_topics([name])
    while name in await admin.list_topics():  # noqa: ASYNC110 - Kafka has no call that waits
        await asyncio.sleep(0.1)


async def test_a_topic_with_another_partition_count_and_one_that_is_gone(
    environment: Environment, admin: AIOKafkaAdminClient
) -> None:
    await admin.create_partitions({CANDLES.name: NewPartitions(9)})
    await until_gone(admin, CONTROL.name)
    while (found := of(await findings(environment), "topics"))[0][0] == "well":
        pass  # the broker spreads the news
    assert ("wrong", f"{CANDLES.name} has 9 partitions and must have 8") in found
    assert ("wrong", f"{CONTROL.name} is not there") in found


async def test_a_missing_step_a_missing_day_and_an_empty_database(
    environment: Environment, fresh_database: PostgresSettings, create_database: Any
) -> None:
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    drop = [f"DROP TABLE {await table_of(fresh_database, tomorrow + timedelta(days=n))}" for n in range(3)]
    await in_postgres(fresh_database, *drop, "UPDATE alembic_version SET version_num = '0004'")
    found = await findings(environment)
    assert of(found, "migrations") == [("wrong", "the tables are of step 0004, this program of 0009")]
    assert of(found, "days") == [("wrong", "tomorrow has no table of trades")]
    found = await findings(environment | {"TAPEWATCH_POSTGRES__DSN": await create_database()})
    assert of(found, "migrations") == [("wrong", "there are no tables of ours yet")]


async def table_of(settings: PostgresSettings, day: Any) -> str:
    connection = await asyncpg.connect(settings.dsn.get_secret_value())
    name = await connection.fetchval("SELECT trade_day_table($1)", day)
    await connection.close()
    return str(name)


async def test_the_command_says_what_is_away_and_looks_at_the_rest(
    environment: Environment, unused_tcp_port: int
) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TAPEWATCH_")}
    away = {"TAPEWATCH_REDIS__URL": f"redis://user:very-secret@127.0.0.1:{unused_tcp_port}/0"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.cli", "doctor", "--json"),
        env=kept | environment | away, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    assert err == b""
    said = json.loads(out)
    assert process.returncode == said["exit_code"] == 1
    [redis] = [one for one in said["findings"] if one["check"] == "redis"]
    assert redis["verdict"] == "away"
    assert redis["next"] == "tapewatch settings"
    assert [one["verdict"] for one in said["findings"] if one["check"] == "migrations"] == ["well"]
    assert b"very-secret" not in out
