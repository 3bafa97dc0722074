"""Spells the market's records as Upbit's WebSocket frames: long and short keys, exponents, padded books."""

import time
from collections.abc import Sequence
from functools import lru_cache

from msgspec import Struct

from services.simulator.market.instruments import Instrument
from services.simulator.market.numbers import (
    Spellings,
    java_big_decimal,
    java_double,
    plain,
    pointed,
)
from services.simulator.market.records import Book, Record, Ticker, Trade

FORMATS = ("DEFAULT", "SIMPLE", "JSON_LIST", "SIMPLE_LIST")
BOOK_LEVELS = 30


class Variant(Struct, frozen=True):
    """How one subscriber is told: the connection's format, the levels of a book, and whether this is a snapshot."""

    format: str = "DEFAULT"
    levels: int = BOOK_LEVELS
    snapshot: bool = False


class _Spelling:
    """One instrument's numbers. DEFAULT writes large prices with an exponent and keeps zeros in sizes; SIMPLE writes
    plain prices, and small sizes with an exponent."""

    def __init__(self, instrument: Instrument, *, simple: bool) -> None:
        price_scale, size_scale = instrument.price_scale, instrument.quantity_scale
        self.price = Spellings(pointed if simple else java_double, price_scale)
        self.size = Spellings(java_double if simple else plain, size_scale)
        self.change = Spellings(_eight_digits, price_scale)
        self.turnover_scale = price_scale + size_scale
        self.size_scale = size_scale


def _eight_digits(units: int, scale: int) -> str:
    return java_big_decimal(units * int(10 ** (8 - scale)), 8)


_spellings: dict[tuple[Instrument, bool], _Spelling] = {}


def _spelling(instrument: Instrument, *, simple: bool) -> _Spelling:
    key = (instrument, simple)
    found = _spellings.get(key)
    if found is None:
        found = _spellings[key] = _Spelling(instrument, simple=simple)
    return found


def encode(record: Record, variant: Variant) -> bytes:
    """Spell one record for one kind of subscriber, UTF-8."""
    simple = variant.format.startswith("SIMPLE")
    stream = "SNAPSHOT" if variant.snapshot else "REALTIME"
    if type(record) is Trade:
        text = (_simple_trade if simple else _trade)(record, stream, variant.snapshot)
    elif type(record) is Ticker:
        text = _ticker(record, stream, simple=simple)
    elif type(record) is Book:
        text = _book(record, stream, variant.levels, simple=simple)
    if variant.format.endswith("_LIST"):
        text = f"[{text}]"
    return text.encode()


def _change(price: int, previous: int) -> str:
    return "RISE" if price > previous else "FALL" if price < previous else "EVEN"


@lru_cache(maxsize=8)
def _date_and_time(unix_s: int) -> tuple[str, str]:
    """Date and time as trades tell them: on a whole minute the seconds are left out."""
    utc = time.gmtime(unix_s)
    clock = f"{utc.tm_hour:02d}:{utc.tm_min:02d}"
    return time.strftime("%Y-%m-%d", utc), f"{clock}:{utc.tm_sec:02d}" if utc.tm_sec else clock


@lru_cache(maxsize=8)
def _compact_date_and_time(unix_s: int) -> tuple[str, str]:
    utc = time.gmtime(unix_s)
    return time.strftime("%Y%m%d", utc), time.strftime("%H%M%S", utc)


def _trade(trade: Trade, stream: str, is_snapshot: bool) -> str:
    instrument = trade.instrument
    spell = _spelling(instrument, simple=False)
    day, clock = _date_and_time(trade.traded_ms // 1000)
    # The trade that a subscription begins with was seen with eight zeros instead of an exponent.
    price = plain(trade.price * int(10 ** (8 - instrument.price_scale)), 8) if is_snapshot else spell.price[trade.price]
    return (
        f'{{"type":"trade","code":"{instrument.symbol}","timestamp":{trade.event_ms},"trade_date":"{day}",'
        f'"trade_time":"{clock}","trade_timestamp":{trade.traded_ms},"trade_price":{price},'
        f'"trade_volume":{spell.size[trade.quantity]},"ask_bid":"{"BID" if trade.is_buy else "ASK"}",'
        f'"prev_closing_price":{spell.change[trade.previous_close]},'
        f'"change":"{_change(trade.price, trade.previous_close)}",'
        f'"change_price":{spell.change[abs(trade.price - trade.previous_close)]},"sequential_id":{trade.trade_id},'
        f'"best_ask_price":{spell.price[trade.ask]},"best_ask_size":{spell.size[trade.ask_quantity]},'
        f'"best_bid_price":{spell.price[trade.bid]},"best_bid_size":{spell.size[trade.bid_quantity]},'
        f'"stream_type":"{stream}"}}'
    )


def _simple_trade(trade: Trade, stream: str, _is_snapshot: bool) -> str:
    spell = _spelling(trade.instrument, simple=True)
    day, clock = _date_and_time(trade.traded_ms // 1000)
    return (
        f'{{"ty":"trade","cd":"{trade.instrument.symbol}","tms":{trade.event_ms},"td":"{day}","ttm":"{clock}",'
        f'"ttms":{trade.traded_ms},"tp":{spell.price[trade.price]},"tv":{spell.size[trade.quantity]},'
        f'"ab":"{"BID" if trade.is_buy else "ASK"}","pcp":{spell.change[trade.previous_close]},'
        f'"c":"{_change(trade.price, trade.previous_close)}",'
        f'"cp":{spell.change[abs(trade.price - trade.previous_close)]},"sid":{trade.trade_id},'
        f'"bap":{spell.price[trade.ask]},"bas":{spell.size[trade.ask_quantity]},'
        f'"bbp":{spell.price[trade.bid]},"bbs":{spell.size[trade.bid_quantity]},"st":"{stream}"}}'
    )


_TICKER_KEYS = {
    "type": "ty", "code": "cd", "opening_price": "op", "high_price": "hp", "low_price": "lp", "trade_price": "tp",
    "prev_closing_price": "pcp", "acc_trade_price": "atp", "change": "c", "change_price": "cp",
    "signed_change_price": "scp", "change_rate": "cr", "signed_change_rate": "scr", "ask_bid": "ab",
    "trade_volume": "tv", "acc_trade_volume": "atv", "trade_date": "tdt", "trade_time": "ttm",
    "trade_timestamp": "ttms", "acc_ask_volume": "aav", "acc_bid_volume": "abv", "highest_52_week_price": "h52wp",
    "highest_52_week_date": "h52wdt", "lowest_52_week_price": "l52wp", "lowest_52_week_date": "l52wdt",
    "market_state": "ms", "is_trading_suspended": "its", "delisting_date": "dd", "market_warning": "mw",
    "timestamp": "tms", "acc_trade_price_24h": "atp24h", "acc_trade_volume_24h": "atv24h", "stream_type": "st",
}  # fmt: skip
# A template with %s where a value comes: one formatting a frame instead of one a field.
_LONG_TICKER = "{" + ",".join(f'"{key}":%s' for key in _TICKER_KEYS) + "}"
_SHORT_TICKER = "{" + ",".join(f'"{key}":%s' for key in _TICKER_KEYS.values()) + "}"


def ticker_values(ticker: Ticker, spell: "_Spelling") -> tuple[str, ...]:
    """The day's statistics as JSON texts, `type` and `code` left out and `timestamp` and what follows too."""
    price, size = spell.price, spell.size
    change = ticker.price - ticker.previous_close
    rate = abs(change) * 10_000_000_000 // ticker.previous_close
    day, clock = _compact_date_and_time(ticker.last_traded_ms // 1000)
    return (
        price[ticker.open], price[ticker.high], price[ticker.low], price[ticker.price],
        price[ticker.previous_close], java_double(ticker.day_turnover, spell.turnover_scale),
        f'"{_change(ticker.price, ticker.previous_close)}"', price[abs(change)], price[change],
        java_double(rate, 10), java_double(rate if change >= 0 else -rate, 10),
        '"BID"' if ticker.last_is_buy else '"ASK"', size[ticker.last_quantity],
        java_double(ticker.day_volume, spell.size_scale), f'"{day}"', f'"{clock}"', str(ticker.last_traded_ms),
        java_double(ticker.day_volume - ticker.day_buy_volume, spell.size_scale),
        java_double(ticker.day_buy_volume, spell.size_scale), price[ticker.high * 2], '"2025-12-06"',
        price[ticker.low // 2], '"2026-02-03"',
    )  # fmt: skip


def _ticker(ticker: Ticker, stream: str, *, simple: bool) -> str:
    spell = _spelling(ticker.instrument, simple=simple)
    return (_SHORT_TICKER if simple else _LONG_TICKER) % (
        '"ticker"', f'"{ticker.instrument.symbol}"', *ticker_values(ticker, spell),
        '"ACTIVE"', "false", "null", '"NONE"', ticker.event_ms,
        java_double(ticker.turnover, spell.turnover_scale), java_double(ticker.volume, spell.size_scale),
        f'"{stream}"',
    )  # fmt: skip


def _long_level(ask: str, bid: str, ask_size: str, bid_size: str) -> str:
    return f'{{"ask_price":{ask},"bid_price":{bid},"ask_size":{ask_size},"bid_size":{bid_size}}}'


def _short_level(ask: str, bid: str, ask_size: str, bid_size: str) -> str:
    return f'{{"ap":{ask},"bp":{bid},"as":{ask_size},"bs":{bid_size}}}'


def _book(book: Book, stream: str, levels: int, *, simple: bool) -> str:
    spell = _spelling(book.instrument, simple=simple)
    asks, ask_sizes = _padded(book.asks[:levels], book.ask_quantities[:levels], levels, spell)
    bids, bid_sizes = _padded(book.bids[:levels], book.bid_quantities[:levels], levels, spell)
    units = ",".join(map(_short_level if simple else _long_level, asks, bids, ask_sizes, bid_sizes))
    total_ask = java_double(sum(book.ask_quantities), spell.size_scale)
    total_bid = java_double(sum(book.bid_quantities), spell.size_scale)
    symbol = book.instrument.symbol
    if simple:
        return (
            f'{{"ty":"orderbook","cd":"{symbol}","tms":{book.event_ms},"tas":{total_ask},"tbs":{total_bid},'
            f'"obu":[{units}],"st":"{stream}","lv":0}}'
        )
    return (
        f'{{"type":"orderbook","code":"{symbol}","timestamp":{book.event_ms},"total_ask_size":{total_ask},'
        f'"total_bid_size":{total_bid},"orderbook_units":[{units}],"stream_type":"{stream}","level":0}}'
    )


def _padded(prices: Sequence[int], sizes: Sequence[int], levels: int, spell: _Spelling) -> tuple[list[str], list[str]]:
    """Spell one side; a thin side is filled up with slots of price 0 and size 0."""
    price_texts = [spell.price[units] for units in prices]
    size_texts = [spell.size[units] for units in sizes]
    missing = levels - len(price_texts)
    return price_texts + ["0.0"] * missing, size_texts + ["0.0"] * missing
