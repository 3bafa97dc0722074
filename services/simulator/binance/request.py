"""Reads what a client of Binance's WebSocket sends, and what a stream's name means. Pure."""

import json
import re
from dataclasses import dataclass
from typing import Any

from services.simulator.publication import Key

MAX_REQUEST_BYTES = 8_000
_METHODS = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")
_ID = re.compile(r"[A-Za-z0-9_-]{1,36}")
_DEPTH = re.compile(r"depth(5|10|20)(@100ms|@1000ms)?")
_DIRECT = {"trade": "trade", "ticker": "ticker", "miniTicker": "miniTicker", "bookTicker": "bookTicker"}


class Refused(Exception):
    """Binance answers with a nested error of this code."""

    def __init__(self, code: int, message: str, request_id: object = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.request_id = request_id

    def body(self) -> bytes:
        """The answer's bytes."""
        error = {"error": {"code": self.code, "msg": self.message}, "id": self.request_id}
        return json.dumps(error, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class Request:
    """One control message."""

    method: str
    params: list[Any]
    request_id: int | str | None


def read_request(text: str) -> Request:
    """Read one text frame. Raises Refused as Binance would."""
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        raise Refused(3, "Invalid JSON: expected value at line 1 column 1") from None
    if not isinstance(body, dict):
        raise Refused(2, "Invalid request: request must be an object")
    request_id = body.get("id")
    if not _is_id(request_id):
        raise Refused(2, "Invalid request: request ID must be an integer, an alphanumeric string or null")
    method, params = body.get("method"), body.get("params", [])
    if method not in _METHODS:
        raise Refused(
            2, f"Invalid request: unknown variant `{method}`, expected one of {', '.join(_METHODS)}", request_id
        )
    if method in ("SUBSCRIBE", "UNSUBSCRIBE") and not _are_streams(params):
        raise Refused(2, "Invalid request: params must be a list of stream names", request_id)
    if method in ("SET_PROPERTY", "GET_PROPERTY"):
        _check_property(method, params, request_id)
    return Request(method, params, request_id)


def _is_id(value: object) -> bool:
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value is None or -(1 << 63) <= value < 1 << 63
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def _are_streams(params: object) -> bool:
    return isinstance(params, list) and bool(params) and all(isinstance(p, str) and "@" in p for p in params)


def _check_property(method: str, params: object, request_id: object) -> None:
    if not isinstance(params, list) or not params or params[0] != "combined":
        raise Refused(0, "Unknown property", request_id)
    if method == "SET_PROPERTY" and not (len(params) == 2 and isinstance(params[1], bool)):
        raise Refused(1, "Invalid value type: expected Boolean", request_id)


def key_of(stream: str) -> Key | None:
    """What a stream's name stands for; None for one that never sends: unknown type, or not in lower case."""
    symbol, at, kind = stream.partition("@")
    if not at or symbol != symbol.lower():
        return None
    if kind == "aggTrade":
        return ("binance_agg", "trade", symbol.upper())
    if _DEPTH.fullmatch(kind):
        return ("binance", "orderbook", symbol.upper())
    if kind == "kline_1m":
        return ("binance", "kline_1m", symbol.upper())
    channel = _DIRECT.get(kind)
    return ("binance", channel, symbol.upper()) if channel else None
