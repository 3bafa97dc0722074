"""Reads what Postgres holds of a run: trades by name, candles, gaps."""

from datetime import UTC, datetime, timedelta

import asyncpg

from services.reconcile.candles import Candle
from services.reconcile.facts import Found, trade_facts
from services.reconcile.found import Rows
from services.reconcile.gaps import Gap

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ROWS_A_FETCH = 5_000
_TRADES = """
    SELECT exchange, symbol, trade_id, price::text, quantity::text, side,
        (extract(epoch FROM traded_at) * 1000000)::bigint, (extract(epoch FROM received_at) * 1000000)::bigint, origin
    FROM trade_tape WHERE received_at >= $1
"""
# Trades of an earlier run that share a minute with this one are in the minute's candle too.
_EARLIER = """
    SELECT exchange, symbol, trade_id, price::text, quantity::text, side,
        (extract(epoch FROM traded_at) * 1000000)::bigint
    FROM trade_tape WHERE received_at < $1 AND traded_at >= $2
"""
_CANDLES = """
    SELECT i.exchange, i.symbol, (extract(epoch FROM c.opened_at) * 1000000)::bigint,
        c.open, c.high, c.low, c.close, c.volume, c.turnover, c.trades
    FROM candle_1m c JOIN instrument i ON i.id = c.instrument_id WHERE c.opened_at >= $1
"""
_GAPS = "SELECT exchange, channel, symbols, from_at, to_at, status FROM gap WHERE noticed_at >= $1"


async def read_rows(connection: "asyncpg.Connection[asyncpg.Record]", since_us: int, first_traded_us: int) -> Rows:
    """Read trades received and gaps noticed from `since_us` on, and candles from the minute of `first_traded_us` on."""
    rows = Rows()
    since, first_minute = _time(since_us), _time(first_traded_us - first_traded_us % 60_000_000)
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        async for row in connection.cursor(_TRADES, since, prefetch=_ROWS_A_FETCH):
            exchange, symbol, trade_id, price, quantity, side, traded_at_us, received_at_us, origin = row
            facts = trade_facts(price, quantity, side, traded_at_us)
            found = Found(trade_id, facts, received_at_us, origin == "backfill")
            rows.trades.setdefault((exchange, symbol), []).append(found)
        async for row in connection.cursor(_EARLIER, since, first_minute, prefetch=_ROWS_A_FETCH):
            exchange, symbol, trade_id, *values = row
            rows.earlier.setdefault((exchange, symbol), []).append((trade_id, trade_facts(*values)))
        async for row in connection.cursor(_CANDLES, first_minute, prefetch=_ROWS_A_FETCH):
            exchange, symbol, opened_at_us, *numbers = row
            rows.candles.setdefault((exchange, symbol), {})[opened_at_us] = Candle(*numbers)
        rows.gaps = [_gap(row) for row in await connection.fetch(_GAPS, since)]
    return rows


def _gap(row: asyncpg.Record) -> Gap:
    symbols = row["symbols"]
    return Gap(
        exchange=row["exchange"],
        channel=row["channel"],
        symbols=None if symbols is None else frozenset(symbols),
        from_us=_micros(row["from_at"]),
        to_us=_micros(row["to_at"]),
        closed=row["status"] == "closed",
    )


def _time(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)


def _micros(time: datetime | None) -> int | None:
    return None if time is None else (time - _EPOCH) // timedelta(microseconds=1)
