"""What the REST sides tell about either source, a synthetic market or a recording. Numbers are plain decimals."""

from dataclasses import dataclass, field
from typing import Protocol

from services.simulator.publication import Key, Publication


@dataclass(frozen=True, slots=True)
class Listed:
    """One market that an exchange lists."""

    exchange: str
    symbol: str
    base: str
    quote: str
    korean_name: str = ""
    english_name: str = ""
    tick_size: str = "0.00000001"
    step_size: str = "0.00000001"
    is_trading: bool = True
    is_spot: bool = True
    """Binance: whether its spot side is switched on; it has no other, so without it the list leaves it out."""
    warning: bool = False
    cautions: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class TradeRow:
    """One published trade."""

    trade_id: int
    price: str
    quantity: str
    is_buy: bool
    traded_ms: int
    previous_close: str = "0"


@dataclass(frozen=True, slots=True)
class MinuteRow:
    """One candle of a minute."""

    opened_ms: int
    open: str
    high: str
    low: str
    close: str
    volume: str
    turnover: str
    buy_volume: str
    buy_turnover: str
    trades: int
    first_id: int
    last_id: int
    last_traded_ms: int


@dataclass(frozen=True, slots=True)
class TickerRow:
    """A day's statistics of one market."""

    symbol: str
    price: str
    open: str
    high: str
    low: str
    previous_close: str
    volume: str
    turnover: str
    day_volume: str
    day_turnover: str
    last_quantity: str
    last_is_buy: bool
    last_traded_ms: int
    event_ms: int
    first_id: int = -1
    last_id: int = -1
    best: tuple[str, str, str, str] = ("0", "0", "0", "0")
    """bid price, bid quantity, ask price, ask quantity"""


@dataclass(frozen=True, slots=True)
class BookRow:
    """An order book, best level first: (price, quantity) pairs."""

    sequence: int
    event_ms: int
    bids: list[tuple[str, str]] = field(default_factory=list)
    asks: list[tuple[str, str]] = field(default_factory=list)


class Voice(Protocol):
    """Where a source's messages go; the hub."""

    def publish(self, publication: Publication) -> None:
        """Publish one message of the three channels."""

    def say(self, publication: Publication) -> None:
        """Send one message of another channel."""

    def hears(self, key: Key) -> bool:
        """Whether anybody is subscribed."""


class Source(Protocol):
    """What the simulated exchanges publish: a synthetic market, or recordings."""

    def keys(self) -> list[Key]:
        """Everything that can be subscribed to, derived streams included."""

    def listed(self, exchange: str) -> list[Listed]:
        """What the exchange's lists show, busiest first."""

    def open(self, voice: Voice, epoch_ms: int) -> None:
        """Say what is said when the market opens, which is now: `epoch_ms`, Unix milliseconds."""

    def postpone(self, seconds: float) -> None:
        """Shift all that is still to come, times told included, because the machine stood still."""

    def due_s(self) -> float | None:
        """When the next message is due, in seconds since the opening; None when there is none left."""

    def tell(self, voice: Voice) -> None:
        """Say the next message, or nothing where it was the turn of a market that rests."""

    def trades(self, exchange: str, symbol: str) -> list[TradeRow]:
        """The newest published trades, oldest first, a bounded number."""

    def minutes(self, exchange: str, symbol: str, before_ms: int, count: int) -> list[MinuteRow]:
        """The newest `count` candles known that open before a time, oldest first."""

    def ticker(self, exchange: str, symbol: str) -> TickerRow | None:
        """The day's statistics as last published."""

    def book(self, exchange: str, symbol: str) -> BookRow | None:
        """The order book as last published."""

    def skip_ids(self, symbol: str, count: int) -> bool:
        """Leave a hole in a Binance market's trade ids; False where that cannot be."""

    def set_open(self, exchange: str, symbol: str, *, is_open: bool) -> None:
        """Let a market say nothing from now on, on any channel, or go on."""

    def crash(self, exchange: str, symbol: str) -> bool:
        """Let a market fall by 5 % within seconds, and recover; False where prices are those of a recording."""

    def hurry(self, factor: float, seconds: float) -> bool:
        """Tell so many times more for so long; False where the pace is that of a recording."""

    def set_clock_ahead(self, exchange: str, milliseconds: int) -> bool:
        """Let an exchange's clock go wrong by so much; False where times are told as they were recorded."""

    def clock_ahead_ms(self, exchange: str) -> int:
        """How far an exchange's clock is ahead of the right one, or behind."""
