"""What an exchange lists, read from its REST answers. Pure: bytes in, markets and turnovers out.

Upbit: ``/market/all`` and ``/ticker/all`` (a market that is gone simply disappears). Binance: ``exchangeInfo`` and
``ticker/24hr``; a market there that is not ``TRADING``, or whose spot side is switched off, is halted and not gone.
One that had nothing but a spot side is left out of the list then, and is still told by name.
Anything that cannot be read raises InvalidList.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Struct

from services.producer.exchanges.base import UNREADABLE, readable
from services.producer.gaps import LATE_US
from shared.decimals import MAX_DIGITS
from shared.events import Instrument, Trade
from shared.wire import MAX_TRADE_ID

_Code = Annotated[str, Meta(min_length=1, max_length=64)]
_Mark = Annotated[int, Meta(ge=-1, le=MAX_TRADE_ID)]
_Label = Annotated[str, Meta(max_length=200)]
T = TypeVar("T")


class InvalidList(ValueError):
    """An exchange's list that cannot be read."""


class Market(Struct, frozen=True):
    """One instrument of an exchange's list. Kept on disk as the last good list."""

    symbol: str
    base: str
    quote: str
    trading: bool = True
    spot: bool = True
    """Whether it trades on the spot side, where its exchange has others; one without it does not trade for us."""
    korean_name: str | None = None
    english_name: str | None = None
    warning: bool = False
    cautions: tuple[str, ...] = ()
    listed_at_us: int | None = None
    """When it appeared on the list, our clock; None: it was there when we first looked."""


@dataclass(frozen=True)
class Catalogue:
    """Where an exchange's lists are, under its REST address, and how they are read. Turnover: the last 24 hours."""

    markets_path: str
    read_markets: Callable[[bytes], list[Market]]
    turnovers_path: str
    read_turnovers: Callable[[bytes], dict[str, Decimal]]
    read_last_trades: Callable[[bytes], dict[str, int]]
    """From the same answer: the mark of each symbol's last trade (see `stalls`)."""
    mark_of: Callable[[Trade], int]
    """The mark up to which a trade that we heard speaks for what came before it."""
    mark_slack: int
    """How much higher the mark of a trade may be than the last known one and still prove nothing missing between.

    Of ids it is one. Of times it is how late trades may come: of what was missed within that time after the last known
    trade nothing is told, where another trade from within it is heard first (Upbit's answer to a subscription is one).
    """
    market_path: str | None = None
    """Where a market is asked for by its symbol, also one that the list leaves out; HTTP 400 with Binance's
    code for that says that there is none (see `rest`). None: the list leaves nothing out."""


def instrument(market: Market, exchange: str, at_us: int, *, is_gone: bool = False) -> Instrument:
    """A market as the record that others read."""
    return Instrument(
        exchange=exchange,
        symbol=market.symbol,
        base=market.base,
        quote=market.quote,
        status="gone" if is_gone else "trading" if market.trading else "halted",
        updated_at_us=at_us,
        korean_name=market.korean_name,
        english_name=market.english_name,
        warning=market.warning,
        cautions=list(market.cautions),
        listed_at_us=market.listed_at_us,
    )


class _Event(Struct):
    warning: bool = False
    caution: dict[str, bool] = {}


class _UpbitMarket(Struct):
    market: _Code
    korean_name: _Label | None = None
    english_name: _Label | None = None
    market_event: _Event = msgspec.field(default_factory=_Event)


class _UpbitTicker(Struct):
    market: _Code
    acc_trade_price_24h: msgspec.Raw


class _UpbitLastTrade(Struct):
    market: _Code
    trade_timestamp: _Mark = 0


class _BinanceMarket(Struct):
    symbol: _Code
    status: str
    baseAsset: _Code
    quoteAsset: _Code
    isSpotTradingAllowed: bool = True


class _ExchangeInfo(Struct):
    symbols: list[_BinanceMarket]


class _BinanceTicker(Struct):
    symbol: _Code
    quoteVolume: str


class _BinanceLastTrade(Struct):
    symbol: _Code
    lastId: _Mark = -1


def _upbit_markets(body: bytes) -> list[Market]:
    found = []
    for row in _read(list[_UpbitMarket], body):
        quote, dash, base = row.market.partition("-")
        if not (quote and dash and base):
            raise InvalidList(f"{readable(row.market, 40)} is not QUOTE-BASE")
        event = row.market_event
        cautions = tuple(sorted(readable(name, 64) for name, raised in event.caution.items() if raised))
        market = Market(
            symbol=row.market,
            base=base,
            quote=quote,
            korean_name=row.korean_name,
            english_name=row.english_name,
            warning=event.warning,
            cautions=cautions,
        )
        found.append(market)
    return found


def _upbit_turnovers(body: bytes) -> dict[str, Decimal]:
    rows = _read(list[_UpbitTicker], body)
    return {row.market: _number(str(row.acc_trade_price_24h, "ascii", "replace").strip('"')) for row in rows}


def _binance_markets(body: bytes) -> list[Market]:
    return [
        Market(
            symbol=row.symbol,
            base=row.baseAsset,
            quote=row.quoteAsset,
            trading=row.status == "TRADING" and row.isSpotTradingAllowed,
            spot=row.isSpotTradingAllowed,
        )
        for row in _read(_ExchangeInfo, body).symbols
    ]


def _binance_turnovers(body: bytes) -> dict[str, Decimal]:
    return {row.symbol: _number(row.quoteVolume) for row in _read(list[_BinanceTicker], body)}


def _upbit_last_trades(body: bytes) -> dict[str, int]:
    return {row.market: row.trade_timestamp for row in _read(list[_UpbitLastTrade], body)}


def _upbit_mark(trade: Trade) -> int:
    """Trades come late and out of order: two seconds beyond what we heard nothing is certain."""
    return (trade.traded_at_us + LATE_US) // 1000


def _binance_last_trades(body: bytes) -> dict[str, int]:
    """A symbol that was never traded has the id -1."""
    return {row.symbol: row.lastId for row in _read(list[_BinanceLastTrade], body)}


def _binance_mark(trade: Trade) -> int:
    return int(trade.trade_id)


def _read(kind: type[T], body: bytes) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except UNREADABLE as error:
        raise InvalidList(readable(error)) from None


def _number(text: str) -> Decimal:
    """Only compared, never kept: one with more digits behind the point than we keep of a price is no fault."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise InvalidList(f"{readable(text, 40)} is not a number") from None
    if not number.is_finite() or abs(number.adjusted()) > MAX_DIGITS:
        raise InvalidList(f"{readable(text, 40)} is not a finite number of at most {MAX_DIGITS} digits")
    return number


CATALOGUES: Mapping[str, Catalogue] = {
    "upbit": Catalogue(
        "/market/all?is_details=true",
        _upbit_markets,
        "/ticker/all?quote_currencies=KRW,BTC,USDT",
        _upbit_turnovers,
        _upbit_last_trades,
        _upbit_mark,
        LATE_US // 1000,
    ),
    "binance": Catalogue(
        # A market whose spot side is switched off is in the answer for as long as it has another.
        "/api/v3/exchangeInfo?permissions=%5B%22SPOT%22%2C%22MARGIN%22%5D&showPermissionSets=false",
        _binance_markets,
        "/api/v3/ticker/24hr?type=MINI",
        _binance_turnovers,
        _binance_last_trades,
        _binance_mark,
        1,
        "/api/v3/exchangeInfo?symbol={symbol}&showPermissionSets=false",
    ),
}
