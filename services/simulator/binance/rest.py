"""Binance's REST side, as much as a reader of public data asks for. Prices and quantities are texts of eight digits."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any

from aiohttp import web

from services.simulator.limits import RollingWindow
from services.simulator.lists import Lists
from services.simulator.rows import Listed, MinuteRow, Source, TickerRow, TradeRow

EXCHANGE = "binance"
_INTERVALS = {"1m": 60_000}
_ALL = 1 << 20
_DAY_MS = 86_400_000
_EIGHT = Decimal("0.00000001")
Handler = Callable[[web.Request], Awaitable[web.Response]]
Answer = Callable[["BinanceRest", web.Request], Any]
Weigh = Callable[[web.Request], int]


class Wrong(Exception):
    """An error that Binance answers with, HTTP 400."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class RestLimits:
    """What a caller may ask, and how long one is banned who does not listen. The exchange's own bans begin at 120 s."""

    weight_a_minute: int = 6_000
    refusals_until_banned: int = 20
    ban_s: int = 120


class BinanceRest:
    """Answers from what the source has published, within a weight a minute.

    Every question from one who is banned begins the ban anew: the documents say that it grows. `asked_too_early` counts
    those questions.
    """

    def __init__(self, source: Source, lists: Lists, limits: RestLimits) -> None:
        self._source, self._lists, self._limits = source, lists, limits
        self._weight = RollingWindow(limits.weight_a_minute, 60.0)
        self._refusals = 0
        self._banned_until_s = 0.0
        self.asked_too_early = 0

    def routes(self) -> list[web.RouteDef]:
        """The paths that are served."""
        table: tuple[tuple[str, Weigh, Answer], ...] = (
            ("ping", lambda _: 1, lambda _self, _: {}),
            ("time", lambda _: 1, BinanceRest._time),
            ("exchangeInfo", lambda _: 20, BinanceRest._exchange_info),
            ("ticker/24hr", _ticker_weight, BinanceRest._tickers),
            ("klines", lambda _: 2, BinanceRest._klines),
            ("trades", lambda _: 25, BinanceRest._trades),
            ("historicalTrades", lambda _: 25, BinanceRest._historical_trades),
            ("aggTrades", lambda _: 4, BinanceRest._agg_trades),
            ("depth", _depth_weight, BinanceRest._depth),
        )
        return [web.get(f"/api/v3/{path}", self._limited(weigh, answer)) for path, weigh, answer in table]

    def _limited(self, weigh: Weigh, answer: Answer) -> Handler:
        async def handle(request: web.Request) -> web.Response:
            now_s = asyncio.get_running_loop().time()
            if now_s < self._banned_until_s:
                self.asked_too_early += 1
                return self._ban(now_s)
            try:
                weight = weigh(request)
                if not self._weight.take(now_s, weight):
                    return self._refuse(now_s)
                body, status = answer(self, request), 200
            except Wrong as wrong:
                body, status = {"code": wrong.code, "msg": str(wrong)}, 400
            headers = {"X-MBX-USED-WEIGHT-1M": str(self._weight.used(now_s))}
            return _json(body, status, headers)

        return handle

    def _refuse(self, now_s: float) -> web.Response:
        self._refusals += 1
        if self._refusals > self._limits.refusals_until_banned:
            return self._ban(now_s)
        return _refused(429, int(self._weight.free_in_s(now_s)) + 1)

    def _ban(self, now_s: float) -> web.Response:
        """What was used up is forgotten: the shortest ban of the exchange is longer than its minute."""
        self._refusals, self._banned_until_s = 0, now_s + self._limits.ban_s
        self._weight = RollingWindow(self._limits.weight_a_minute, 60.0)
        return _refused(418, self._limits.ban_s)

    def _time(self, request: web.Request) -> Any:
        now_us = time.time_ns() // 1000 + self._source.clock_ahead_ms(EXCHANGE) * 1000
        return {"serverTime": now_us if _zeros(request) else now_us // 1000}

    def _exchange_info(self, request: web.Request) -> Any:
        listed = self._asked(request)
        status = request.query.get("symbolStatus")
        return {
            "timezone": "UTC",
            "serverTime": time.time_ns() // 1_000_000 + self._source.clock_ahead_ms(EXCHANGE),
            "rateLimits": [
                {
                    "rateLimitType": "REQUEST_WEIGHT",
                    "interval": "MINUTE",
                    "intervalNum": 1,
                    "limit": self._limits.weight_a_minute,
                },
                {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5, "limit": 300_000},
            ],
            "exchangeFilters": [],
            "symbols": [_symbol_info(row) for row in listed if status in (None, _status(row))],
        }

    def _tickers(self, request: web.Request) -> Any:
        listed = self._asked(request)
        rows = [(row.symbol, self._source.ticker(EXCHANGE, row.symbol)) for row in listed]
        spell = _mini_ticker if request.query.get("type") == "MINI" else _full_ticker
        bodies = [spell(row or _nothing_traded(symbol)) for symbol, row in rows]
        return bodies[0] if "symbol" in request.query else bodies

    def _klines(self, request: web.Request) -> Any:
        symbol = self._symbol(request)
        interval_ms = _INTERVALS.get(request.query.get("interval", ""))
        if interval_ms is None:
            raise Wrong(-1120, "Invalid interval.")
        end, is_from_start = _moment(request, "endTime"), "startTime" in request.query
        before_ms = 1 << 62 if end is None else end + 1
        rows = self._source.minutes(EXCHANGE, symbol, before_ms, _ALL if is_from_start else _limit(request))
        return [_kline(row) for row in _window(request, rows, lambda row: row.opened_ms)]

    def _trades(self, request: web.Request) -> Any:
        rows = self._source.trades(EXCHANGE, self._symbol(request))
        return [_trade(row) for row in rows[-_limit(request) :]]

    def _historical_trades(self, request: web.Request) -> Any:
        rows = self._source.trades(EXCHANGE, self._symbol(request))
        from_id = _whole(request, "fromId", None)
        if from_id is None:
            return [_trade(row) for row in rows[-_limit(request) :]]
        return [_trade(row) for row in rows if row.trade_id >= from_id][: _limit(request)]

    def _agg_trades(self, request: web.Request) -> Any:
        rows = _with_markers(self._source.trades(EXCHANGE, self._symbol(request)))
        from_id = _whole(request, "fromId", None)
        if from_id is not None:
            found = [row for row in rows if row.trade_id - 500_000_000 >= from_id][: _limit(request)]
        else:
            found = _window(request, rows, lambda row: row.traded_ms)
        return [_agg_trade(row, _zeros(request)) for row in found]

    def _depth(self, request: web.Request) -> Any:
        book, limit = self._source.book(EXCHANGE, self._symbol(request)), _whole(request, "limit", 100) or 100
        if book is None:
            return {"lastUpdateId": 0, "bids": [], "asks": []}
        sides = {
            name: [[_eight(price), _eight(size)] for price, size in side[:limit]]
            for name, side in (("bids", book.bids), ("asks", book.asks))
        }
        return {"lastUpdateId": book.sequence, **sides}

    def _asked(self, request: web.Request) -> list[Listed]:
        """The markets that `symbol` or `symbols` name, or all."""
        listed = self._lists.listed(EXCHANGE)
        names = _names(request)
        if names is None:
            return [row for row in listed if row.is_spot or "permissions" not in request.query]
        by_symbol = {row.symbol: row for row in listed}
        if any(name not in by_symbol for name in names):
            raise Wrong(-1121, "Invalid symbol.")
        return [by_symbol[name] for name in names]

    def _symbol(self, request: web.Request) -> str:
        symbol = request.query.get("symbol")
        if not symbol:
            raise Wrong(-1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.")
        if all(row.symbol != symbol for row in self._lists.listed(EXCHANGE)):
            raise Wrong(-1121, "Invalid symbol.")
        return symbol


def _json(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    return web.Response(text=text, status=status, content_type="application/json", headers=headers)


def _refused(status: int, after_s: int) -> web.Response:
    body = {"code": -1003, "msg": "Too much request weight used; current limit is 6000 request weight per 1 MINUTE."}
    return _json(body, status, {"Retry-After": str(after_s)})


def _names(request: web.Request) -> list[str] | None:
    if "symbol" in request.query:
        return [request.query["symbol"]]
    if "symbols" not in request.query:
        return None
    try:
        names = json.loads(request.query["symbols"])
    except ValueError:
        names = None
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise Wrong(-1100, "Illegal characters found in parameter 'symbols'.")
    return names


def _ticker_weight(request: web.Request) -> int:
    names = _names(request)
    return 80 if names is None or len(names) > 100 else 40 if len(names) > 20 else 2


def _depth_weight(request: web.Request) -> int:
    limit = _whole(request, "limit", 100) or 100
    return 5 if limit <= 100 else 25 if limit <= 500 else 50 if limit <= 1000 else 250


def _whole(request: web.Request, name: str, default: int | None) -> int | None:
    text = request.query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) < 20):
        raise Wrong(-1100, f"Illegal characters found in parameter '{name}'.")
    return int(text)


def _limit(request: web.Request) -> int:
    return min(1_000, _whole(request, "limit", 500) or 500)


def _window(request: web.Request, rows: list[Any], time_ms: Callable[[Any], int]) -> list[Any]:
    """Only `startTime`: the oldest from there; only `endTime`: the newest up to it; both ends are included."""
    start, end, limit = _moment(request, "startTime"), _moment(request, "endTime"), _limit(request)
    found = [row for row in rows if (start or 0) <= time_ms(row) <= (end if end is not None else 1 << 62)]
    return found[:limit] if start is not None else found[-limit:]


def _moment(request: web.Request, name: str) -> int | None:
    value = _whole(request, name, None)
    return value // 1000 if value is not None and value >= 10**14 else value


def _zeros(request: web.Request) -> bool:
    return request.headers.get("X-MBX-TIME-UNIT", "").upper() == "MICROSECOND"


def _eight(text: str) -> str:
    return f"{Decimal(text).quantize(_EIGHT):f}"


def _status(listed: Listed) -> str:
    return "TRADING" if listed.is_trading else "BREAK"


def _symbol_info(listed: Listed) -> dict[str, Any]:
    return {
        "symbol": listed.symbol,
        "status": _status(listed),
        "baseAsset": listed.base,
        "baseAssetPrecision": 8,
        "quoteAsset": listed.quote,
        "quoteAssetPrecision": 8,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
        "isSpotTradingAllowed": listed.is_spot,
        "isMarginTradingAllowed": False,
        "filters": [
            {"filterType": "PRICE_FILTER", "tickSize": _eight(listed.tick_size)},
            {"filterType": "LOT_SIZE", "stepSize": _eight(listed.step_size)},
        ],
        "permissions": [],
        "permissionSets": [["SPOT"]],
    }


def _nothing_traded(symbol: str) -> TickerRow:
    zero = "0"
    return TickerRow(symbol, zero, zero, zero, zero, zero, zero, zero, zero, zero, zero, False, 0, 0)


def _mini_ticker(row: TickerRow) -> dict[str, Any]:
    return {
        "symbol": row.symbol,
        "openPrice": _eight(row.open),
        "highPrice": _eight(row.high),
        "lowPrice": _eight(row.low),
        "lastPrice": _eight(row.price),
        "volume": _eight(row.volume),
        "quoteVolume": _eight(row.turnover),
        "openTime": max(0, row.event_ms - _DAY_MS),
        "closeTime": row.event_ms,
        "firstId": row.first_id,
        "lastId": row.last_id,
        "count": row.last_id - row.first_id + 1 if row.last_id >= 0 else 0,
    }


def _full_ticker(row: TickerRow) -> dict[str, Any]:
    opened, price, volume = Decimal(row.open), Decimal(row.price), Decimal(row.volume)
    bid, bid_quantity, ask, ask_quantity = row.best
    return {
        **_mini_ticker(row),
        "priceChange": _eight(str(price - opened)),
        "priceChangePercent": f"{(price - opened) * 100 / opened if opened else Decimal(0):.3f}",
        "weightedAvgPrice": _eight(str(Decimal(row.turnover) / volume if volume else 0)),
        "prevClosePrice": _eight(row.previous_close),
        "lastQty": _eight(row.last_quantity),
        "bidPrice": _eight(bid),
        "bidQty": _eight(bid_quantity),
        "askPrice": _eight(ask),
        "askQty": _eight(ask_quantity),
    }


def _kline(row: MinuteRow) -> list[Any]:
    return [
        row.opened_ms,
        _eight(row.open),
        _eight(row.high),
        _eight(row.low),
        _eight(row.close),
        _eight(row.volume),
        row.opened_ms + 59_999,
        _eight(row.turnover),
        row.trades,
        _eight(row.buy_volume),
        _eight(row.buy_turnover),
        "0",
    ]


def _trade(row: TradeRow) -> dict[str, Any]:
    return {
        "id": row.trade_id,
        "price": _eight(row.price),
        "qty": _eight(row.quantity),
        "quoteQty": _eight(str(Decimal(row.price) * Decimal(row.quantity))),
        "time": row.traded_ms,
        "isBuyerMaker": not row.is_buy,
        "isBestMatch": True,
    }


def _with_markers(rows: list[TradeRow]) -> list[TradeRow]:
    """Where ids were left out, the history of aggregates has rows that stand for no trade."""
    found = rows[:1]
    for before, row in pairwise(rows):
        found += (
            TradeRow(missing, "0", "0", before.is_buy, before.traded_ms)
            for missing in range(before.trade_id + 1, row.trade_id)
        )
        found.append(row)
    return found


def _agg_trade(row: TradeRow, micros: bool) -> dict[str, Any]:
    is_marker = row.quantity == "0"
    return {
        "a": row.trade_id - 500_000_000,
        "p": "0" if is_marker else _eight(row.price),
        "q": "0" if is_marker else _eight(row.quantity),
        "f": -1 if is_marker else row.trade_id,
        "l": -1 if is_marker else row.trade_id,
        "T": row.traded_ms * (1000 if micros else 1),
        "m": not row.is_buy,
        "M": True,
    }
