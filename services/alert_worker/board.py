"""The newest ticker and listing of every market, for what a message tells besides the alert. Pure.

Records are kept as they came, about 400 bytes a market, and read when somebody asks.
"""

from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from typing import TypeVar

from services.alert_worker.messages.message import NO_FACTS, Facts
from shared.events import Instrument, Ticker
from shared.wire import InvalidRecord, decode

E = TypeVar("E", Ticker, Instrument)
_SAME_COIN = Decimal("0.3")
"""Two markets whose prices are further apart than this fraction merely share a name."""


class Board:
    """Takes in records by key; the newest of a key counts. Bounded by the number of markets."""

    def __init__(self) -> None:
        self._tickers: dict[bytes, bytes] = {}
        self._instruments: dict[bytes, bytes] = {}

    def put_ticker(self, key: bytes, value: bytes) -> None:
        """A record of the tickers' topic."""
        self._tickers[key] = value

    def put_instrument(self, key: bytes, value: bytes) -> None:
        """A record of the instruments' topic."""
        self._instruments[key] = value

    def facts(self, exchange: str | None, symbol: str | None, base: str | None = None) -> Facts:
        """What is known of a market."""
        if exchange is None or symbol is None:
            return NO_FACTS
        listing, ticker = self._instrument(exchange, symbol), self._ticker(exchange, symbol)
        names = self._named(listing, base)
        return Facts(
            korean_name=names.korean_name if names else None,
            english_name=names.english_name if names else None,
            has_warning=listing is not None and listing.warning,
            cautions=tuple(listing.cautions) if listing else (),
            low=ticker.low if ticker else None,
            high=ticker.high if ticker else None,
            range_is_utc_day=ticker is not None and ticker.window == "utc_day",
            gap_pct=self._gap(base),
        )

    def korean_names(self, markets: Iterable[tuple[str | None, str | None, str | None]]) -> dict[str, str]:
        """What the coins of markets (exchange, symbol, base) are called in Korea, by base, as far as that is known."""
        found: dict[str, str] = {}
        for exchange, symbol, base in markets:
            named = self._named(self._instrument(exchange or "", symbol or ""), base)
            if base and named is not None and named.korean_name:
                found[base] = named.korean_name
        return found

    def _named(self, listing: Instrument | None, base: str | None) -> Instrument | None:
        return listing if listing is not None and listing.korean_name else self._instrument("upbit", f"KRW-{base}")

    def markets(self) -> Counter[str]:
        """How many markets trade on each exchange, of those that are watched."""
        listed = (_read(Instrument, value) for value in self._instruments.values())
        return Counter(one.exchange for one in listed if one is not None and one.status == "trading")

    def _gap(self, base: str | None) -> str | None:
        """How far Upbit's price in won is above Binance's in dollars, in per cent, by Upbit's price of the dollar."""
        here, there = self._ticker("upbit", f"KRW-{base}"), self._ticker("binance", f"{base}USDT")
        dollar = self._ticker("upbit", "KRW-USDT")
        if here is None or there is None or dollar is None:
            return None
        fair = Decimal(there.price) * Decimal(dollar.price)
        gap = Decimal(here.price) / fair - 1 if fair else Decimal(1)
        return None if abs(gap) > _SAME_COIN else f"{100 * gap:.2f}"

    def _ticker(self, exchange: str, symbol: str) -> Ticker | None:
        return _read(Ticker, self._tickers.get(f"{exchange}:{symbol}".encode()))

    def _instrument(self, exchange: str, symbol: str) -> Instrument | None:
        return _read(Instrument, self._instruments.get(f"{exchange}:{symbol}".encode()))


def _read(event: type[E], value: bytes | None) -> E | None:
    if value is None:
        return None
    try:
        return decode(event, value)
    except InvalidRecord:
        return None
