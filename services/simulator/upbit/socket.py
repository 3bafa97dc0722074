"""Upbit's public WebSocket. Nothing is acknowledged; a new subscription replaces the old one; idle clients are dropped.

What the documents leave open is decided for the harsher side: a client's RFC ping does not reset the idle timer, a
burst of messages over the limit is closed with 1008, a burst of connections gets HTTP 429.
"""

import asyncio
import json
import random
from dataclasses import dataclass
from typing import Any

import structlog
from aiohttp import WSMsgType, web

from services.simulator.connection import Connection
from services.simulator.framing import BINARY
from services.simulator.hub import Hub
from services.simulator.limits import RollingWindow
from services.simulator.publication import Key
from services.simulator.upbit.encode import Variant
from services.simulator.upbit.request import ListSubscriptions, Refused, Subscribe, Wanted, read_request

EXCHANGE = "upbit"
_SHORT_KEYS = {"method": "mthd", "result": "rslt", "ticket": "tckt", "type": "ty", "codes": "cds", "level": "lv"}
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class UpbitLimits:
    """What a client may do and how long things take."""

    connects_per_s: int = 5
    messages_per_s: int = 5
    messages_per_minute: int = 100
    idle_s: float = 60.0
    up_every_s: float = 10.0
    snapshot_after_s: tuple[float, float] = (0.17, 0.35)
    close_after_error_s: float = 0.15
    origin_every_s: float = 10.0


class UpbitSocket:
    """Accepts connections; `connections` holds those that are open."""

    def __init__(self, hub: Hub, limits: UpbitLimits, seed: int) -> None:
        self._hub = hub
        self._limits = limits
        self._rng = random.Random(f"{seed}:upbit-socket")
        self._connects = RollingWindow(limits.connects_per_s, 1.0)
        self._with_origin = RollingWindow(1, limits.origin_every_s)
        self.connections: dict[Connection, Client] = {}

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one connection until it ends."""
        now_s = asyncio.get_running_loop().time()
        if "Origin" in request.headers and not self._with_origin.take(now_s):
            return _too_many("origin")
        if not self._connects.take(now_s):
            return _too_many("websocket")
        response = web.WebSocketResponse(max_msg_size=1 << 20, timeout=1.0, autoping=False, autoclose=False)
        response.headers["limit-by-ip"] = "Yes"
        response.headers["remaining-req"] = f"group=websocket; min=300; sec={self._connects.left(now_s)}"
        await response.prepare(request)
        client = Client(Connection.of(request, response, BINARY), self._hub, self._limits, self._rng)
        self.connections[client.connection] = client
        try:
            await client.serve(response)
        finally:
            client.end()
            del self.connections[client.connection]
        return response


def _too_many(group: str) -> web.Response:
    return web.json_response(
        {"error": {"name": "too_many_requests", "message": f"Too many requests ({group})"}}, status=429
    )


class Client:
    """One connection: what it is subscribed to, and its timers."""

    def __init__(self, connection: Connection, hub: Hub, limits: UpbitLimits, rng: random.Random) -> None:
        self.connection = connection
        self._hub = hub
        self._limits = limits
        self._rng = rng
        self._loop = asyncio.get_running_loop()
        self._a_second = RollingWindow(limits.messages_per_s, 1.0)
        self._a_minute = RollingWindow(limits.messages_per_minute, 60.0)
        self._subscription: Subscribe | None = None
        self._heard: dict[tuple[Key, Variant], None] = {}
        self._received_s = self._loop.time()
        self._timers: list[asyncio.TimerHandle] = []
        self._idle_timer = self._loop.call_later(limits.idle_s, self._look_for_idleness)
        self._up_timer: asyncio.TimerHandle | None = None

    async def serve(self, response: web.WebSocketResponse) -> None:
        """Read until the client or a rule ends the connection."""
        async for message in response:
            if message.type is WSMsgType.PING:
                self.connection.pong(bytes(message.data))
                continue
            if message.type is WSMsgType.PONG:
                continue
            if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                break
            self._received_s = self._loop.time()
            data = message.data if isinstance(message.data, str) else message.data.decode("utf-8", "replace")
            if self.connection.is_open:
                self._on_message(data)

    def end(self) -> None:
        """Forget the connection."""
        self._hub.leave(self.connection)
        self.connection.end()
        for timer in (self._idle_timer, self._up_timer, *self._timers):
            if timer is not None:
                timer.cancel()

    def _on_message(self, text: str) -> None:
        now_s = self._received_s
        if text == "PING":
            self._answer_up_from_now_on()
            return
        if not (self._a_second.take(now_s) and self._a_minute.take(now_s)):
            self.connection.close(1008, "Too many requests")
            return
        try:
            request = read_request(text)
        except Refused as refused:
            self.connection.tell(refused.body().encode())
            self._later(self._limits.close_after_error_s, lambda: self.connection.close(1000))
            return
        if isinstance(request, ListSubscriptions):
            self._list(request)
        else:
            self._subscribe(request)

    def _subscribe(self, request: Subscribe) -> None:
        """Replace what is heard: what stays goes on without a break, what is new begins with its snapshot."""
        self._subscription = request
        wanted = {_key(want): want for want in request.wanted if self._hub.feed(_key(want)) is not None}
        staying = {(key, Variant(request.format, want.levels)): None for key, want in wanted.items() if want.realtime}
        for key, variant in [heard for heard in self._heard if heard not in staying]:
            self._hub.leave(self.connection, key, variant)
            del self._heard[key, variant]
        delay_s = self._rng.uniform(*self._limits.snapshot_after_s)
        self._later(delay_s, lambda: self._begin(request, list(wanted.items())))

    def _begin(self, request: Subscribe, wanted: list[tuple[Key, Wanted]]) -> None:
        if self._subscription is not request:
            return  # replaced in the meantime
        for key, want in wanted:
            if want.snapshot:
                self._tell_snapshot(key, Variant(request.format, want.levels, snapshot=True))
            variant = Variant(request.format, want.levels)
            if want.realtime and self._hub.join(key, variant, self.connection):
                self._heard[key, variant] = None
        log.info("subscribed", exchange=EXCHANGE, feeds=len(self._heard))

    def _tell_snapshot(self, key: Key, variant: Variant) -> None:
        feed = self._hub.feed(key)
        if feed is not None and feed.last is not None and not feed.silent:
            self.connection.tell(feed.payload(feed.last, variant))

    def _list(self, request: ListSubscriptions) -> None:
        current = self._subscription
        told_format = request.format or (current.format if current else "DEFAULT")
        answer: dict[str, Any] = {
            "method": "LIST_SUBSCRIPTIONS",
            "result": list(current.echo) if current else [],
            "ticket": request.ticket,
        }
        if told_format.startswith("SIMPLE"):
            answer["result"] = [{_SHORT_KEYS[k]: v for k, v in item.items()} for item in answer["result"]]
            answer = {_SHORT_KEYS[k]: v for k, v in answer.items()}
        if current is not None and told_format != current.format:
            self._switch_format(current, told_format)
        self.connection.tell(json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode())

    def _switch_format(self, current: Subscribe, told_format: str) -> None:
        """The format belongs to the connection, so asking in another one switches all of it."""
        self._subscription = Subscribe(current.ticket, told_format, current.wanted, current.echo)
        for key, variant in list(self._heard):
            self._hub.leave(self.connection, key, variant)
            del self._heard[key, variant]
            other = Variant(told_format, variant.levels)
            self._hub.join(key, other, self.connection)
            self._heard[key, other] = None

    def _answer_up_from_now_on(self) -> None:
        if self._up_timer is None:
            self._up_timer = self._loop.call_later(self._limits.up_every_s, self._tell_up)

    def _tell_up(self) -> None:
        self.connection.tell(b'{"status":"UP"}')
        self._up_timer = self._loop.call_later(self._limits.up_every_s, self._tell_up)

    def _look_for_idleness(self) -> None:
        last_s = max(self._received_s, self.connection.last_sent_s)
        left_s = last_s + self._limits.idle_s - self._loop.time()
        if left_s <= 0:
            self.connection.abort()
        else:
            self._idle_timer = self._loop.call_later(left_s, self._look_for_idleness)

    def _later(self, seconds: float, act: Any) -> None:
        self._timers = [timer for timer in self._timers if timer.when() > self._loop.time()]
        self._timers.append(self._loop.call_later(seconds, act))


def _key(want: Wanted) -> Key:
    return (EXCHANGE, want.channel, want.code)
