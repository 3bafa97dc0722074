"""Frame to record bytes: µs of cpu a message, and beside it an equally exact json path in the same run.

`python -m benchmarks.transform`. The other path is what one would write with the standard library: json.loads with
Decimal for every number, the same checks, json.dumps.
"""

import json
import sys
import time
import timeit
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.frames import BINANCE_FRAMES, LISTINGS, UPBIT_FRAMES, adapter
from services.producer.exchanges.base import ExchangeAdapter
from shared.wire import encode

RUNS = 30
RUN_S = 0.05
BOOK = (
    '{"type":"orderbook","code":"KRW-BTC","timestamp":1788335180423,"total_ask_size":9.1,"total_bid_size":8.2,'
    '"orderbook_units":['
    + ",".join(
        f'{{"ask_price":{106691000 + n}000,"bid_price":{106690000 - n}000,"ask_size":0.{n + 1:08},"bid_size":{n}.25}}'
        for n in range(30)
    )
    + '],"level":0,"stream_type":"REALTIME"}'
).encode()


def _checked(text: str) -> str:
    number = Decimal(text)
    if not number.is_finite() or abs(number.adjusted()) > 38 or number < 0:
        raise ValueError(text)
    plain = format(number, "f")
    if len(plain) > 39 or len(plain.partition(".")[2]) > 18:
        raise ValueError(text)
    return plain


def _positive(text: str) -> str:
    plain = _checked(text)
    if not plain.strip("0."):
        raise ValueError(text)
    return plain


def _id(value: object) -> str:
    if type(value) is not int or not 0 <= value < 1 << 63:
        raise ValueError(value)
    return str(value)


def _event(exchange: str, code: str, **fields: Any) -> bytes:
    listing = LISTINGS[exchange][code]
    common = {"exchange": exchange, "symbol": listing.symbol, "base": listing.base, "quote": listing.quote}
    return json.dumps(common | fields | {"received_at_us": 1}, separators=(",", ":")).encode()


def _json_binance(frame: bytes) -> bytes:
    data = json.loads(frame)["data"]
    if data["e"] != "trade":
        raise ValueError(data["e"])
    return _event(
        "binance",
        data["s"],
        trade_id=_id(data["t"]),
        price=_positive(data["p"]),
        quantity=_positive(data["q"]),
        side="sell" if data["m"] else "buy",
        traded_at_us=int(_id(data["T"])) * 1000,
        origin="stream",
    )


def _json_upbit(frame: bytes) -> bytes:
    data = json.loads(frame, parse_float=Decimal)
    if data["type"] != "trade":
        raise ValueError(data["type"])
    return _event(
        "upbit",
        data["code"],
        trade_id=_id(data["sequential_id"]),
        price=_positive(str(data["trade_price"])),
        quantity=_positive(str(data["trade_volume"])),
        side={"ASK": "sell", "BID": "buy"}[data["ask_bid"]],
        traded_at_us=int(_id(data["trade_timestamp"])) * 1000,
        origin="stream",
    )


def _json_book(frame: bytes) -> bytes:
    data = json.loads(frame, parse_float=Decimal)
    if data["type"] != "orderbook":
        raise ValueError(data["type"])
    sides = {}
    for side in ("bid", "ask"):
        levels = [
            (_checked(str(u[f"{side}_price"])), _checked(str(u[f"{side}_size"]))) for u in data["orderbook_units"]
        ]
        sides[side + "s"] = [level for level in levels if level[0].strip("0.") and level[1].strip("0.")]
    return _event("upbit", data["code"], event_at_us=int(_id(data["timestamp"])) * 1000, **sides)


def _ours(reader: ExchangeAdapter, frame: bytes) -> Callable[[], object]:
    def transform() -> object:
        parsed = reader.parse(frame, 1)
        return [encode(event) for event in parsed] if isinstance(parsed, list) else None

    return transform


def best_us(work: Callable[[], object]) -> float:
    """The best of several runs, in µs of cpu a call: everything above it is somebody else's noise."""
    timer = timeit.Timer(work, timer=time.process_time)
    count, taken_s = timer.autorange()
    count = max(1, int(count * RUN_S / taken_s))
    return min(timer.repeat(RUNS, count)) / count * 1e6


def main() -> int:
    """Print the table; 1 when a bar is missed."""
    exponent = UPBIT_FRAMES["trade"]
    plain = exponent.replace(b"1.06691E8", b"106691000.00000000")
    rows = (
        ("Binance trade", adapter("binance"), BINANCE_FRAMES["trade"], _json_binance, 1.6, 4.0),
        ("Upbit trade", adapter("upbit"), plain, _json_upbit, 3.0, 4.0),
        ("Upbit trade, 1.06691E8", adapter("upbit"), exponent, _json_upbit, 3.0, 4.0),
        ("Upbit book of 30 levels", adapter("upbit", 30), BOOK, _json_book, 40.0, 0.0),
    )
    table = Table("frame to record bytes", "bytes", "µs", "bar µs", "json µs", "times faster", "bar", "")
    missed = False
    for name, reader, frame, other, bar_us, bar_ratio in rows:
        ours_us, json_us = best_us(_ours(reader, frame)), best_us(lambda f=frame, o=other: o(f))
        held = ours_us <= bar_us and json_us / ours_us >= bar_ratio
        missed = missed or not held
        ratio, ratio_bar = f"{json_us / ours_us:.1f}", f"{bar_ratio:.0f}" if bar_ratio else "-"
        verdict = "held" if held else "MISSED"
        table.add_row(
            name, str(len(frame)), f"{ours_us:.2f}", f"{bar_us:.1f}", f"{json_us:.2f}", ratio, ratio_bar, verdict
        )
    Console(width=100).print(table)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
