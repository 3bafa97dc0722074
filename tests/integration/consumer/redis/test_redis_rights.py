"""What each user of Redis may do: its work, and nothing that empties, configures or searches the server."""

import asyncio
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError

from devstack.server import Server
from devstack.valkey_server import ACL_FILE, Valkey
from services.consumer.sinks.redis_rights import RIGHTS, rules
from shared.errors import WrongUse

DANGEROUS = [
    "FLUSHALL",
    "FLUSHDB",
    "KEYS *",
    "CONFIG GET maxmemory",
    "INFO clients",
    "CONFIG SET maxmemory 1",
    "SHUTDOWN NOSAVE",
    "ACL LIST",
    "SAVE",
    "MONITOR",
    "CLIENT KILL TYPE normal",
    "SWAPDB 0 1",
    "RENAME trades:a:b trades:a:c",
]


def of(settings):
    return Redis.from_url(settings.url.get_secret_value(), decode_responses=True)


@pytest.mark.parametrize("role", list(RIGHTS))
async def test_nobody_empties_configures_or_searches(each_redis, redis_user, role):
    async with of(await redis_user(each_redis, role)) as client:
        for command in DANGEROUS:
            with pytest.raises(NoPermissionError):
                await client.execute_command(*command.split())


@pytest.mark.parametrize("role", list(RIGHTS))
async def test_other_keys_and_channels_are_out_of_reach(each_redis, redis_user, role):
    async with of(each_redis) as owner, of(await redis_user(each_redis, role)) as client:
        await owner.hset("sessions:1", "secret", "x")
        with pytest.raises(NoPermissionError):
            await client.hget("sessions:1", "secret")
        with pytest.raises(NoPermissionError):
            await (client.publish("news", "x") if role == "writer" else client.execute_command("SUBSCRIBE", "news"))
        with pytest.raises(NoPermissionError):  # a script is no way around
            await client.eval("return redis.call('HGET', 'sessions:1', 'secret')", 0)


async def test_a_writer_of_an_older_release_is_told_before_it_writes(cache):
    user = urlsplit(cache.settings.redis.url.get_secret_value()).username
    await cache.client.execute_command("ACL", "SETUSER", user, "-xdel")

    with pytest.raises(WrongUse, match=r"does not let this user delete entries.*`tapewatch redis acl writer"):
        await cache.opened()
    assert await cache.everything() == {}


async def test_a_reader_reads_and_changes_nothing(each_redis, redis_user):
    async with of(each_redis) as owner, of(await redis_user(each_redis, "reader")) as client:
        await owner.xadd("trades:upbit:KRW-BTC", {"price": "1"}, id="1-1")
        await owner.hset("ticker:upbit:KRW-BTC", "price", "1")
        assert [fields for _, fields in await client.xrevrange("trades:upbit:KRW-BTC")] == [{"price": "1"}]
        assert await client.hgetall("ticker:upbit:KRW-BTC") == {"price": "1"}
        assert sorted([key async for key in client.scan_iter("t*")]) == ["ticker:upbit:KRW-BTC", "trades:upbit:KRW-BTC"]
        assert (await client.info("memory"))["used_memory"] > 0
        for command in (
            "HSET ticker:upbit:KRW-BTC price 2",
            "XADD trades:upbit:KRW-BTC * price 2",
            "DEL ticker:upbit:KRW-BTC",
            "PUBLISH updates:upbit x",
            "EVAL return 0",
        ):
            with pytest.raises(NoPermissionError):
                await client.execute_command(*command.split())
        async with client.pubsub() as heard:
            await heard.subscribe("updates:upbit")
            assert (await heard.get_message(timeout=5))["type"] == "subscribe"
            await owner.publish("updates:upbit", "news")
            assert (await heard.get_message(timeout=5))["data"] == "news"


async def test_the_printed_line_is_a_user_that_redis_lets_in(data_directory, tmp_path):
    secret = tmp_path / "password"
    secret.write_text("correct horse\n")
    command = [sys.executable, "-m", "services.cli", "redis", "acl", "writer", "--password-file", str(secret)]
    printed = (await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=True)).stdout
    assert "correct horse" not in printed
    recipe = Valkey(data_directory / "valkey")
    recipe.root.mkdir()
    (recipe.root / ACL_FILE).write_text(f"user default off\n{printed}")
    server = Server(recipe)
    server.start()
    try:
        port = urlsplit(server.address).port
        async with Redis(port=port, username="tapewatch-writer", password="correct horse") as client:
            assert await client.ping()
        async with Redis(port=port) as nobody:
            with pytest.raises(Exception, match="uthenticat"):
                await nobody.ping()
    finally:
        server.stop()


def test_an_empty_password_is_refused(tmp_path: Path):
    empty = tmp_path / "password"
    empty.write_text("\n")
    command = [sys.executable, "-m", "services.cli", "redis", "acl", "reader", "--password-file", str(empty)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1


async def test_a_user_made_anew_has_the_new_rights_only(each_redis):
    async with of(each_redis) as owner:
        await owner.execute_command("ACL", "SETUSER", "somebody", *["on", "nopass", "~*", "+@all"])
        await owner.execute_command("ACL", "SETUSER", "somebody", *rules("reader", "x").split())
        [described] = [line for line in await owner.acl_list() if line.startswith("user somebody ")]
    assert "nopass" not in described
    assert "~* " not in described
