"""Binance's public WebSocket streams. Requests are acknowledged and added up; unknown streams are acknowledged too.

What the documents leave open is decided for the harsher side: every ping, pong and request counts against the limit
in a rolling second, and one too many closes with 1008.
"""

import asyncio
import json
import time
from dataclasses import dataclass
from typing import Any

import structlog
from aiohttp import WSMsgType, web

from services.simulator.binance.encode import Variant
from services.simulator.binance.request import MAX_REQUEST_BYTES, Refused, Request, key_of, read_request
from services.simulator.connection import Connection
from services.simulator.framing import TEXT
from services.simulator.hub import Hub
from services.simulator.limits import RollingWindow

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class BinanceLimits:
    """What a client may do and how long things take."""

    connects_per_5_minutes: int = 300
    messages_per_s: int = 5
    streams: int = 1_024
    ping_every_s: float = 20.0
    pong_within_s: float = 60.0
    lifetime_s: float = 86_400.0


class BinanceSocket:
    """Accepts connections; `connections` holds those that are open."""

    def __init__(self, hub: Hub, limits: BinanceLimits) -> None:
        self._hub = hub
        self._limits = limits
        self._connects = RollingWindow(limits.connects_per_5_minutes, 300.0)
        self.connections: dict[Connection, Client] = {}

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one connection until it ends."""
        if not self._connects.take(asyncio.get_running_loop().time()):
            return web.json_response({"code": -1003, "msg": "Too many requests."}, status=429)
        response = web.WebSocketResponse(max_msg_size=1 << 20, timeout=1.0, autoping=False, autoclose=False)
        await response.prepare(request)
        is_combined = request.path.startswith("/stream")
        client = Client(Connection.of(request, response, TEXT), self._hub, self._limits, is_combined, _micros(request))
        self.connections[client.connection] = client
        try:
            client.start(_streams_in(request))
            await client.serve(response)
        finally:
            client.end()
            del self.connections[client.connection]
        return response


def _micros(request: web.Request) -> bool:
    return request.query.get("timeUnit", "").upper() == "MICROSECOND"


def _streams_in(request: web.Request) -> list[str]:
    if "streams" in request.query:
        return [stream for stream in request.query["streams"].split("/") if stream]
    tail = request.match_info.get("tail", "")
    return [stream for stream in tail.split("/") if stream]


class Client:
    """One connection: its streams, its properties and its timers."""

    def __init__(
        self, connection: Connection, hub: Hub, limits: BinanceLimits, is_combined: bool, micros: bool
    ) -> None:
        self.connection = connection
        self._hub = hub
        self._limits = limits
        self._is_combined = is_combined
        self._micros = micros
        self._loop = asyncio.get_running_loop()
        self._messages = RollingWindow(limits.messages_per_s, 1.0)
        self._streams: dict[str, Variant] = {}
        self._pong_s = self._loop.time()
        self._last_ping = b""
        self._ping_timer = self._loop.call_later(limits.ping_every_s, self._ping)
        self._end_timer = self._loop.call_later(limits.lifetime_s, lambda: connection.close(1001, "24h"))

    def start(self, streams: list[str]) -> None:
        """Subscribe to what the address asked for."""
        self._subscribe(streams)

    async def serve(self, response: web.WebSocketResponse) -> None:
        """Read until the client or a rule ends the connection."""
        async for message in response:
            if not self.connection.is_open:
                continue
            if not self._messages.take(self._loop.time()):
                self.connection.close(1008, "Too many requests")
            elif message.type is WSMsgType.PING:
                self.connection.pong(bytes(message.data))
            elif message.type is WSMsgType.PONG:
                if bytes(message.data) == self._last_ping:
                    self._pong_s = self._loop.time()
            elif message.type is WSMsgType.TEXT:
                self._on_request(message.data)
            else:
                break

    def end(self) -> None:
        """Forget the connection."""
        self._hub.leave(self.connection)
        self.connection.end()
        self._ping_timer.cancel()
        self._end_timer.cancel()

    def announce_shutdown(self) -> None:
        """Send the event that says that this server goes away."""
        event = f'{{"e":"serverShutdown","E":{time.time_ns() // 1_000_000}}}'
        wrapped = f'{{"stream":"!serverShutdown","data":{event}}}' if self._is_combined else event
        self.connection.tell(wrapped.encode())

    def _on_request(self, text: str) -> None:
        if len(text.encode()) > MAX_REQUEST_BYTES:
            return  # requests this long are ignored without a word
        try:
            request = read_request(text)
            result = self._answer(request)
        except Refused as refused:
            self.connection.tell(refused.body())
            if refused.code == 4:
                self.connection.close(1008, "Invalid request")
            return
        answer = {"result": result, "id": request.request_id}
        self.connection.tell(json.dumps(answer, separators=(",", ":"), ensure_ascii=False).encode())

    def _answer(self, request: Request) -> Any:
        match request.method:
            case "SUBSCRIBE":
                self._subscribe(request.params)
            case "UNSUBSCRIBE":
                self._unsubscribe(request.params)
            case "LIST_SUBSCRIPTIONS":
                return list(self._streams)
            case "SET_PROPERTY":
                self._set_combined(request.params[1])
            case "GET_PROPERTY":
                return self._is_combined
        return None

    def _subscribe(self, streams: list[str]) -> None:
        new = [stream for stream in dict.fromkeys(streams) if stream not in self._streams]
        if len(self._streams) + len(new) > self._limits.streams:
            self._unsubscribe(list(self._streams))
            raise Refused(4, "Too many subscriptions")
        for stream in new:
            variant = self._streams[stream] = Variant(stream, self._is_combined, self._micros)
            key = key_of(stream)
            if key is not None:
                self._hub.join(key, variant, self.connection)
        if new:
            log.info("subscribed", exchange="binance", streams=len(self._streams))

    def _unsubscribe(self, streams: list[str]) -> None:
        for stream in streams:
            variant = self._streams.pop(stream, None)
            key = key_of(stream)
            if variant is not None and key is not None:
                self._hub.leave(self.connection, key, variant)

    def _set_combined(self, is_combined: bool) -> None:
        streams = list(self._streams)
        self._unsubscribe(streams)
        self._is_combined = is_combined
        self._subscribe(streams)

    def _ping(self) -> None:
        if self._loop.time() - self._pong_s > self._limits.pong_within_s:
            self.connection.abort()
            return
        self._ping_timer = self._loop.call_later(self._limits.ping_every_s, self._ping)
        self._last_ping = str(time.time_ns() // 1_000_000).encode()
        self.connection.ping(self._last_ping)
