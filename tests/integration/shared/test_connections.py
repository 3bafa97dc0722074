"""Whoever opens a connection inside a service: its socket gives up on another side that vanished without a word."""

import os
import socket
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import aiohttp.web
import asyncpg
import psycopg
import pytest
import websockets
from psycopg.conninfo import make_conninfo
from pydantic import SecretStr

from devstack.stack import Stack
from services.consumer.sinks.redis_connection import Connection
from shared import connections
from shared.kafka import PartitionReader, discard, make_producer
from shared.settings import KafkaSettings, RedisSettings

Open = Callable[[AsyncExitStack, Stack], Awaitable[int]]


async def kafka_producer(at_end: AsyncExitStack, stack: Stack) -> int:
    producer = make_producer(KafkaSettings(bootstrap_servers=stack.kafka_bootstrap_servers), "test")
    await producer.start()
    at_end.push_async_callback(discard, producer)
    return int(stack.kafka_bootstrap_servers.rpartition(":")[2])


async def kafka_reader(at_end: AsyncExitStack, stack: Stack) -> int:
    reader = PartitionReader(KafkaSettings(bootstrap_servers=stack.kafka_bootstrap_servers), "test", group_id="test")
    await reader.connect()
    at_end.push_async_callback(reader.close)
    return int(stack.kafka_bootstrap_servers.rpartition(":")[2])


async def postgres(at_end: AsyncExitStack, stack: Stack) -> int:
    connection = await asyncpg.connect(stack.postgres_dsn)
    at_end.push_async_callback(connection.close)
    return urlsplit(stack.postgres_dsn).port or 0


async def redis(at_end: AsyncExitStack, stack: Stack) -> int:
    one = Connection(RedisSettings(url=SecretStr(stack.redis_url)))
    at_end.push_async_callback(one.close)
    await one.wait_until_reachable(0)
    return urlsplit(stack.redis_url).port or 0


async def websocket(at_end: AsyncExitStack, _stack: Stack) -> int:
    async def listen(one: websockets.ServerConnection) -> None:
        await one.wait_closed()

    server = await at_end.enter_async_context(websockets.serve(listen, "127.0.0.1", 0))
    port = int(next(iter(server.sockets)).getsockname()[1])
    await at_end.enter_async_context(websockets.connect(f"ws://127.0.0.1:{port}", proxy=None))
    return port


async def http(at_end: AsyncExitStack, _stack: Stack) -> int:
    runner = aiohttp.web.AppRunner(aiohttp.web.Application())
    await runner.setup()
    at_end.push_async_callback(runner.cleanup)
    await aiohttp.web.TCPSite(runner, "127.0.0.1", 0).start()
    port = int(runner.addresses[0][1])
    session = await at_end.enter_async_context(aiohttp.ClientSession())
    await at_end.enter_async_context(session.get(f"http://127.0.0.1:{port}/"))
    return port


@pytest.mark.parametrize("client", [kafka_producer, kafka_reader, postgres, redis, websocket, http])
def test_every_client_gives_up_after_ten_seconds_of_silence(stack: Stack, client: Open) -> None:
    async def opened() -> list[dict[str, int]]:
        async with AsyncExitStack() as at_end:
            return options_towards(await client(at_end, stack))

    found = connections.run(opened())

    assert found
    assert [one for one in found if one != GIVEN_UP] == []


def test_so_does_a_client_that_opens_its_connections_by_itself(stack: Stack) -> None:
    with psycopg.connect(make_conninfo(stack.postgres_dsn, **connections.LIBPQ)):
        assert options_towards(urlsplit(stack.postgres_dsn).port or 0) == [GIVEN_UP]


GIVEN_UP = {"user timeout, ms": 10_000, "keep alive": 1, "asked after s": 4, "again after s": 2, "times": 3}


def options_towards(port: int) -> list[dict[str, int]]:
    """Those of each socket of this process that is connected to a port of this machine."""
    sockets = [int(one.name) for one in Path("/proc/self/fd").iterdir() if is_socket(one)]
    return [found for number in sockets if (found := options_of(number, port))]


def is_socket(descriptor: Path) -> bool:
    with suppress(FileNotFoundError):  # that of the listing itself
        return str(descriptor.readlink()).startswith("socket:")
    return False


def options_of(number: int, port: int) -> dict[str, int] | None:
    with socket.socket(fileno=os.dup(number)) as one, suppress(OSError):  # one that listens has no other side
        if one.getpeername()[1:2] == (port,):
            return {
                "user timeout, ms": one.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT),
                "keep alive": one.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
                "asked after s": one.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
                "again after s": one.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL),
                "times": one.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT),
            }
    return None
