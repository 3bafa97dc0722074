"""Reads what a client of Upbit's WebSocket sends: a subscription that replaces the one before, or a question. Pure."""

import json
import re
from dataclasses import dataclass, field
from typing import Any

from services.simulator.upbit.encode import BOOK_LEVELS, FORMATS

CHANNELS = ("ticker", "trade", "orderbook")
_CANDLE = re.compile(r"candle\.(1s|(1|3|5|10|15|30|60|240)m)")
_SERVED_LEVELS = (1, 5, 15, 30)


class Refused(Exception):
    """Upbit answers with an error object of this `name` and then closes."""

    def __init__(self, name: str, message: str, *, name_first: bool = True) -> None:
        super().__init__(message)
        self.name = name
        self.message = message
        self.name_first = name_first

    def body(self) -> str:
        """The error object; the order of its keys varies on the real wire too."""
        pairs = [("name", self.name), ("message", self.message)]
        return json.dumps({"error": dict(pairs if self.name_first else pairs[::-1])}, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Wanted:
    """One type and code that a client asked for."""

    channel: str
    code: str
    levels: int = BOOK_LEVELS
    snapshot: bool = True
    realtime: bool = True


@dataclass(frozen=True, slots=True)
class Subscribe:
    """The whole subscription of a connection from now on; `echo` is what LIST_SUBSCRIPTIONS will tell."""

    ticket: str
    format: str
    wanted: list[Wanted] = field(default_factory=list)
    echo: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ListSubscriptions:
    """The question what the server holds to be subscribed."""

    ticket: str
    format: str | None


def read_request(text: str) -> Subscribe | ListSubscriptions:
    """Read one text frame. Raises Refused as Upbit would."""
    parts = _parts(text)
    ticket = next((part["ticket"] for part in parts if "ticket" in part), None)
    if not isinstance(ticket, str) or not ticket:
        raise Refused("NO_TICKET", "티켓이 존재하지 않거나, 유효하지 않습니다.")
    told_format = next((part["format"] for part in parts if "format" in part), None)
    if told_format is not None and told_format not in FORMATS:
        raise Refused("INVALID_PARAM", f"{told_format} 은 지원하지 않는 포맷입니다.", name_first=False)
    if any(part.get("method") == "LIST_SUBSCRIPTIONS" for part in parts):
        return ListSubscriptions(ticket, told_format)
    objects = [part for part in parts if not ("ticket" in part or "format" in part)]
    if not any("type" in part for part in objects):
        raise Refused("NO_TYPE", "타입이 존재하지 않습니다.")
    request = Subscribe(ticket, told_format or "DEFAULT")
    for part in objects:
        _read_type(part, request)
    return request


def _parts(text: str) -> list[dict[str, Any]]:
    try:
        parts = json.loads(text)
    except (ValueError, RecursionError):
        parts = None
    if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
        raise Refused("WRONG_FORMAT", "Format 이 맞지 않습니다.", name_first=False)
    return parts


def _read_type(part: dict[str, Any], request: Subscribe) -> None:
    channel = part.get("type")
    if not isinstance(channel, str):
        raise Refused("NO_TYPE", "타입이 존재하지 않습니다.")
    if channel not in CHANNELS and not _CANDLE.fullmatch(channel):
        raise Refused("INVALID_PARAM", f"{channel} 은 지원하지 않는 타입입니다.", name_first=False)
    codes = part.get("codes")
    if not isinstance(codes, list) or not codes or not all(isinstance(code, str) for code in codes):
        raise Refused("NO_CODES", "코드가 존재하지 않습니다.")
    only_snapshot = _flag(part, "is_only_snapshot", "isOnlySnapshot")
    only_realtime = _flag(part, "is_only_realtime", "isOnlyRealtime")
    level = part.get("level", 0)
    request.echo.append({"type": channel, "codes": codes, **({"level": level} if "level" in part else {})})
    if level != 0:
        return  # a grouping that is not supported for the market gives no data and no error
    for code in codes:
        symbol, levels = _without_suffix(code) if channel == "orderbook" else (code, BOOK_LEVELS)
        request.wanted.append(Wanted(channel, symbol, levels, snapshot=not only_realtime, realtime=not only_snapshot))


def _flag(part: dict[str, Any], *spellings: str) -> bool:
    return any(part.get(spelling) is True for spelling in spellings)


def _without_suffix(code: str) -> tuple[str, int]:
    """Split ``KRW-BTC.5``; any other number than those that are served is served as 30."""
    symbol, point, number = code.partition(".")
    if not point:
        return code, BOOK_LEVELS
    levels = int(number) if number.isdecimal() and number.isascii() and len(number) < 4 else BOOK_LEVELS
    return symbol, levels if levels in _SERVED_LEVELS else BOOK_LEVELS
