"""Reads what Redis holds of the symbols of a run."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from redis.asyncio import Redis

from services.reconcile.facts import Found, Symbol
from services.reconcile.found import Cache, book_of_fields, ticker_of_fields, trade_of_fields

_SYMBOLS_A_ROUND_TRIP = 20
_UNREADABLE = Found("unreadable", "unreadable", 0)


async def read_cache(redis: "Redis", symbols: Iterable[Symbol], since_us: int) -> Cache:
    """Read the keys of these symbols; trades received before `since_us` belong to an earlier run.

    What is none of ours under such a key becomes a copy that agrees with nothing, so that it counts as wrong.
    """
    cache = Cache()
    waiting = sorted(symbols)
    for start in range(0, len(waiting), _SYMBOLS_A_ROUND_TRIP):
        some = waiting[start : start + _SYMBOLS_A_ROUND_TRIP]
        pipe = redis.pipeline(transaction=False)
        for exchange, symbol in some:
            pipe.xrange(f"trades:{exchange}:{symbol}")
            pipe.hgetall(f"ticker:{exchange}:{symbol}")
            pipe.hgetall(f"orderbook:{exchange}:{symbol}")
        answers: list[Any] = await pipe.execute()
        for place, symbol_key in enumerate(some):
            entries, ticker, book = answers[3 * place : 3 * place + 3]
            trades = [_found(trade_of_fields, fields) for _, fields in entries]
            cache.trades[symbol_key] = [one for one in trades if one.received_at_us >= since_us or one is _UNREADABLE]
            if ticker:
                cache.tickers[symbol_key] = _found(ticker_of_fields, ticker)
            if book:
                cache.books[symbol_key] = _found(book_of_fields, book)
    return cache


def _found(read: Callable[[Mapping[str, str]], Found], fields: Mapping[bytes, bytes]) -> Found:
    try:
        return read({name.decode(): value.decode() for name, value in fields.items()})
    except (KeyError, ValueError):
        return _UNREADABLE
