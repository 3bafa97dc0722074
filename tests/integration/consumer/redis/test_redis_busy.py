"""A Redis that somebody's slow script holds while a consumer starts: it is waited for, and refuses nobody."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import structlog
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from services.consumer.sinks.redis_connection import Connection
from shared.errors import Unreachable
from shared.settings import RedisSettings

TURNS = 10_000_000_000
"""Ends by itself, too, should nobody end it."""
SLOW = f"for turn = 1, {TURNS} do end"


@pytest.fixture
async def owner(each_redis: RedisSettings) -> AsyncIterator["Redis"]:
    """A Redis that says soon that it is busy, with a slow script; the script is over after the test."""
    url = each_redis.url.get_secret_value()
    async with Redis.from_url(url) as owner, Redis.from_url(url) as another:
        usual = await owner.config_get("lua-time-limit")
        await owner.config_set("lua-time-limit", "10")
        running = asyncio.create_task(another.eval(SLOW, 0))
        busy = False
        while not busy:
            try:
                await owner.ping()
            except ResponseError:
                busy = True
        yield owner
        await end_script(owner)
        with pytest.raises(ResponseError):
            await running
        await owner.config_set("lua-time-limit", usual["lua-time-limit"])


async def end_script(owner: "Redis") -> None:
    try:
        await owner.execute_command("SCRIPT", "KILL")
    except ResponseError as error:
        assert "NOTBUSY" in str(error)  # noqa: PT017


async def test_a_redis_that_runs_a_slow_script_is_waited_for(each_redis: RedisSettings, owner: "Redis") -> None:
    connection = Connection(each_redis)
    with structlog.testing.capture_logs() as logs:
        waiting = asyncio.create_task(connection.wait_until_reachable(60))
        while not logs and not waiting.done():  # noqa: ASYNC110  a log tells nobody
            await asyncio.sleep(0.01)
        await end_script(owner)
        await waiting
    assert logs[0]["event"] == "waiting for Redis"
    assert logs[0]["reason"].startswith("BUSY ")
    await connection.close()


async def test_one_that_stays_busy_is_told_as_away_and_with_what_it_says(
    each_redis: RedisSettings, owner: "Redis"
) -> None:
    connection = Connection(each_redis)
    with pytest.raises(Unreachable, match="did not answer within 0 s: BUSY "):
        await connection.wait_until_reachable(0)
    await connection.close()
