"""What a recorded frame is and says: its channel, its symbol, and its line in the truth log. Pure.

A second reading of the exchanges' documents, on purpose apart from the producer's.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from services.simulator.publication import Key, Variant
from services.simulator.recordings.spelling import read_exactly
from services.simulator.rows import TradeRow

_NOT_PLAYED = None


@dataclass(frozen=True, slots=True)
class Frame:
    """One recorded frame. `fields` is the truth line's inside, books with all levels; `due_s` from the set's start."""

    key: Key
    data: bytes
    fields: str
    due_s: float
    event_ms: int
    trade: TradeRow | None = None
    price: str | None = None

    def payload(self, variant: Variant) -> bytes:
        """The bytes as they were recorded; a subscriber that is told without the wrapper gets what is inside it."""
        if getattr(variant, "combined", True):
            return self.data
        start = self.data.index(b'"data":') + len(b'"data":')
        return self.data[start : self.data.rindex(b"}")]

    def truth(self, depth: int) -> str:
        """The truth line's inside. Recorded books are sent whole, so nothing is cut."""
        return self.fields


def read_frame(exchange: str, text: str, due_s: float) -> Frame | None:
    """Read a recorded frame; None when it is of no channel that tapewatch reads."""
    body = read_exactly(text)
    if not isinstance(body, dict):
        return _NOT_PLAYED
    if exchange == "upbit":
        reader = _UPBIT.get(str(body.get("type", body.get("ty"))))
        return reader(text.encode(), _long_keys(body), due_s) if reader else _NOT_PLAYED
    kind = str(body.get("stream", "")).partition("@")[2]
    binance_reader = _BINANCE.get(kind)
    return binance_reader(text.encode(), body["data"], due_s) if binance_reader else _NOT_PLAYED


_LONG = {
    "ty": "type", "cd": "code", "tp": "trade_price", "tv": "trade_volume", "ab": "ask_bid", "ttms": "trade_timestamp",
    "tms": "timestamp", "sid": "sequential_id", "op": "opening_price", "hp": "high_price", "lp": "low_price",
    "atv24h": "acc_trade_volume_24h", "atp24h": "acc_trade_price_24h", "obu": "orderbook_units",
    "pcp": "prev_closing_price",
}  # fmt: skip
_LONG_LEVEL = {"ap": "ask_price", "bp": "bid_price", "as": "ask_size", "bs": "bid_size"}


def _long_keys(body: dict[str, Any]) -> dict[str, Any]:
    return {_LONG.get(key, key): value for key, value in body.items()}


def _upbit_trade(data: bytes, body: dict[str, Any], due_s: float) -> Frame:
    trade = TradeRow(
        trade_id=int(body["sequential_id"]),
        price=body["trade_price"],
        quantity=body["trade_volume"],
        is_buy=body["ask_bid"] == "BID",
        traded_ms=int(body["trade_timestamp"]),
        previous_close=body["prev_closing_price"],
    )
    return _trade_frame(("upbit", "trade", body["code"]), data, trade, due_s)


def _trade_frame(key: Key, data: bytes, trade: TradeRow, due_s: float) -> Frame:
    fields = (
        f'"trade_id":"{trade.trade_id}","price":"{trade.price}","quantity":"{trade.quantity}",'
        f'"side":"{"buy" if trade.is_buy else "sell"}","traded_at_us":{trade.traded_ms}000'
    )
    return Frame(key, data, fields, due_s, trade.traded_ms, trade, trade.price)


def _upbit_ticker(data: bytes, body: dict[str, Any], due_s: float) -> Frame:
    fields = (
        f'"price":"{body["trade_price"]}","open":"{body["opening_price"]}","high":"{body["high_price"]}",'
        f'"low":"{body["low_price"]}","volume_24h":"{body["acc_trade_volume_24h"]}",'
        f'"turnover_24h":"{body["acc_trade_price_24h"]}","event_at_us":{body["timestamp"]}000'
    )
    key = ("upbit", "ticker", body["code"])
    return Frame(key, data, fields, due_s, int(body["timestamp"]), price=body["trade_price"])


def _upbit_book(data: bytes, body: dict[str, Any], due_s: float) -> Frame:
    levels = [{_LONG_LEVEL.get(k, k): v for k, v in level.items()} for level in body["orderbook_units"]]
    asks = _side([(level["ask_price"], level["ask_size"]) for level in levels])
    bids = _side([(level["bid_price"], level["bid_size"]) for level in levels])
    fields = f'"bids":[{bids}],"asks":[{asks}],"sequence":null,"event_at_us":{body["timestamp"]}000'
    return Frame(("upbit", "orderbook", body["code"]), data, fields, due_s, int(body["timestamp"]))


def _side(levels: list[tuple[str, str]]) -> str:
    """One side without the slots that fill up a thin one."""
    return ",".join(f'["{price}","{size}"]' for price, size in levels if price.strip("0.") or size.strip("0."))


def _binance_trade(data: bytes, body: dict[str, Any], due_s: float) -> Frame:
    return _trade_frame(("binance", "trade", body["s"]), data, _binance_row(body, "t"), due_s)


def _binance_agg_trade(data: bytes, body: dict[str, Any], due_s: float) -> Frame:
    return _trade_frame(("binance_agg", "trade", body["s"]), data, _binance_row(body, "a"), due_s)


def _binance_row(body: dict[str, Any], id_key: str) -> TradeRow:
    traded = int(body["T"])
    return TradeRow(
        trade_id=int(body[id_key]),
        price=body["p"],
        quantity=body["q"],
        is_buy=body["m"] is False,
        traded_ms=traded // 1000 if traded >= 10**14 else traded,
    )


Reader = Callable[[bytes, dict[str, Any], float], Frame]
_UPBIT: dict[str, Reader] = {"trade": _upbit_trade, "ticker": _upbit_ticker, "orderbook": _upbit_book}
_BINANCE: dict[str, Reader] = {"trade": _binance_trade, "aggTrade": _binance_agg_trade}
