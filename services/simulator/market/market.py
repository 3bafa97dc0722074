"""The whole synthetic market: whose turn it is, and when. The same seed tells the same story from another epoch."""

import heapq
import random
from collections.abc import Sequence
from itertools import count

from services.simulator.market.desk import Desk, Walk
from services.simulator.market.instruments import Instrument
from services.simulator.market.records import Record, Trade
from services.simulator.scenarios import Scenario, crash

TRADE_SHARE, TICKER_SHARE = 0.5, 0.15
_LATE_SHARE = 0.03
_LATE_BY_S = (1.0, 2.0)
_PACES = (0.4, 0.7, 0.7, 1.0, 1.0, 1.2, 2.0)  # mean 1: the rate of a moment, as a share of the rate asked for
_PACE_LASTS_S = 0.25
_TURNS = 8192


class Market:
    """Tells records in order of their due time, `rate` a second on average over all instruments."""

    def __init__(
        self, instruments: Sequence[Instrument], rate: float, seed: int, scenario: Scenario, epoch_ms: int
    ) -> None:
        self._rng = random.Random(seed)
        self._rate = rate
        walks = {i.base: Walk(random.Random(f"{seed}:{i.base}")) for i in instruments}
        self.desks = [
            Desk(
                instrument,
                walks[instrument.base],
                scenario.moves,
                random.Random(f"{seed}:{instrument.exchange}:{instrument.symbol}"),
                epoch_ms,
            )
            for instrument in instruments
        ]
        self._crowded = [
            (move, [d for d in self.desks if move.concerns(d.instrument.exchange, d.instrument.base)])
            for move in scenario.moves
            if move.crowd
        ]
        self._turns = self._draw_turns()
        self._next_s = 0.0
        self._pace, self._pace_ends_s = 1.0, 0.0
        self._hurry, self._hurry_ends_s = 1.0, 0.0
        self._late: list[tuple[float, int, Desk, Trade]] = []
        self._late_order = count()
        self._closed: set[Desk] = set()

    def set_epoch(self, epoch_ms: int) -> None:
        """Tell when the market really opens, Unix milliseconds; before `open`."""
        for desk in self.desks:
            desk.epoch_ms = epoch_ms

    def postpone(self, milliseconds: int) -> None:
        """Shift the times of all that is still to be told."""
        for desk in self.desks:
            desk.epoch_ms += milliseconds

    def set_clock_ahead(self, exchange: str, milliseconds: int) -> None:
        """Let an exchange tell times that are so far ahead of the right ones, or behind."""
        for desk in self.desks:
            if desk.instrument.exchange == exchange:
                desk.clock_ahead_ms = milliseconds

    def set_open(self, exchange: str, symbol: str, *, is_open: bool) -> None:
        """Let a market rest from now on, or go on; what of it was to be told late is told no more."""
        found = {d for d in self.desks if (d.instrument.exchange, d.instrument.symbol) == (exchange, symbol)}
        self._closed = self._closed - found if is_open else self._closed | found
        self._late = [waiting for waiting in self._late if waiting[2] not in self._closed]
        heapq.heapify(self._late)

    def hurry(self, factor: float, seconds: float) -> None:
        """Tell so many times more for so long, by this market's own clock."""
        self._hurry, self._hurry_ends_s = factor, self._next_s + seconds

    def crash(self, desk: Desk) -> None:
        """Let a market fall within seconds from now on, and recover."""
        desk.move(crash(desk.instrument.exchange, desk.instrument.base, self._next_s))

    def open(self) -> list[Record]:
        """Everything once, so that each subscription has data at once: a trade, a ticker and a book of each market."""
        records: list[Record] = []
        for desk in (desk for desk in self.desks if desk not in self._closed):
            trade = desk.trade(0.0)
            desk.settle(trade)
            records += [trade, desk.ticker(0.0), desk.book(0.0)]
        self._step()
        return records

    def due_s(self) -> float:
        """When the next record is told, in seconds since the market opened."""
        return min(self._next_s, self._late[0][0]) if self._late else self._next_s

    def tell(self) -> Record | None:
        """Give the next record and move on; None where it was the turn of a market that rests."""
        while True:
            if self._late and self._late[0][0] <= self._next_s:
                return self._tell_late()
            now_s = self._next_s
            desk = self._whose_turn(now_s)
            draw = self._rng.random()
            self._step()
            if desk in self._closed:
                return None
            if draw >= TRADE_SHARE + TICKER_SHARE:
                return desk.book(now_s)
            if draw >= TRADE_SHARE:
                return desk.ticker(now_s)
            trade = desk.trade(now_s)
            if desk.instrument.exchange == "upbit" and self._rng.random() < _LATE_SHARE:
                due_s = now_s + self._rng.uniform(*_LATE_BY_S)
                heapq.heappush(self._late, (due_s, next(self._late_order), desk, trade))
                continue
            desk.settle(trade)
            return trade

    def _tell_late(self) -> Trade:
        due_s, _, desk, trade = heapq.heappop(self._late)
        trade.event_ms = desk.now_ms(due_s)
        desk.settle(trade, is_late=True)
        return trade

    def _whose_turn(self, now_s: float) -> Desk:
        for move, desks in self._crowded:
            if move.is_on(now_s) and self._rng.random() < move.crowd:
                return desks[int(self._rng.random() * len(desks))]
        return self._turns[int(self._rng.random() * _TURNS)]

    def _step(self) -> None:
        if self._next_s >= self._pace_ends_s:
            self._pace = _PACES[int(self._rng.random() * len(_PACES))]
            self._pace_ends_s = self._next_s + _PACE_LASTS_S
        hurry = self._hurry if self._next_s < self._hurry_ends_s else 1.0
        self._next_s += self._rng.expovariate(self._rate * self._pace * hurry)

    def _draw_turns(self) -> list[Desk]:
        """Busier instruments come more often; drawn once, because a weighted choice a message is dear."""
        weights = [1 / (desk.instrument.rank + 1) ** 0.6 for desk in self.desks]
        return self._rng.choices(self.desks, weights, k=_TURNS)
