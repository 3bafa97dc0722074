"""Reads a simulator's truth log: what the exchanges published, in the order of publication."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec
from msgspec import Struct

from services.reconcile.facts import (
    TICKER_NUMBERS,
    TICKER_QUOTES,
    Published,
    Symbol,
    book_facts,
    ticker_facts,
    trade_facts,
)
from shared.errors import WrongUse
from shared.events import CHANNELS, Level


class _Line(Struct, gc=False):
    """One line; the fields of the other channels are absent. Without `heard` everything was heard."""

    exchange: str
    channel: str
    symbol: str
    published_at_us: int
    heard: int = 1
    trade_id: str = ""
    side: str = ""
    traded_at_us: int = 0
    quantity: str = ""
    price: str | None = None
    open: str | None = None
    high: str | None = None
    low: str | None = None
    volume_24h: str | None = None
    turnover_24h: str | None = None
    bid_price: str | None = None
    bid_quantity: str | None = None
    ask_price: str | None = None
    ask_quantity: str | None = None
    sequence: int | None = None
    event_at_us: int | None = None
    bids: list[Level] = []
    asks: list[Level] = []


@dataclass
class Truth:
    """Everything published, by (exchange, symbol): trades by id, tickers and books in their order."""

    trades: dict[Symbol, dict[str, Published]] = field(default_factory=dict)
    tickers: dict[Symbol, list[Published]] = field(default_factory=dict)
    books: dict[Symbol, list[Published]] = field(default_factory=dict)
    published: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(CHANNELS, 0)))
    first_at_us: int = 0
    last_at_us: int = 0
    first_traded_us: int = 0

    @property
    def seconds(self) -> float:
        """From the first publication to the last."""
        return (self.last_at_us - self.first_at_us) / 1_000_000


def read_truth(lines: Iterable[bytes]) -> Truth:
    """Read the lines one by one. Raises WrongUse naming the first line that is not one of a truth log."""
    decoder = msgspec.json.Decoder(_Line)
    truth = Truth()
    for number, text in enumerate(lines, start=1):
        try:
            _add(truth, decoder.decode(text))
        except (msgspec.DecodeError, KeyError) as error:
            raise WrongUse(f"line {number} of the truth log cannot be read: {error}") from None
    return truth


def _add(truth: Truth, line: _Line) -> None:
    _ADD[line.channel](truth, line)
    truth.published[line.channel] += 1
    truth.first_at_us = min(truth.first_at_us or line.published_at_us, line.published_at_us)
    truth.last_at_us = max(truth.last_at_us, line.published_at_us)


def _add_trade(truth: Truth, line: _Line) -> None:
    truth.first_traded_us = min(truth.first_traded_us or line.traded_at_us, line.traded_at_us)
    trades = truth.trades.setdefault((line.exchange, line.symbol), {})
    facts = trade_facts(line.price or "", line.quantity, line.side, line.traded_at_us)
    if line.trade_id not in trades:  # an exchange that repeats itself has published one trade
        trades[line.trade_id] = Published(len(trades), facts, line.published_at_us, line.heard > 0)


def _add_ticker(truth: Truth, line: _Line) -> None:
    numbers = (getattr(line, name) for name in TICKER_NUMBERS + TICKER_QUOTES)
    _append(truth.tickers, line, ticker_facts(line.event_at_us or 0, numbers))


def _add_book(truth: Truth, line: _Line) -> None:
    _append(truth.books, line, book_facts(line.sequence, line.event_at_us, line.bids, line.asks))


def _append(states: dict[Symbol, list[Published]], line: _Line, facts: str) -> None:
    of_symbol = states.setdefault((line.exchange, line.symbol), [])
    of_symbol.append(Published(len(of_symbol), facts, line.published_at_us, line.heard > 0))


_ADD = {"trade": _add_trade, "ticker": _add_ticker, "orderbook": _add_book}
