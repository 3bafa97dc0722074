"""The proxy is a network that can be made slow, narrow, deaf or short-lived, and is a plain wire otherwise."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from random import Random

import pytest

from tests.faults.tcp_proxy import TcpProxy, Weather

MESSAGE = bytes(range(256)) * 4_000


@pytest.fixture
async def proxy() -> AsyncIterator[TcpProxy]:
    """Before a server that sends everything back."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while chunk := await reader.read(100_000):
                writer.write(chunk)
                await writer.drain()
            writer.close()
        except ConnectionError:
            writer.transport.abort()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server, TcpProxy(server.sockets[0].getsockname()[1]) as proxy:
        yield proxy


async def exchange(proxy: TcpProxy, message: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        writer.write(message)
        writer.write_eof()
        return await reader.read(-1)
    finally:
        writer.close()


async def test_everything_passes_unchanged_and_the_end_does_too(proxy: TcpProxy) -> None:
    assert await exchange(proxy, MESSAGE) == MESSAGE


async def test_slices_and_jitter_change_no_byte(proxy: TcpProxy) -> None:
    proxy.weather = Weather(jitter_s=0.001, slice_bytes=10_000)
    assert await exchange(proxy, MESSAGE) == MESSAGE


async def test_weather_that_changes_half_way_changes_no_byte(proxy: TcpProxy) -> None:
    proxy.weather = Weather(latency_s=0.001, slice_bytes=1_000)
    sent = asyncio.create_task(exchange(proxy, MESSAGE[:200_000]))
    await asyncio.sleep(0.02)
    proxy.weather = Weather()
    assert await sent == MESSAGE[:200_000]


async def test_a_narrow_line_is_slow(proxy: TcpProxy) -> None:
    proxy.weather = Weather(bytes_per_s=1e6)
    began_s = asyncio.get_running_loop().time()
    await exchange(proxy, b"x" * 100_000)
    assert asyncio.get_running_loop().time() - began_s >= 0.1


async def test_on_a_stalled_line_what_is_sent_waits(proxy: TcpProxy) -> None:
    proxy.weather = Weather(is_stalled=True)
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(b"hello")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.read(1), 0.2)
    proxy.weather = Weather()
    assert await reader.readexactly(5) == b"hello"
    writer.close()


async def test_a_reset_reaches_the_client_as_a_reset(proxy: TcpProxy) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(b"hello")
    assert await reader.readexactly(5) == b"hello"
    assert proxy.reset() == 1
    with pytest.raises(ConnectionResetError):
        await reader.read(1)
    writer.close()


async def test_by_luck_a_chunk_ends_its_connection(proxy: TcpProxy) -> None:
    proxy.weather = Weather(reset_share=1.0)
    with pytest.raises(ConnectionResetError):
        await exchange(proxy, b"hello")


async def test_the_same_luck_breaks_a_connection_at_the_same_byte(proxy: TcpProxy) -> None:
    async def arrived() -> int:
        proxy.luck = Random("7/kafka").random
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        for count in range(1_000):
            writer.write(b"hello")
            try:
                await reader.readexactly(5)
            except (ConnectionError, asyncio.IncompleteReadError):
                return count
        raise AssertionError("it never broke")

    proxy.weather = Weather(reset_share=0.02)
    assert len({await arrived() for _ in range(3)}) == 1


async def test_it_refuses_and_listens_again_on_the_same_port(proxy: TcpProxy) -> None:
    port = proxy.port
    await proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    await proxy.listen()
    assert proxy.port == port
    assert await exchange(proxy, b"hello") == b"hello"


async def test_a_target_that_is_away_looks_like_a_lost_connection() -> None:
    probe = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = probe.sockets[0].getsockname()[1]
    probe.close()
    await probe.wait_closed()
    async with TcpProxy(port) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        with suppress(ConnectionResetError):
            assert await reader.read(1) == b""
        writer.close()
