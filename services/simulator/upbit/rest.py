"""Upbit's REST side, as much as a reader of public data asks for. Numbers are JSON numbers spelled exactly."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
from aiohttp import web

from services.simulator.limits import RollingWindow
from services.simulator.lists import CAUTIONS, Lists
from services.simulator.rows import BookRow, Listed, MinuteRow, Source, TickerRow, TradeRow

EXCHANGE = "upbit"
_A_SECOND = 10
_REFUSALS_UNTIL_BLOCKED = 20
_MAX_DAYS_AGO = 7
_UNITS = (1, 3, 5, 10, 15, 30, 60, 240)
_encode = msgspec.json.Encoder(decimal_format="number").encode
Handler = Callable[[web.Request], Awaitable[web.Response]]
Answer = Callable[["UpbitRest", web.Request], Any]


class Wrong(Exception):
    """An error that Upbit answers with: `status` and its integer `name`."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class UpbitRest:
    """Answers from what the source has published. Each group of calls has ten a second."""

    def __init__(self, source: Source, lists: Lists) -> None:
        self._source, self._lists = source, lists
        self._windows: dict[str, RollingWindow] = {}
        self._refusals = RollingWindow(_REFUSALS_UNTIL_BLOCKED, 60.0)

    def routes(self) -> list[web.RouteDef]:
        """The paths that are served."""
        table: tuple[tuple[str, str, Answer], ...] = (
            ("/v1/market/all", "market", UpbitRest._markets),
            ("/v1/ticker/all", "ticker", UpbitRest._all_tickers),
            ("/v1/ticker", "ticker", UpbitRest._tickers),
            ("/v1/candles/minutes/{unit}", "candles", UpbitRest._candles),
            ("/v1/trades/ticks", "crix-trades", UpbitRest._trades),
            ("/v1/orderbook", "orderbook", UpbitRest._books),
        )
        return [web.get(path, self._limited(group, answer)) for path, group, answer in table]

    def _limited(self, group: str, answer: Answer) -> Handler:
        window = self._windows.setdefault(group, RollingWindow(_A_SECOND, 1.0))

        async def handle(request: web.Request) -> web.Response:
            now_s = asyncio.get_running_loop().time()
            if not window.take(now_s):
                return self._refuse(now_s)
            headers = {"Remaining-Req": f"group={group}; min=600; sec={window.left(now_s)}"}
            try:
                return _json(answer(self, request), headers=headers)
            except Wrong as wrong:
                error = {"error": {"name": wrong.status, "message": str(wrong)}}
                return _json(error, status=wrong.status, headers=headers)

        return handle

    def _refuse(self, now_s: float) -> web.Response:
        if self._refusals.take(now_s):
            return _json({"error": {"name": "too_many_requests", "message": "Too many requests"}}, status=429)
        message = f"Blocked for {int(self._refusals.free_in_s(now_s)) + 1} seconds"
        return _json({"error": {"name": "too_many_requests", "message": message}}, status=418)

    def _markets(self, request: web.Request) -> Any:
        details = request.query.get("is_details", "false").lower() == "true"
        return [_market(listed, details) for listed in self._lists.listed(EXCHANGE)]

    def _all_tickers(self, request: web.Request) -> Any:
        quotes = request.query.get("quote_currencies", "").upper().split(",")
        if quotes == [""]:
            raise Wrong(400, "quote_currencies is missing")
        symbols = [listed.symbol for listed in self._lists.listed(EXCHANGE) if listed.quote in quotes]
        rows = (self._source.ticker(EXCHANGE, symbol) for symbol in symbols)
        return [_ticker(row) for row in rows if row is not None]

    def _tickers(self, request: web.Request) -> Any:
        rows = (self._source.ticker(EXCHANGE, symbol) for symbol in self._codes(request))
        return [_ticker(row) for row in rows if row is not None]

    def _books(self, request: web.Request) -> Any:
        levels = min(30, _whole(request, "count", 30))
        found = ((symbol, self._source.book(EXCHANGE, symbol)) for symbol in self._codes(request))
        return [_book(symbol, row, levels) for symbol, row in found if row is not None]

    def _candles(self, request: web.Request) -> Any:
        unit = request.match_info["unit"]
        if not unit.isdecimal() or int(unit) not in _UNITS:
            raise Wrong(400, "unit is not supported")
        symbol, count = self._code(request), min(200, _whole(request, "count", 1))
        before_ms = _to_ms(request.query["to"]) if request.query.get("to") else 1 << 62
        minutes = self._source.minutes(EXCHANGE, symbol, before_ms, count * int(unit))
        candles = _joined(minutes, int(unit)) if unit != "1" else minutes
        return [_candle(symbol, row, int(unit)) for row in candles[::-1]][:count]

    def _trades(self, request: web.Request) -> Any:
        symbol, count = self._code(request), min(500, _whole(request, "count", 1))
        days_ago = _whole(request, "days_ago", 0)
        if not 0 <= days_ago <= _MAX_DAYS_AGO:
            raise Wrong(400, "days_ago is not between 1 and 7")
        day = datetime.now(UTC).date() - timedelta(days=days_ago)
        rows = [row for row in self._source.trades(EXCHANGE, symbol) if _utc(row.traded_ms).date() == day]
        if request.query.get("to"):
            clock = _clock(request.query["to"])
            rows = [row for row in rows if _utc(row.traded_ms).strftime("%H%M%S") <= clock]
        rows.sort(key=lambda row: row.trade_id, reverse=True)
        if request.query.get("cursor"):
            cursor = _whole(request, "cursor", 0)
            rows = [row for row in rows if row.trade_id < cursor]
        return [_trade(symbol, row) for row in rows[:count]]

    def _codes(self, request: web.Request) -> list[str]:
        """The codes of a list; one that is unknown fails them all."""
        codes = request.query.get("markets", "")
        if not codes:
            raise Wrong(400, "markets is missing")
        known = {listed.symbol for listed in self._lists.listed(EXCHANGE)}
        asked = codes.split(",")
        if any(code not in known for code in asked):
            raise Wrong(404, "Code not found")
        return asked

    def _code(self, request: web.Request) -> str:
        code = request.query.get("market", "")
        if not code:
            raise Wrong(400, "market is missing")
        if all(listed.symbol != code for listed in self._lists.listed(EXCHANGE)):
            raise Wrong(404, "Code not found")
        return code


def _json(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(body=_encode(body), status=status, content_type="application/json", headers=headers)


def _whole(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) < 20):
        raise Wrong(400, f"{name} is not a whole number")
    return int(text)


def _clock(text: str) -> str:
    digits = text.replace(":", "")
    if len(digits) != 6 or not digits.isdecimal():
        raise Wrong(400, "to is not HHmmss")
    return digits


def _to_ms(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text.replace(" ", "T"))
    except ValueError:
        raise Wrong(400, "to is not ISO 8601") from None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return int(moment.timestamp() * 1000)


def _utc(unix_ms: int) -> datetime:
    return datetime.fromtimestamp(unix_ms // 1000, UTC)


def _market(listed: Listed, details: bool) -> dict[str, Any]:
    row: dict[str, Any] = {
        "market": listed.symbol,
        "korean_name": listed.korean_name,
        "english_name": listed.english_name,
    }
    if details:
        caution = {name: name in listed.cautions for name in CAUTIONS}
        row["market_event"] = {"warning": listed.warning, "caution": caution}
    return row


def _ticker(row: TickerRow) -> dict[str, Any]:
    price, previous = Decimal(row.price), Decimal(row.previous_close)
    change = price - previous
    rate = round(change / previous, 10) if previous else Decimal(0)
    utc, kst = _utc(row.last_traded_ms), _utc(row.last_traded_ms + 9 * 3_600_000)
    return {
        "market": row.symbol,
        "trade_date": f"{utc:%Y%m%d}",
        "trade_time": f"{utc:%H%M%S}",
        "trade_date_kst": f"{kst:%Y%m%d}",
        "trade_time_kst": f"{kst:%H%M%S}",
        "trade_timestamp": row.last_traded_ms,
        "opening_price": Decimal(row.open),
        "high_price": Decimal(row.high),
        "low_price": Decimal(row.low),
        "trade_price": price,
        "prev_closing_price": previous,
        "change": "RISE" if change > 0 else "FALL" if change < 0 else "EVEN",
        "change_price": abs(change),
        "change_rate": abs(rate),
        "signed_change_price": change,
        "signed_change_rate": rate,
        "trade_volume": Decimal(row.last_quantity),
        "acc_trade_price": Decimal(row.day_turnover),
        "acc_trade_price_24h": Decimal(row.turnover),
        "acc_trade_volume": Decimal(row.day_volume),
        "acc_trade_volume_24h": Decimal(row.volume),
        "highest_52_week_price": Decimal(row.high) * 2,
        "highest_52_week_date": "2025-12-06",
        "lowest_52_week_price": Decimal(row.low) / 2,
        "lowest_52_week_date": "2026-02-03",
        "timestamp": row.event_ms,
    }


def _book(symbol: str, row: BookRow, levels: int) -> dict[str, Any]:
    padding = [("0", "0")] * levels
    asks, bids = (row.asks + padding)[:levels], (row.bids + padding)[:levels]
    return {
        "market": symbol,
        "timestamp": row.event_ms,
        "total_ask_size": sum((Decimal(size) for _, size in row.asks), Decimal(0)),
        "total_bid_size": sum((Decimal(size) for _, size in row.bids), Decimal(0)),
        "orderbook_units": [
            {
                "ask_price": Decimal(ask),
                "bid_price": Decimal(bid),
                "ask_size": Decimal(ask_size),
                "bid_size": Decimal(bid_size),
            }
            for (ask, ask_size), (bid, bid_size) in zip(asks, bids, strict=True)
        ],
        "level": 0,
    }


def _candle(symbol: str, row: MinuteRow, unit: int) -> dict[str, Any]:
    return {
        "market": symbol,
        "candle_date_time_utc": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(row.opened_ms // 1000)),
        "candle_date_time_kst": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(row.opened_ms // 1000 + 32_400)),
        "opening_price": Decimal(row.open),
        "high_price": Decimal(row.high),
        "low_price": Decimal(row.low),
        "trade_price": Decimal(row.close),
        "timestamp": row.last_traded_ms,
        "candle_acc_trade_price": Decimal(row.turnover),
        "candle_acc_trade_volume": Decimal(row.volume),
        "unit": unit,
    }


def _joined(minutes: list[MinuteRow], unit: int) -> list[MinuteRow]:
    """Join one-minute candles to candles of `unit` minutes."""
    groups: dict[int, list[MinuteRow]] = {}
    for row in minutes:
        groups.setdefault(row.opened_ms - row.opened_ms % (unit * 60_000), []).append(row)
    return [_join(opened_ms, rows) for opened_ms, rows in groups.items()]


def _join(opened_ms: int, rows: list[MinuteRow]) -> MinuteRow:
    def total(texts: list[str]) -> str:
        return f"{sum(map(Decimal, texts), Decimal(0)):f}"

    return MinuteRow(
        opened_ms=opened_ms,
        open=rows[0].open,
        high=max((row.high for row in rows), key=Decimal),
        low=min((row.low for row in rows), key=Decimal),
        close=rows[-1].close,
        volume=total([row.volume for row in rows]),
        turnover=total([row.turnover for row in rows]),
        buy_volume=total([row.buy_volume for row in rows]),
        buy_turnover=total([row.buy_turnover for row in rows]),
        trades=sum(row.trades for row in rows),
        first_id=rows[0].first_id,
        last_id=rows[-1].last_id,
        last_traded_ms=rows[-1].last_traded_ms,
    )


def _trade(symbol: str, row: TradeRow) -> dict[str, Any]:
    utc = _utc(row.traded_ms)
    price, previous = Decimal(row.price), Decimal(row.previous_close)
    return {
        "market": symbol,
        "trade_date_utc": f"{utc:%Y-%m-%d}",
        "trade_time_utc": f"{utc:%H:%M:%S}",
        "timestamp": row.traded_ms,
        "trade_price": price,
        "trade_volume": Decimal(row.quantity),
        "prev_closing_price": previous,
        "change_price": price - previous,
        "ask_bid": "BID" if row.is_buy else "ASK",
        "sequential_id": row.trade_id,
    }
