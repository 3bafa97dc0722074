"""What the shared fixtures promise to every other test."""

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from redis.asyncio import Redis

from shared.kafka import make_producer
from shared.settings import KafkaSettings, PostgresSettings, RedisSettings
from shared.topics import FEED, TOPICS


@pytest.mark.parametrize("round_", [1, 2])
async def test_a_fresh_database_is_empty_and_its_owner_may_do_everything(
    fresh_database: PostgresSettings, round_: int
) -> None:
    connection = await asyncpg.connect(fresh_database.dsn.get_secret_value())
    await connection.execute("CREATE TABLE mine (n int)")
    await connection.execute("CREATE EXTENSION pg_stat_statements")
    await connection.execute("CREATE ROLE somebody")
    await connection.execute("DROP ROLE somebody")
    assert await connection.fetchval("SELECT current_user") == "tapewatch"
    await connection.close()


@pytest.mark.parametrize("round_", [1, 2])
async def test_a_fresh_redis_is_empty(fresh_redis: RedisSettings, round_: int) -> None:
    async with Redis.from_url(fresh_redis.url.get_secret_value()) as client:
        assert await client.dbsize() == 0
        await client.set("mine", round_)
        assert (await client.config_get("maxmemory-policy"))["maxmemory-policy"] == "noeviction"
        assert (await client.config_get("appendonly"))["appendonly"] == "yes"


@pytest.mark.parametrize("round_", [1, 2])
async def test_fresh_topics_are_all_there_and_empty(fresh_topics: KafkaSettings, round_: int) -> None:
    producer = make_producer(fresh_topics, "test")
    await producer.start()
    record = await producer.send_and_wait(FEED.name, b"mine", partition=0)
    await producer.stop()
    assert record.offset == 0
    admin = AIOKafkaAdminClient(bootstrap_servers=fresh_topics.bootstrap_servers)
    await admin.start()
    names = {name for name in await admin.list_topics() if not name.startswith("__")}
    await admin.close()
    assert names == {topic.name for topic in TOPICS}


async def test_each_database_is_of_the_version_that_its_name_says(
    each_database: PostgresSettings, request: pytest.FixtureRequest
) -> None:
    connection = await asyncpg.connect(each_database.dsn.get_secret_value())
    version = await connection.fetchval("SHOW server_version")
    await connection.close()
    assert request.node.name.endswith(("[container]", f"[postgresql-{version.split('.')[0]}]"))


async def test_each_redis_is_of_the_version_that_its_name_says(
    each_redis: RedisSettings, request: pytest.FixtureRequest
) -> None:
    async with Redis.from_url(each_redis.url.get_secret_value()) as client:
        about = await client.info("server")
    kind = "valkey" if "valkey_version" in about else "redis"
    major = about[f"{kind}_version"].split(".")[0]
    assert request.node.name.endswith(("[container]", f"[{kind}-{major}]"))
