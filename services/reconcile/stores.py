"""Compares the truth with all three stores, symbol by symbol."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from services.reconcile.candles import CandleCounts, candles_of, compare_candles
from services.reconcile.compare import (
    Counts,
    StatesInKafka,
    TradesInKafka,
    newest_trades,
    states_in_kafka,
    trades_in_kafka,
    trades_in_store,
)
from services.reconcile.facts import Found, Published, Symbol
from services.reconcile.found import Cache, Held, Log, Rows
from services.reconcile.gaps import Gaps
from services.reconcile.newest import Newest, newest_in_store
from services.reconcile.report import Compared
from services.reconcile.truth import Truth

_DEPTHS_ON_OFFER = ((1, 5, 15, 30), (5, 10, 20))  # Upbit's and Binance's numbers of levels
Depths = frozenset[int]


def book_depths(levels: int) -> Depths:
    """How many levels a book may be cut to when a person asks for `levels`: each exchange rounds up to what it has."""
    rounded = {next((depth for depth in offer if depth >= levels), offer[-1]) for offer in _DEPTHS_ON_OFFER}
    return frozenset({levels, *rounded})


class Comparison:
    """All stores against the truth. `in_kafka` is what later steps (latency) need of the trades."""

    def __init__(self, truth: Truth, log: Log, gaps: Gaps) -> None:
        self._truth = truth
        self._log = log
        self._gaps = gaps
        self.in_kafka: dict[Symbol, TradesInKafka] = {
            symbol: trades_in_kafka(
                truth.trades.get(symbol, {}), log.trades.get(symbol, ()), self._explained("trade", symbol)
            )
            for symbol in _all_symbols(truth.trades, log.trades)
        }

    def compare(self, cache: Cache, rows: Rows, stream_cap: int, depths: Depths) -> Compared:
        """Count everything."""
        tickers = self._states("ticker", self._truth.tickers, self._log.tickers, None)
        books = self._states("orderbook", self._truth.books, self._log.books, depths)
        states = {"ticker": tickers, "orderbook": books}
        kafka = {"trade": _sum(one.counts for one in self.in_kafka.values())}
        kafka |= {channel: _sum(one.counts for one in of_symbols.values()) for channel, of_symbols in states.items()}
        for channel, count in self._log.unreadable.items():
            kafka[channel].wrong += count
        return Compared(
            unheard={
                "trade": sum(one.unheard for one in self.in_kafka.values()),
                **{channel: sum(one.unheard for one in found.values()) for channel, found in states.items()},
            },
            conflated={channel: sum(one.conflated for one in found.values()) for channel, found in states.items()},
            kafka=kafka,
            redis_trades=self._redis_trades(cache.trades, stream_cap),
            redis_newest={
                "ticker": _newest(self._truth.tickers, tickers, cache.tickers, None),
                "orderbook": _newest(self._truth.books, books, cache.books, depths),
            },
            postgres_trades=self._postgres_trades(rows.trades),
            candles=self._candles(rows),
        )

    def _explained(self, channel: str, symbol: Symbol) -> Callable[[Published], bool]:
        return partial(self._is_explained, channel, symbol)

    def _is_explained(self, channel: str, symbol: Symbol, state: Published) -> bool:
        return self._gaps.explain(symbol[0], channel, symbol[1], state.published_at_us)

    def _states(
        self, channel: str, published: dict[Symbol, list[Published]], found: Held, depths: Depths | None
    ) -> dict[Symbol, StatesInKafka]:
        return {
            symbol: states_in_kafka(
                published.get(symbol, []), found.get(symbol, ()), self._explained(channel, symbol), depths
            )
            for symbol in _all_symbols(published, found)
        }

    def _arrived(self, symbol: Symbol) -> dict[str, list[Found]]:
        return self.in_kafka[symbol].arrived if symbol in self.in_kafka else {}

    def _expected(self, symbol: Symbol) -> dict[str, Published]:
        """The trades that stores must hold: all but those that a gap explains to have never reached Kafka."""
        arrived, explained = self._arrived(symbol), self._explained("trade", symbol)
        trades = self._truth.trades.get(symbol, {})
        return {one: state for one, state in trades.items() if one in arrived or not explained(state)}

    def _redis_trades(self, held: Held, cap: int) -> Counts:
        total = Counts()
        for symbol in _all_symbols(self._truth.trades, held):
            found, arrived = held.get(symbol, []), self._arrived(symbol)
            here = {one.id for one in found}
            # What was backfilled behind newer trades is not added to the stream.
            late = {one for one, copies in arrived.items() if copies[0].backfilled and one not in here}
            able = {one: state for one, state in self._expected(symbol).items() if one not in late}
            expected = newest_trades(able, cap, held=len(here & able.keys()))
            published = self._truth.trades.get(symbol, {})
            total.add(trades_in_store(expected, found, arrived, published, ordered=True))
        return total

    def _postgres_trades(self, held: Held) -> Counts:
        total = Counts()
        for symbol in _all_symbols(self._truth.trades, held):
            expected, published = self._expected(symbol), self._truth.trades.get(symbol, {})
            found, arrived = held.get(symbol, []), self._arrived(symbol)
            total.add(trades_in_store(expected, found, arrived, published, ordered=False))
        return total

    def _candles(self, rows: Rows) -> CandleCounts:
        total = CandleCounts()
        for symbol in _all_symbols(self._truth.trades, rows.candles):
            own = candles_of((one, state.facts) for one, state in self._expected(symbol).items())
            earlier = rows.earlier.get(symbol, [])
            together = candles_of([*((one, state.facts) for one, state in self._expected(symbol).items()), *earlier])
            of_others = together.keys() - own.keys()
            found = {at: candle for at, candle in rows.candles.get(symbol, {}).items() if at not in of_others}
            total.add(compare_candles({at: together[at] for at in own}, found))
        return total


def _newest(
    published: dict[Symbol, list[Published]],
    in_kafka: dict[Symbol, StatesInKafka],
    held: dict[Symbol, Found],
    depths: Depths | None,
) -> Newest:
    total = Newest()
    for symbol in _all_symbols(published, held):
        states: Sequence[Published] = published.get(symbol, [])
        arrived = in_kafka[symbol].arrived if symbol in in_kafka else {}
        total.add(newest_in_store(states, arrived, held.get(symbol), depths))
    return total


def _all_symbols(*stores: Iterable[Symbol]) -> list[Symbol]:
    return sorted({symbol for store in stores for symbol in store})


def _sum(counts: Iterable[Counts]) -> Counts:
    total = Counts()
    for one in counts:
        total.add(one)
    return total
