"""A small run in memory: a truth log, and stores that hold exactly what they must."""

import copy
import random
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import pytest

from services.reconcile.candles import candles_of
from services.reconcile.facts import Found, Published, Symbol
from services.reconcile.found import Cache, Log, Rows
from services.reconcile.gaps import Gap, Gaps
from services.reconcile.report import Report, build, judge
from services.reconcile.stores import Comparison, book_depths
from services.reconcile.truth import Truth, read_truth

START_US = 1_700_000_040_000_000
TRANSIT_US = 2_000
CAP = 15
LEVELS = 5


@dataclass
class Run:
    """The truth and what the three stores hold."""

    truth: Truth
    log: Log
    cache: Cache
    rows: Rows

    def report(self) -> Report:
        """Compare everything."""
        gaps = Gaps(self.rows.gaps)
        compared = Comparison(self.truth, self.log, gaps).compare(self.cache, self.rows, CAP, book_depths(LEVELS))
        return judge(build(self.truth.seconds, self.truth.published, compared, gaps, {}))

    def lose_in_kafka(self, symbol: Symbol, trade_id: str) -> None:
        """Make as if one trade had never reached Kafka, and so no store, nor any candle."""
        for held in (self.log.trades, self.cache.trades, self.rows.trades):
            held[symbol] = [one for one in held[symbol] if one.id != trade_id]
        rows = self.rows.trades[symbol]
        self.rows.candles[symbol] = candles_of((one.id, one.facts) for one in rows)
        kept = {one.id for one in self.log.trades[symbol]}
        self.cache.trades[symbol] = [one for one in self.log.trades[symbol] if one.id in kept][-CAP:]


def lines(seed: int) -> list[bytes]:
    """A truth log of two exchanges: some forty trades a symbol over two minutes, tickers and books between them."""
    rng = random.Random(seed)
    found: list[bytes] = []
    for step in range(240):
        exchange, symbol = rng.choice([("upbit", "KRW-BTC"), ("upbit", "KRW-ETH"), ("binance", "BTCUSDT")])
        at_us = START_US + step * 500_000
        line = {"exchange": exchange, "symbol": symbol, "published_at_us": at_us, "heard": 1}
        found.append(msgspec.json.encode(line | rng.choice(_CHANNELS)(rng, step, exchange, at_us)))
    return found


def _trade(rng: random.Random, step: int, exchange: str, at_us: int) -> dict[str, object]:
    return {
        "channel": "trade",
        "trade_id": str(1_000 + step if exchange == "binance" else 17 * 10**15 + step * 7919 % 10_007),
        "price": f"{rng.randint(90_000, 99_000)}.{rng.randint(10, 99)}",
        "quantity": f"0.{rng.randint(1, 99_999_999):08d}",
        "side": rng.choice(["buy", "sell"]),
        "traded_at_us": at_us - rng.randint(0, 1_500) * 1000,
    }


def _ticker(rng: random.Random, _step: int, exchange: str, at_us: int) -> dict[str, object]:
    names = ["price", "open", "high", "low", "volume_24h", "turnover_24h"]
    names += ["bid_price", "bid_quantity", "ask_price", "ask_quantity"] if exchange == "binance" else []
    numbers = {name: f"{rng.randint(1, 10**6)}.{rng.randint(0, 99):02d}" for name in names}
    return {"channel": "ticker", "event_at_us": at_us, **numbers}


def _book(rng: random.Random, step: int, exchange: str, at_us: int) -> dict[str, object]:
    bids, asks = ([[str(price), f"0.{rng.randint(1, 999)}"] for price in range(100, 105)] for _ in range(2))
    upbit = exchange == "upbit"
    return {
        "channel": "orderbook",
        "bids": bids[::-1],
        "asks": asks,
        "sequence": None if upbit else 10_000 + step,
        "event_at_us": at_us if upbit else None,
    }


_CHANNELS = [_trade, _trade, _trade, _ticker, _book]


def _copy(state: Published, trade_id: str = "", offset: int = -1) -> Found:
    return Found(trade_id, state.facts, state.published_at_us + TRANSIT_US, offset=offset)


def stored(truth: Truth) -> Run:
    """Stores that hold the whole truth and nothing else."""
    trades = {
        symbol: [_copy(state, trade_id, offset) for offset, (trade_id, state) in enumerate(of_symbol.items())]
        for symbol, of_symbol in truth.trades.items()
    }
    tickers, books = (
        {symbol: [_copy(state) for state in of_symbol] for symbol, of_symbol in states.items()}
        for states in (truth.tickers, truth.books)
    )
    newest = Cache(
        {symbol: found[-CAP:] for symbol, found in trades.items()},
        {symbol: found[-1] for symbol, found in tickers.items()},
        {symbol: found[-1] for symbol, found in books.items()},
    )
    candles = {symbol: candles_of((one.id, one.facts) for one in found) for symbol, found in trades.items()}
    rows = Rows({symbol: list(found) for symbol, found in trades.items()}, candles=candles)
    return Run(truth, Log(trades, tickers, books), newest, rows)


@pytest.fixture(scope="session")
def make_run() -> Callable[[int], Run]:
    """``make_run(seed)``: a run in which nothing went wrong."""
    runs: dict[int, Run] = {}

    def make(seed: int) -> Run:
        if seed not in runs:
            runs[seed] = stored(read_truth(lines(seed)))
        return copy.deepcopy(runs[seed])

    return make


@pytest.fixture(scope="session")
def gap_around() -> Callable[[Symbol, int], Gap]:
    """``gap_around(symbol, at_us)``: a gap of half a second before and after."""
    return lambda symbol, at_us: Gap(symbol[0], "trade", frozenset({symbol[1]}), at_us - 1, at_us + 1)
