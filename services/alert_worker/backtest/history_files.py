"""Files of prices as the trades they stand for. The first line says which kind a file is."""

import csv
import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from services.alert_worker.backtest.minutes import RECEIVED_AFTER_US, Minute, as_trades
from services.alert_worker.records import Market
from shared.decimals import InvalidDecimal, plain
from shared.errors import WrongUse
from shared.events import Trade
from shared.wire import InvalidRecord, decode

_QUOTES = ("USDT", "USDC", "BUSD", "FDUSD", "TUSD", "KRW", "USD", "EUR", "TRY", "JPY", "BRL", "BTC", "ETH", "BNB")
_EXCHANGE_NAMES = frozenset({"binance", "upbit", "bitfinex", "bithumb", "coinbase", "kraken", "okx", "bybit"})
_MICROSECONDS_A_UNIT = ((10**11, 1_000_000), (10**14, 1_000), (10**17, 1))
_CANDLE, _TRADE = {"open", "high", "low", "close"}, {"price"}
_TIMES = ("timestamp_ms", "timestamp", "open_time", "time", "date", "datetime")
_QUANTITIES = ("quantity", "amount", "qty", "size", "volume")
FRAMES = "frames"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ONE_US = timedelta(microseconds=1)


class Row(NamedTuple):
    """A line of a file and its number, for the error that names it."""

    file: Path
    number: int
    fields: dict[str, str]


class Print(NamedTuple):
    """What a line says of one trade."""

    price: str
    quantity: str
    side: str
    at_us: int


def kind_of(file: Path) -> str:
    """``candles``, ``trades``, ``ticks``, ``records`` or ``frames``. Raises WrongUse for anything else."""
    first = next(_lines(file), "").strip()
    if first.startswith("["):
        return "ticks"
    if first.startswith("{"):
        return FRAMES if '"frame"' in first else "records"
    names = {name.strip().lower() for name in first.split(",")}
    if names >= _CANDLE:
        return "candles"
    if names >= _TRADE:
        return "trades"
    raise WrongUse(
        f"{file}: neither candles (columns {', '.join(sorted(_CANDLE))}) nor trades (a column price) nor JSON lines"
    )


def read_history(file: Path, market: Market | None = None) -> Iterator[Trade]:
    """The file's trades, in its order. `market` says what is traded where the file's name does not.

    Raises WrongUse with one line that names the file, the line and the fault.
    """
    kind = kind_of(file)
    if kind == "ticks":
        return _ticks(file)
    if kind == "records":
        return _records(file)
    traded = market or market_of(file)
    return as_trades(read_minutes(file), traded) if kind == "candles" else _trades(file, traded)


def market_of(file: Path) -> Market:
    """What a name like ``upbit_KRW-BTC_1m_2024.csv.gz`` says. Raises WrongUse where it says nothing."""
    exchange, _, rest = file.name.partition("_")
    symbol = rest.split("_")[0].split(".")[0]
    if exchange not in _EXCHANGE_NAMES or not symbol:
        raise WrongUse(
            f"{file}: its name does not begin with exchange and symbol (binance_BTCUSDT_…); "
            "say --market binance:BTCUSDT, or rename it"
        )
    return read_market(f"{exchange}:{symbol}")


def read_market(text: str) -> Market:
    """``upbit:KRW-BTC`` as a market. Raises WrongUse when it is not one."""
    exchange, colon, symbol = text.partition(":")
    if not (exchange and colon and symbol):
        raise WrongUse(f"{text!r} is no market: write exchange:symbol, for example upbit:KRW-BTC or binance:BTCUSDT")
    quote, dash, base = symbol.partition("-")
    if dash:
        return Market(exchange, symbol, base, quote)
    quote = next((known for known in _QUOTES if symbol.endswith(known) and symbol != known), symbol[-3:])
    return Market(exchange, symbol, symbol.removesuffix(quote) or symbol, quote)


def read_minutes(file: Path) -> Iterator[Minute]:
    """The candles of a file that holds candles. Raises WrongUse as `read_history` does."""
    for row in _rows(file):
        try:
            opened, high, low, close = (plain(row.fields[name]) for name in ("open", "high", "low", "close"))
            yield Minute(_at_us(row.fields), opened, high, low, close, float(row.fields.get("volume") or 0))
        except (ValueError, KeyError, InvalidDecimal) as error:
            raise _unreadable(row, error) from None


def _trades(file: Path, market: Market) -> Iterator[Trade]:
    for row in _rows(file):
        try:
            quantity = next((row.fields[name] for name in _QUANTITIES if row.fields.get(name)), "1")
            print_ = Print(
                plain(row.fields["price"]), plain(quantity), row.fields.get("side", "buy"), _at_us(row.fields)
            )
            yield _trade(market, row.number, print_)
        except (ValueError, KeyError, InvalidDecimal) as error:
            raise _unreadable(row, error) from None


def _ticks(file: Path) -> Iterator[Trade]:
    """Rows of [time, code, "tick", venue, open, high, low, close, volume, …]; all four prices are the same."""
    for number, line in enumerate(_lines(file), 1):
        try:
            at, code, _, venue, *_, close, volume = json.loads(line)[:9]
            print_ = Print(plain(close), plain(volume), "buy", _micros(at))
            yield _trade(read_market(f"{venue}:{code}"), number, print_)
        except (ValueError, InvalidDecimal, TypeError) as error:
            raise _unreadable(Row(file, number, {}), error) from None


def _records(file: Path) -> Iterator[Trade]:
    for number, line in enumerate(_lines(file), 1):
        try:
            yield decode(Trade, line.encode())
        except InvalidRecord as error:
            raise _unreadable(Row(file, number, {}), error) from None


def _trade(market: Market, number: int, print_: Print) -> Trade:
    return Trade(
        exchange=market.exchange, symbol=market.symbol, base=market.base, quote=market.quote, trade_id=str(number),
        price=print_.price, quantity=print_.quantity, side="sell" if print_.side == "sell" else "buy",
        traded_at_us=print_.at_us, received_at_us=print_.at_us + RECEIVED_AFTER_US,
    )  # fmt: skip


def _at_us(fields: dict[str, str]) -> int:
    return _micros(next(fields[name] for name in _TIMES if fields.get(name)))


def _micros(text: str) -> int:
    """A Unix time in seconds, milliseconds or microseconds (told by its size), or an ISO date and time, UTC."""
    if text.isdigit():
        number = int(text)
        return next((number * factor for below, factor in _MICROSECONDS_A_UNIT if number < below), number // 1_000)
    at = datetime.fromisoformat(text)
    return ((at if at.tzinfo else at.replace(tzinfo=UTC)) - _EPOCH) // _ONE_US


def _rows(file: Path) -> Iterator[Row]:
    lines = _lines(file)
    header = next(lines).lower()
    for number, fields in enumerate(csv.DictReader(chain([header], lines)), 2):
        yield Row(file, number, fields)


def _lines(file: Path) -> Iterator[str]:
    opener: Any = gzip.open if file.name.endswith(".gz") else open
    try:
        with opener(file, "rt", encoding="utf-8-sig", newline="") as lines:
            yield from lines
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise WrongUse(f"{file}: cannot be read: {error}") from None


def _unreadable(row: Row, error: Exception) -> WrongUse:
    return WrongUse(f"{row.file}, line {row.number}: {type(error).__name__}: {error}")
