"""A socket that speaks as Binance would, as fast as it is read or at a pace: `python -m benchmarks.exchange_flood`.

A process of its own, so that its cpu is not counted. Prints its port; lists its symbols over HTTP; sends COUNT trades
of SYMBOLS symbols, in bursts of one millisecond when a RATE is given, to the first connection that subscribes. What is
published when goes to the file TRUTH, where one is given: a line `first upto at_us` for each burst. With MOVE_EVERY_S
the market is calm, but for one symbol after the other that falls or rises by 8 %.
"""

import asyncio
import base64
import hashlib
import json
import struct
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TextIO

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CHUNK = 200
_PING = 0x9


def symbols(count: int) -> list[str]:
    """The symbols that are traded here."""
    return [f"COIN{number}USDT" for number in range(count)]


def _frame(text: str) -> bytes:
    payload = text.encode()
    head = (
        struct.pack("!BB", 0x81, len(payload)) if len(payload) < 126 else struct.pack("!BBH", 0x81, 126, len(payload))
    )
    return head + payload


Level = Callable[[int], int]
"""What a trade costs by its number, in whole dollars."""


def lively(number: int) -> int:
    """Each trade another price."""
    return 61000 + number % 977


def moving(symbol_count: int, rate: int, move_every_s: float) -> Level:
    """Calm, but that the symbol number N moves for good at the Nth turn, every second one upwards."""

    def level(number: int) -> int:
        turn, symbol = number / rate / move_every_s, number % symbol_count
        return 61000 if turn < symbol + 1 else 65900 if symbol % 2 else 56100

    return level


def _trade(symbol: str, number: int, level: Level) -> bytes:
    at_ms = time.time_ns() // 1_000_000
    price, quantity = f"{level(number)}.{number % 100:02}000000", f"0.{number * 7919 % 99991 + 1:05}000"
    return _frame(
        f'{{"stream":"{symbol.lower()}@trade","data":{{"e":"trade","E":{at_ms},"s":"{symbol}","t":{number},'
        f'"p":"{price}","q":"{quantity}","T":{at_ms},"m":true,"M":true}}}}'
    )


def _listed(names: list[str]) -> dict[str, object]:
    return {
        "symbols": [
            {"symbol": name, "status": "TRADING", "baseAsset": name[:-4], "quoteAsset": "USDT"} for name in names
        ]
    }


async def _answer(writer: asyncio.StreamWriter, said: object) -> None:
    body = json.dumps(said).encode()
    writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    await writer.drain()
    writer.close()


async def _read_frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """(opcode, payload) of a frame of a client, which masks it (RFC 6455, section 5.2)."""
    first, second = await reader.readexactly(2)
    size = second & 0x7F
    if size == 126:
        size = int.from_bytes(await reader.readexactly(2), "big")
    mask, payload = await reader.readexactly(4), await reader.readexactly(size)
    return first & 0x0F, bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))


async def _answer_pings(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until the client hangs up: without an answer it takes us for dead."""
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            opcode, payload = await _read_frame(reader)
            if opcode == _PING:
                writer.write(struct.pack("!BB", 0x8A, len(payload)) + payload)


async def _accept(request: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    fields = dict(line.split(b": ", 1) for line in request.split(b"\r\n")[1:] if b": " in line)
    key = {name.lower(): value for name, value in fields.items()}[b"sec-websocket-key"]
    answer = base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + answer + b"\r\n\r\n"
    )
    await _read_frame(reader)  # the subscription
    writer.write(_frame('{"result":null,"id":1}'))
    await writer.drain()


async def _serve(count: int, names: list[str], rate: int, level: Level, truth: TextIO | None) -> None:
    done = asyncio.Event()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        if b"/exchangeInfo" in request:
            return await _answer(writer, _listed(names))
        if b"sec-websocket-key" not in request.lower():  # candles: there are none
            return await _answer(writer, [])
        await _accept(request, reader, writer)
        answering = asyncio.create_task(_answer_pings(reader, writer))
        began_s, sent = time.perf_counter(), 0
        while sent < count:
            due = min(count, int((time.perf_counter() - began_s) * rate) if rate else sent + _CHUNK)
            writer.write(b"".join(_trade(names[number % len(names)], number, level) for number in range(sent, due)))
            if truth and due > sent:
                print(sent, due, time.time_ns() // 1000, file=truth)
            sent = max(sent, due)
            await writer.drain()
            if rate:
                await asyncio.sleep(0.001)
        if truth:
            truth.flush()
        await answering
        return done.set()

    async def until_gone(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):  # who reads us is stopped, or killed, at the end of a measurement
            await connected(reader, writer)

    server = await asyncio.start_server(until_gone, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await done.wait()


def run(count: int, symbol_count: int, rate: int, truth: str | None = None, move_every_s: str = "0") -> None:
    every_s = float(move_every_s)
    level = moving(symbol_count, rate, every_s) if every_s else lively
    with nullcontext() if truth is None else Path(truth).open("w", encoding="ascii") as file:
        asyncio.run(_serve(count, symbols(symbol_count), rate, level, file))


if __name__ == "__main__":
    run(*map(int, sys.argv[1:4]), *sys.argv[4:])
