"""Faults of Redis and PostgreSQL: killed, frozen, emptied, locked, cut off."""

import asyncio
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from time import monotonic
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import asyncpg
from redis.asyncio import Redis

from devstack.server import Server
from devstack.valkey_server import Valkey
from shared.clock import now_us
from tests.faults.fault import Check, Fault, Struck
from tests.faults.limits import complaints_after, within

if TYPE_CHECKING:
    from tests.faults.world import World


_TOLD_TRIES = 120
_TOLD_WITHIN_S = 10.0
_LOADS_FOR_S = 4.0
_LOCKED_S = 30.0
_SLOW_SCRIPT_S = 12.0
"""Longer than Redis bears a script before it answers everybody that it is busy, and than we wait for an answer."""


async def down_for(server: Server, seconds: float, number: signal.Signals = signal.SIGKILL) -> None:
    """End a server with a signal, and start it again on its data after some time; returns when it serves."""
    server.kill(number)
    await asyncio.to_thread(server.wait)
    await asyncio.sleep(seconds)
    await asyncio.to_thread(server.start)


async def frozen_for(server: Server, seconds: float) -> None:
    """Stop a server where it stands, and let it go on after some time."""
    server.kill(signal.SIGSTOP)
    try:
        await asyncio.sleep(seconds)
    finally:
        server.kill(signal.SIGCONT)


async def redis_killed(world: "World", _random: Random) -> Struck:
    await down_for(world.redis, 1.5)
    return Struck()


async def redis_frozen(world: "World", _random: Random) -> Struck:
    await frozen_for(world.redis, 5)
    return Struck()


def _redis(world: "World") -> Redis:
    """As the administrator, who waits for any answer."""
    return Redis.from_url(world.settings.redis.url.get_secret_value(), socket_timeout=None)


async def redis_emptied(world: "World", _random: Random) -> Struck:
    async with _redis(world) as client:
        await client.flushall()
    return Struck(prices_live=_prices_live_s(world))


async def redis_started_empty(world: "World", _random: Random) -> Struck:
    """It comes back without its files."""
    world.redis.kill()
    await asyncio.to_thread(world.redis.wait)
    for file in (world.redis.recipe.root / "appendonlydir").iterdir():
        file.unlink()
    await asyncio.to_thread(world.redis.start)
    return Struck(prices_live=_prices_live_s(world))


def _prices_live_s(world: "World") -> "asyncio.Task[float]":
    """Seconds from now until Redis shows a ticker of each exchange that was received after now."""
    since_us, began_s = now_us(), monotonic()
    busiest = {exchange: f"ticker:{exchange}:{symbol}" for exchange, symbol in reversed(world.wanted.traded)}

    async def shown() -> float:
        async with _redis(world) as client:

            async def live() -> bool:
                told = [await client.hget(ticker, "received_at_us") for ticker in busiest.values()]
                return all(int(at_us or 0) > since_us for at_us in told)

            await within(_TOLD_WITHIN_S, live, "live prices in Redis")
        return monotonic() - began_s

    return asyncio.create_task(shown())


async def redis_lost_its_last_second(world: "World", random: Random) -> Struck:
    """Killed, and the end of its append-only file cut at any byte; then the same once more on what that left."""
    for _ in range(2):
        world.redis.kill()
        await asyncio.to_thread(world.redis.wait)
        increments = sorted((world.redis.recipe.root / "appendonlydir").glob("*.incr.aof"))
        size_bytes = increments[-1].stat().st_size
        with increments[-1].open("r+b") as file:
            file.truncate(max(0, size_bytes - random.randrange(1, 120_000)))
        await asyncio.to_thread(world.redis.start)
        await asyncio.sleep(random.uniform(1.0, 2.0))
    return Struck(2)


async def redis_loading(world: "World", _random: Random) -> Struck:
    """Killed, and slow to read its data when it is back: it answers that it is loading."""
    recipe, told = world.redis.recipe, _told(world, "is loading the dataset in memory")
    assert isinstance(recipe, Valkey)
    async with _redis(world) as client:
        await client.bgrewriteaof()
        while (await client.info("persistence"))["aof_rewrite_in_progress"]:  # noqa: ASYNC110  Redis tells nobody
            await asyncio.sleep(0.1)
        keys = await client.dbsize()
    a_key_us = int(_LOADS_FOR_S * 1_000_000 / keys)
    recipe.extra = {"key-load-delay": str(a_key_us), "loading-process-events-interval-bytes": "1024"}
    try:
        await down_for(world.redis, 0)
    finally:
        recipe.extra = {}
    return Struck(check=told)


async def redis_out_of_memory(world: "World", _random: Random) -> Struck:
    """Its limit is below what it holds for three seconds; it evicts nothing and refuses writes."""
    told = _told(world, "is at its memory limit")
    async with _redis(world) as client:
        limit = (await client.config_get("maxmemory"))["maxmemory"] or 0
        await client.config_set("maxmemory", 1_000_000)
        await asyncio.sleep(3)
        await client.config_set("maxmemory", limit)
    return Struck(check=told)


async def redis_read_only(world: "World", _random: Random) -> Struck:
    """It is made a replica of nobody for three seconds: it refuses writes and goes on answering."""
    told = _told(world, "You can't write against a read only replica")
    async with _redis(world) as client:
        await client.replicaof("127.0.0.1", 1)
        await asyncio.sleep(3)
        await client.replicaof("NO", "ONE")
    return Struck(check=told)


async def redis_slow_script(world: "World", _random: Random) -> Struck:
    """Somebody's script does not end: Redis answers nobody, then that it is busy, until the script is killed."""
    said = _said_by_sink(world)
    async with _redis(world) as owner, _redis(world) as client:
        script = asyncio.create_task(owner.eval("while true do end", 0))
        try:
            await asyncio.sleep(_SLOW_SCRIPT_S)
        finally:
            await client.script_kill()
        await asyncio.gather(script, return_exceptions=True)
    return Struck(broken=["a Redis that is busy was taken for one that refuses us"] if "refuses us" in said() else [])


def _said_by_sink(world: "World") -> Callable[[], str]:
    """What the sink of Redis says in its log from now on."""
    log = world.directory / "consumer-redis.log"
    said_before = log.stat().st_size
    return lambda: log.read_bytes()[said_before:].decode(errors="replace")


def _told(world: "World", text: str) -> Check:
    """Asks whether the sink of Redis says this from now on."""
    said = _said_by_sink(world)

    async def look() -> list[str]:
        return [] if text in said() else [f"nobody was told: {text}"]

    return lambda _world: complaints_after(_TOLD_WITHIN_S, look)


async def redis_password_changed(world: "World", _random: Random) -> Struck:
    """The sink's password becomes another, and its connections are ended, until somebody was told."""
    log = world.directory / "consumer-redis.log"
    said_before, (user, password) = log.stat().st_size, login(world.directory / "writer.url")
    told = False
    async with _redis(world) as client:
        await client.execute_command("ACL", "SETUSER", user, "resetpass", ">another")
        await client.client_kill_filter(_type="normal", skipme=True)
        for _ in range(_TOLD_TRIES):
            await asyncio.sleep(0.5)
            if told := "refuses user or password" in log.read_bytes()[said_before:].decode(errors="replace"):
                break
        await client.execute_command("ACL", "SETUSER", user, "resetpass", f">{password}")
    return Struck(broken=[] if told else ["nobody was told of the wrong password"])


def login(file: Path) -> tuple[str, str]:
    """User and password of the address in a file."""
    address = urlsplit(file.read_text(encoding="utf-8").strip())
    return address.username or "", address.password or ""


async def postgres_crashed(world: "World", _random: Random) -> Struck:
    """Immediate shutdown, as after a crash of one of its processes."""
    await down_for(world.postgres, 2, signal.SIGQUIT)
    return Struck()


async def postgres_restored(world: "World", _random: Random) -> Struck:
    """Stopped, and its data are those of some seconds ago."""
    data = world.postgres.recipe.root / "data"
    back_up = data.with_name("back-up")
    await _stopped(world.postgres)
    await asyncio.to_thread(subprocess.run, ["cp", "-a", data, back_up], check=True)
    await asyncio.to_thread(world.postgres.start)
    await asyncio.sleep(5)
    await _stopped(world.postgres)
    await asyncio.to_thread(shutil.rmtree, data)
    back_up.rename(data)
    log = world.directory / "consumer-postgres.log"
    said_before = log.stat().st_size
    await asyncio.to_thread(world.postgres.start)

    async def look() -> list[str]:
        said = log.read_bytes()[said_before:]
        return [] if b"the store went back" in said else ["nobody was told that the store went back"]

    # The consumer asks what was committed while it already writes.
    return Struck(2, check=lambda _world: complaints_after(_TOLD_WITHIN_S, look))


async def _stopped(server: Server) -> None:
    server.kill(signal.SIGINT)
    await asyncio.to_thread(server.wait)


async def postgres_killed(world: "World", _random: Random) -> Struck:
    await down_for(world.postgres, 1)
    return Struck()


async def postgres_restarted(world: "World", _random: Random) -> Struck:
    await down_for(world.postgres, 0, signal.SIGINT)
    return Struck()


async def postgres_sessions_cut(world: "World", random: Random) -> Struck:
    """Every session of the services is ended by the administrator, three times."""
    async with postgres(world) as connection:
        for _ in range(3):
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'tapewatch-%'"
            )
            await asyncio.sleep(random.uniform(0.1, 1.5))
    return Struck(3)


async def postgres_table_locked(world: "World", _random: Random) -> Struck:
    """Somebody holds the trades for longer than our lock timeout."""
    async with postgres(world) as connection, connection.transaction():
        await connection.execute("LOCK TABLE trade IN ACCESS EXCLUSIVE MODE")
        await asyncio.sleep(_LOCKED_S)
    return Struck()


async def postgres_frozen(world: "World", _random: Random) -> Struck:
    await frozen_for(world.postgres, 5)
    return Struck()


async def both_stores_killed(world: "World", _random: Random) -> Struck:
    await asyncio.gather(down_for(world.redis, 4), down_for(world.postgres, 4, signal.SIGQUIT))
    return Struck(2)


async def both_stores_away(world: "World", _random: Random) -> Struck:
    await asyncio.gather(down_for(world.redis, 60), down_for(world.postgres, 60, signal.SIGQUIT))
    return Struck(2)


@asynccontextmanager
async def postgres(world: "World") -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """A session as the owner of the tables."""
    connection = await asyncpg.connect(world.settings.postgres.dsn.get_secret_value())
    try:
        yield connection
    finally:
        await connection.close()


FAULTS = [
    Fault("F13", "redis-killed", "kill -9, back after 1.5 s", redis_killed, bound_s=2, target="test"),
    Fault("F14", "redis-frozen", "SIGSTOP for 5 s", redis_frozen, bound_s=2),
    Fault("F14", "redis-slow-script", "somebody's script runs for 12 s", redis_slow_script, bound_s=2),
    Fault("F15", "redis-emptied", "FLUSHALL", redis_emptied, bound_s=3, target="test-long"),
    Fault("F15", "redis-started-empty", "back without its files", redis_started_empty, bound_s=3),
    Fault("F16", "redis-power-loss", "the last of its file is gone, twice", redis_lost_its_last_second, bound_s=2),
    Fault("F17", "redis-out-of-memory", "refuses writes for 3 s", redis_out_of_memory, bound_s=3),
    Fault("F17", "redis-loading", "killed, loads its data for 4 s", redis_loading, bound_s=4),
    Fault("F17", "redis-password-changed", "another until it was told", redis_password_changed, bound_s=3),
    Fault("F17", "redis-read-only", "a replica for 3 s", redis_read_only, bound_s=2),
    Fault("F18", "postgres-crashed", "immediate shutdown, back after 2 s", postgres_crashed, bound_s=2, target="test"),
    Fault("F18", "postgres-killed", "kill -9 of all its processes", postgres_killed, bound_s=2),
    Fault("F18", "postgres-restored", "its data are those of 5 s ago", postgres_restored, bound_s=6),
    Fault("F18", "postgres-restarted", "fast restart", postgres_restarted, bound_s=2),
    Fault("F18", "postgres-sessions-cut", "our sessions ended, three times", postgres_sessions_cut, bound_s=2),
    Fault(
        "F19",
        "postgres-table-locked",
        f"ACCESS EXCLUSIVE on the trades for {_LOCKED_S:.0f} s",
        postgres_table_locked,
        bound_s=2,
    ),
    Fault("F14", "postgres-frozen", "SIGSTOP for 5 s", postgres_frozen, bound_s=2),
    Fault("F22", "both-stores-killed", "Redis and PostgreSQL down for 4 s", both_stores_killed, bound_s=4),
    Fault("F22", "both-stores-away", "Redis and PostgreSQL down for 60 s", both_stores_away, bound_s=12),
]
