"""A TCP proxy on loopback that can be slow, narrow, deaf, or cut: a network between two parts that misbehaves."""

import asyncio
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from socket import SO_LINGER, SOL_SOCKET
from types import TracebackType
from typing import Self

from shared import connections

_CHUNK_BYTES = 64 << 10
_STALL_POLL_S = 0.01
Through = Callable[[bytes], bytes]
"""What becomes of a part of a stream on its way."""
_HANG_UP_HARD = struct.pack("ii", 1, 0)  # SO_LINGER with no time: the kernel sends a reset instead of an orderly end


@dataclass
class Weather:
    """How a network is. Times in seconds, for every chunk each way; `is_stalled`: what is sent waits.

    `reset_share` is the chance of a chunk to end its connection with a reset; `slice_bytes` cuts chunks into pieces;
    `close_after_s` is how long the end of a connection takes to be told.
    """

    latency_s: float = 0.0
    jitter_s: float = 0.0
    bytes_per_s: float | None = None
    reset_share: float = 0.0
    slice_bytes: int = _CHUNK_BYTES
    close_after_s: float = 0.0
    is_stalled: bool = False


class TcpProxy:
    """Forwards connections on `port` (0: a free one) of `host` to `target`.

    ``async with proxy: … proxy.weather = Weather(…)``. `luck` decides what is left to chance: numbers from 0 to 1.
    """

    def __init__(self, target: int, port: int = 0, host: str = "127.0.0.1") -> None:
        self.target, self.host = target, host
        self.port = port
        self.weather = Weather()
        self.luck: Callable[[], float] = Random(0).random
        self._server: asyncio.Server | None = None
        self._connections: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> str:
        """``host:port`` to connect to."""
        return f"{self.host}:{self.port}"

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._connections)

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.refuse()
        self.reset()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def listen(self) -> None:
        """Take connections, from now on or again."""
        self._server = await asyncio.start_server(self._accepted, self.host, self.port)
        for listening in self._server.sockets:
            connections.watch(listening)  # as the server behind it does: PostgreSQL, as it is told by each session
        self.port = self._server.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """Refuse new connections; those that are open stay."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def reset(self) -> int:
        """End every connection with a reset on both sides; how many that were."""
        count = len(self._connections)
        for pair in list(self._connections):
            self._reset(pair)
        return count

    def _reset(self, pair: tuple[asyncio.StreamWriter, asyncio.StreamWriter]) -> None:
        for writer in pair:
            with suppress(OSError):
                writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, _HANG_UP_HARD)
            writer.transport.abort()

    def _conversation(self) -> tuple[Through, Through]:
        """What becomes of the two streams of a new connection: there, and back."""
        return bytes, bytes

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._forward(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, out = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        pair = (writer, out)
        self._connections.add(pair)
        try:
            there_through, back_through = self._conversation()
            ways = [
                asyncio.create_task(self._one_way(*way, pair))
                for way in ((reader, out, there_through), (there, writer, back_through))
            ]
            await asyncio.gather(*ways)
        except OSError:
            pass  # one side hung up hard, and the other is told so below
        finally:
            for way in ways:
                way.cancel()
            self._connections.discard(pair)
            for one in pair:
                one.transport.abort()

    async def _one_way(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        through: Through,
        pair: tuple[asyncio.StreamWriter, asyncio.StreamWriter],
    ) -> None:
        while received := await reader.read(_CHUNK_BYTES):
            chunk, slice_bytes = through(received), self.weather.slice_bytes
            for start in range(0, len(chunk), slice_bytes):
                piece = chunk[start : start + slice_bytes]
                await self._weather(len(piece))
                if self._draw() < self.weather.reset_share:
                    self._reset(pair)
                    return
                writer.write(piece)
                await writer.drain()
        await asyncio.sleep(self.weather.close_after_s)
        if writer.can_write_eof():
            writer.write_eof()

    def _draw(self) -> float:
        """From whatever `luck` is by now: connections outlive it."""
        return self.luck()

    async def _weather(self, size_bytes: int) -> None:
        while self.weather.is_stalled:  # noqa: ASYNC110  # the weather is anybody's to change
            await asyncio.sleep(_STALL_POLL_S)
        weather = self.weather
        wait_s = weather.latency_s + weather.jitter_s * self._draw()
        if weather.bytes_per_s is not None:
            wait_s += size_bytes / weather.bytes_per_s
        if wait_s:
            await asyncio.sleep(wait_s)
