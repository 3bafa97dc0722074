"""Faults on command: a table from name to a small function that plays it. Each says how many it struck."""

import asyncio
import binascii
from base64 import b64decode
from collections.abc import Callable, Iterable
from typing import Any

from services.simulator.binance.socket import BinanceSocket
from services.simulator.connection import Connection
from services.simulator.hub import Feed, Hub
from services.simulator.rows import Source
from services.simulator.slack.api import SlackApi, SlackFault
from services.simulator.upbit.socket import UpbitSocket


class FaultError(ValueError):
    """A fault that is not known, or lacks something; the text says which."""


Order = dict[str, Any]
_DAY_MS = 86_400_000


class Faults:
    """Plays faults on the connections, feeds and calls that an order names."""

    def __init__(self, hub: Hub, source: Source, upbit: UpbitSocket, binance: BinanceSocket, slack: SlackApi) -> None:
        self._hub = hub
        self._source = source
        self._upbit = upbit
        self._binance = binance
        self._slack = slack

    def play(self, order: object) -> dict[str, Any]:
        """Play ``{"fault": name, ...}``. Raises FaultError with one line that names what is wrong."""
        if not isinstance(order, dict) or order.get("fault") not in FAULTS:
            raise FaultError(f"fault must be one of {', '.join(FAULTS)}")
        return {"fault": order["fault"], "struck": FAULTS[order["fault"]](self, order)}

    def connection_counts(self) -> dict[str, int]:
        """Open connections an exchange."""
        return {"upbit": len(self._upbit.connections), "binance": len(self._binance.connections)}

    def _connections(self, order: Order) -> list[Connection]:
        table: dict[str, Iterable[Connection]] = {
            "upbit": self._upbit.connections,
            "binance": self._binance.connections,
        }
        exchange = order.get("exchange")
        if exchange not in table:
            raise FaultError("exchange must be upbit or binance")
        return list(table[exchange])

    def _feeds(self, order: Order) -> list[Feed]:
        """The feeds of an exchange, of one symbol or all, of one channel or all."""
        self._connections(order)
        exchanges = ("binance", "binance_agg") if order["exchange"] == "binance" else ("upbit",)
        found = [
            feed
            for feed in self._hub.feeds()
            if feed.key[0] in exchanges
            and order.get("symbol") in (None, feed.key[2])
            and order.get("channel") in (None, feed.key[1])
        ]
        if not found:
            raise FaultError("no such symbol or channel")
        return found

    def silence(self, order: Order) -> int:
        """A symbol falls silent on every connection while the exchange goes on trading it."""
        feeds = self._feeds(order)
        _mark(feeds, "silent", _seconds(order, 5.0))
        return len(feeds)

    def stall(self, order: Order) -> int:
        """A symbol falls silent on the connections that hear it now; whoever subscribes anew hears it."""
        feeds = self._feeds(order)
        for feed in feeds:
            feed.deaf = frozenset(one for listeners in feed.audience.values() for one in listeners)
        return len(feeds)

    def duplicate(self, order: Order) -> int:
        """Everything of a symbol arrives twice."""
        feeds = self._feeds(order)
        _mark(feeds, "twice", _seconds(order, 5.0))
        return len(feeds)

    def rename_field(self, order: Order) -> int:
        """The exchange calls the field `name` of its frames `into` from now on, or for some seconds."""
        name, into = order.get("name"), order.get("into")
        if not isinstance(name, str) or not isinstance(into, str) or not name or not into:
            raise FaultError("name and into must be names of a field: which one, and what it is called from now on")
        feeds = self._feeds(order)
        renamed = f'"{name}":'.encode(), f'"{into}":'.encode()
        _mark(feeds, "renamed", _seconds(order, None), renamed, None)
        return len(feeds)

    def half_open(self, order: Order) -> int:
        """Connections stay open and nothing ever comes; after `seconds`, if given, it goes on."""
        connections = self._connections(order)
        _mark(connections, "is_mute", _seconds(order, None))
        return len(connections)

    def slow_drip(self, order: Order) -> int:
        """Bytes leave a few at a time and frames in pieces; after `seconds`, if given, all that waits follows."""
        connections = self._connections(order)
        bytes_per_s, seconds = _whole(order, "bytes_per_s", 500, 1, 1_000_000), _seconds(order, None)
        for connection in connections:
            connection.drip(bytes_per_s)
        if seconds is not None:
            for connection in connections:
                asyncio.get_running_loop().call_later(seconds, connection.flow)
        return len(connections)

    def clock_skew(self, order: Order) -> int:
        """An exchange's clock goes wrong by `ahead_ms`, negative for behind; after `seconds`, if given, it is right."""
        exchange, found = str(order.get("exchange")), len(self._feeds(order))
        ahead_ms, seconds = _whole(order, "ahead_ms", None, -_DAY_MS, _DAY_MS), _seconds(order, None)
        if not self._source.set_clock_ahead(exchange, ahead_ms):
            raise FaultError("a recording tells its own times")
        if seconds is not None:
            asyncio.get_running_loop().call_later(seconds, self._source.set_clock_ahead, exchange, 0)
        return found

    def crash(self, order: Order) -> int:
        """A market falls by 5 % within three and a half seconds, and has nearly recovered three seconds later."""
        if not self._source.crash(str(order.get("exchange")), str(order.get("symbol"))):
            raise FaultError("exchange and symbol must be those of a market, and no recording playing")
        return 1

    def burst(self, order: Order) -> int:
        """Everything trades `factor` times as much for `seconds`."""
        factor = _whole(order, "factor", 50, 1, 1_000)
        if not self._source.hurry(factor, _seconds(order, 10.0) or 0.0):
            raise FaultError("a recording has its own pace")
        return factor

    def reset(self, order: Order) -> int:
        """Connections break inside a frame."""
        connections = self._connections(order)
        for connection in connections:
            connection.reset_inside_a_frame(b'{"type":"trade","code":"KRW-BTC"}')
        return len(connections)

    def close(self, order: Order) -> int:
        """Connections are closed with `code`."""
        code = _whole(order, "code", 1001, 1000, 4999)
        connections = self._connections(order)
        for connection in connections:
            connection.close(code, str(order.get("reason", ""))[:100])
        return len(connections)

    def server_shutdown(self, order: Order) -> int:
        """Binance announces that it goes away, and hangs up after `seconds`."""
        loop, seconds = asyncio.get_running_loop(), _seconds(order, 10.0)
        clients = list(self._binance.connections.values())
        for client in clients:
            client.announce_shutdown()
            loop.call_later(seconds or 0.0, client.connection.close, 1001, "shutdown")
        return len(clients)

    def malformed(self, order: Order) -> int:
        """Connections receive `text` as it is, or the bytes that `base64` says, so many `times` in one frame."""
        payload = _payload(order) * _whole(order, "times", 1, 1, 100_000_000)
        connections = self._connections(order)
        for connection in connections:
            connection.tell(payload)
        return len(connections)

    def id_gap(self, order: Order) -> int:
        """A Binance market leaves out `count` trade ids."""
        count = _whole(order, "count", 5, 1, 10_000)
        if not self._source.skip_ids(str(order.get("symbol")), count):
            raise FaultError("symbol must be a market of binance, and no recording playing")
        return count

    def slack(self, order: Order) -> int:
        """The next `count` calls of Slack fail: kind is error, hang, cut or refuse."""
        kind, count = order.get("kind"), _whole(order, "count", 1, 1, 1_000_000)
        if kind not in ("error", "hang", "cut", "refuse"):
            raise FaultError("kind must be error, hang, cut or refuse")
        self._slack.plan_fault(
            SlackFault(
                kind,
                count,
                int(order.get("status", 500)),
                _seconds(order, 30.0) or 0.0,
                str(order.get("error", "internal_error")),
            )
        )
        return count


FAULTS: dict[str, Callable[[Faults, Order], int]] = {
    "silence_symbol": Faults.silence,
    "stall_symbol": Faults.stall,
    "duplicate": Faults.duplicate,
    "rename_field": Faults.rename_field,
    "half_open": Faults.half_open,
    "slow_drip": Faults.slow_drip,
    "clock_skew": Faults.clock_skew,
    "burst": Faults.burst,
    "crash": Faults.crash,
    "reset": Faults.reset,
    "close": Faults.close,
    "server_shutdown": Faults.server_shutdown,
    "malformed": Faults.malformed,
    "id_gap": Faults.id_gap,
    "slack": Faults.slack,
}


def _payload(order: Order) -> bytes:
    text, coded = order.get("text"), order.get("base64")
    try:
        if isinstance(coded, str):
            return b64decode(coded, validate=True)
    except binascii.Error:
        raise FaultError("base64 must be bytes in base64") from None
    if isinstance(text, str):
        return text.encode()
    raise FaultError("text is missing: what to send")


def _seconds(order: Order, default: float | None) -> float | None:
    seconds = order.get("seconds", default)
    if seconds is None:
        return None
    if not isinstance(seconds, int | float) or not 0 <= seconds <= 86_400:
        raise FaultError("seconds must be between 0 and 86400")
    return float(seconds)


def _whole(order: Order, name: str, default: int | None, lowest: int, highest: int) -> int:
    number = order.get(name, default)
    if not isinstance(number, int) or not lowest <= number <= highest:
        raise FaultError(f"{name} must be a whole number from {lowest} to {highest}")
    return number


def _mark(things: list[Any], attribute: str, seconds: float | None, value: Any = True, usual: Any = False) -> None:
    """Set a flag or another value, and take it back after some seconds if a time is given."""

    def unmark() -> None:
        for thing in things:
            setattr(thing, attribute, usual)

    for thing in things:
        setattr(thing, attribute, value)
    if seconds is not None:
        asyncio.get_running_loop().call_later(seconds, unmark)
