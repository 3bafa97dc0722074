"""How an exchange is asked for its one-minute candles, and how its answers are read. Pure: bytes in, candles out.

Upbit: ``/candles/minutes/1``, at most 200, newest first, ten calls a second an address; minutes without trades are
absent. Binance: ``/api/v3/klines``, oldest first, weight 2 of 6,000 a minute an address; minutes without trades are
there, with no volume. We ask for as many of both at a time and keep to half of the limits and less, for an address
may be shared: evenly, because a page is two hundred records that trades would queue behind, and slower for what lies
further back, which nobody waits for. Anything that cannot be read raises InvalidFrame.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct

from services.producer.exchanges.base import UNREADABLE, InvalidFrame, Listing, Rate, readable, to_us
from services.producer.exchanges.numbers import plain_numbers, plain_raws
from shared.events import Candle

MINUTE_US = 60_000_000
PAGE = 200
"""Candles of one answer at most."""

_WRITTEN = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}")
"""`fromisoformat` reads other spellings too."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_Count = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
T = TypeVar("T")


@dataclass(frozen=True)
class Minutes:
    """One exchange's candles: the path, under its REST address, that asks for PAGE of them before a time (microseconds,
    a whole minute), how the answer is read, and how often we ask at most: at all, and for older pages."""

    path: Callable[[str, int], str]
    read: Callable[[bytes, str, Listing, int], list[Candle]]
    rate: Rate
    older_rate: Rate


class _UpbitRow(Struct, gc=False):
    candle_date_time_utc: str
    opening_price: Raw
    high_price: Raw
    low_price: Raw
    trade_price: Raw
    candle_acc_trade_volume: Raw
    candle_acc_trade_price: Raw


class _BinanceRow(Struct, array_like=True, gc=False):
    opened_ms: _Count
    open: str
    high: str
    low: str
    close: str
    volume: str
    closes_ms: _Count
    turnover: str
    trades: _Count


def _upbit_path(symbol: str, before_us: int) -> str:
    before = _EPOCH + timedelta(microseconds=before_us)
    return f"/candles/minutes/1?market={symbol}&to={before:%Y-%m-%dT%H:%M:%S}Z&count={PAGE}"


def _binance_path(symbol: str, before_us: int) -> str:
    return f"/api/v3/klines?symbol={symbol}&interval=1m&endTime={before_us // 1000 - 1}&limit={PAGE}"


def _read_upbit(body: bytes, exchange: str, listing: Listing, received_at_us: int) -> list[Candle]:
    return [
        _candle(exchange, listing, received_at_us, _utc_us(row.candle_date_time_utc), numbers)
        for row in _rows(_UpbitRow, body)
        if (numbers := _upbit_numbers(row))
    ]


def _upbit_numbers(row: _UpbitRow) -> list[str]:
    try:
        return plain_raws(
            [row.opening_price, row.high_price, row.low_price, row.trade_price, row.candle_acc_trade_volume,
             row.candle_acc_trade_price]
        )  # fmt: skip
    except UnicodeError as error:
        raise InvalidFrame(readable(error)) from None


def _read_binance(body: bytes, exchange: str, listing: Listing, received_at_us: int) -> list[Candle]:
    found = []
    for row in _rows(_BinanceRow, body):
        numbers = plain_numbers([row.open, row.high, row.low, row.close, row.volume, row.turnover])
        found.append(_candle(exchange, listing, received_at_us, to_us(row.opened_ms), numbers, row.trades))
    return found


def _candle(  # noqa: PLR0913, PLR0917  # one argument a source
    exchange: str, listing: Listing, received_at_us: int, opened_at_us: int, numbers: list[str],
    trades: int | None = None,
) -> Candle:  # fmt: skip
    if opened_at_us % MINUTE_US:
        raise InvalidFrame(f"a candle opens at {opened_at_us}, which is no whole minute")
    opened, high, low, close, volume, turnover = numbers
    return Candle(
        exchange=exchange, symbol=listing.symbol, base=listing.base, quote=listing.quote, opened_at_us=opened_at_us,
        open=opened, high=high, low=low, close=close, volume=volume, turnover=turnover, received_at_us=received_at_us,
        trades=trades,
    )  # fmt: skip


def _rows(kind: type[T], body: bytes) -> list[T]:
    try:
        rows: list[T] = msgspec.json.decode(body, type=list[kind])  # type: ignore[valid-type]  # told at run time
    except UNREADABLE as error:
        raise InvalidFrame(readable(error)) from None
    return rows


def _utc_us(text: str) -> int:
    try:
        at = datetime.fromisoformat(text if _WRITTEN.fullmatch(text) else "").replace(tzinfo=UTC)
    except ValueError:
        raise InvalidFrame(f"{readable(text, 40)} is no time") from None
    return max(0, (at - _EPOCH) // timedelta(microseconds=1))


MINUTES: Mapping[str, Minutes] = {
    "upbit": Minutes(_upbit_path, _read_upbit, Rate(1, 0.2), Rate(1, 0.5)),
    "binance": Minutes(_binance_path, _read_binance, Rate(1, 0.1), Rate(1, 0.25)),
}
