"""Every market has a row in every minute: which rows a quiet market lacks, and which ones a late ticker corrects. Pure.

A ticker stands until the next one. What a market showed at a minute's end is therefore its last ticker, also where it
sent none in that minute; the row bears that ticker's own time. A minute is over when a later one begins in the same
partition, for one exchange: there, arrival is in order, and a backlog of other partitions is no news.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from services.consumer.batch import Slice
from shared.events import Ticker
from shared.partitioning import partition_of, symbol_key
from shared.topics import TICKERS

MINUTE_US = 60_000_000
MOST_MINUTES = 1_440
"""A ticker stands for a day at most: a market that says nothing for longer is halted or gone, or we were deaf."""
AHEAD_US = MINUTE_US
"""An exchange's time so far ahead of when it was received is wrong, and must not stand for what is newest."""

Place = tuple[str, int]
"""(exchange, partition)"""
Market = tuple[str, str]
"""(exchange, symbol)"""


@dataclass(frozen=True)
class Span:
    """Minutes since 1970 in which a market may lack rows, `to_minute` not included."""

    market: Market
    from_minute: int
    to_minute: int


@dataclass(frozen=True)
class Passing:
    """What a batch means for minutes that are over.

    `newest`: the minute that is going on now, by place. `late`: (market, minute) of tickers that came after the next
    minute was over as well: rows that were carried on from an older ticker are wrong since.
    """

    newest: Mapping[Place, int] = field(default_factory=dict)
    spans: Sequence[Span] = ()
    late: Sequence[tuple[Market, int]] = ()


class TickerMinutes:
    """Knows the minute that is going on in each place."""

    def __init__(self) -> None:
        self._newest: dict[Place, int] = {}

    def remember(self, newest_rows: Iterable[tuple[str, str, int]]) -> None:
        """Take up from what is stored: (exchange, symbol, minute of its newest row)."""
        for exchange, symbol, minute in newest_rows:
            place = exchange, _partition(exchange, symbol)
            self._newest[place] = max(minute, self._newest.get(place, 0))

    def look(self, slices: Iterable[Slice], markets: Iterable[Market]) -> Passing:
        """What these slices mean, of all `markets` that there are. Changes nothing yet: see `passed`."""
        seen: dict[Place, list[tuple[int, Ticker]]] = {}
        for piece in slices:
            if piece.topic == TICKERS.name:
                for ticker in piece.events:
                    if isinstance(ticker, Ticker) and ticker.event_at_us <= ticker.received_at_us + AHEAD_US:
                        place = ticker.exchange, piece.partition
                        seen.setdefault(place, []).append((ticker.event_at_us // MINUTE_US, ticker))
        newest: dict[Place, int] = {}
        spans: list[Span] = []
        late: dict[tuple[Market, int], None] = {}
        for place, tickers in seen.items():
            began = self._newest.get(place) or min(minute for minute, _ in tickers)
            now = max(minute for minute, _ in tickers)
            if now > began:
                here = [market for market in markets if market[0] == place[0] and _partition(*market) == place[1]]
                spans += [_span(market, began, now) for market in here]
            newest[place] = max(now, began)
            of_place = {((t.exchange, t.symbol), minute): None for minute, t in tickers if minute < began - 1}
            spans += [_span(market, minute, newest[place]) for market, minute in of_place]
            late |= of_place
        return Passing(newest, spans, sorted(late, key=lambda one: one[1]))

    def passed(self, passing: Passing) -> None:
        """It is stored."""
        self._newest |= passing.newest


def _span(market: Market, from_minute: int, to_minute: int) -> Span:
    return Span(market, max(from_minute, to_minute - MOST_MINUTES), to_minute)


def _partition(exchange: str, symbol: str) -> int:
    return partition_of(symbol_key(exchange, symbol), TICKERS.partitions)
