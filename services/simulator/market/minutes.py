"""One-minute candles: exact ones of what was traded, and a plausible quiet past from before the market opened."""

import random
from collections import OrderedDict
from dataclasses import dataclass

from services.simulator.market.instruments import Instrument
from services.simulator.market.records import Trade

MINUTE_MS = 60_000
PAST_MINUTES = 1_440
_KEPT_MINUTES = 1_440
_PAST_SIGMA = 0.0004
_PAST_PULL = 0.25


@dataclass(slots=True)
class Minute:
    """One candle, in the instrument's units. Ids are those of Binance; -1 where nothing is known."""

    opened_ms: int
    open: int
    high: int
    low: int
    close: int
    volume: int = 0
    turnover: int = 0
    buy_volume: int = 0
    buy_turnover: int = 0
    trades: int = 0
    first_id: int = -1
    last_id: int = -1
    last_traded_ms: int = 0

    def add(self, trade: Trade) -> None:
        """Count one trade; trades of one minute may come in any order, the newest gives the close."""
        turnover = trade.price * trade.quantity
        self.high = max(self.high, trade.price)
        self.low = min(self.low, trade.price)
        if trade.traded_ms >= self.last_traded_ms:
            self.close, self.last_traded_ms = trade.price, trade.traded_ms
        self.volume += trade.quantity
        self.turnover += turnover
        if trade.is_buy:
            self.buy_volume += trade.quantity
            self.buy_turnover += turnover
        self.trades += 1
        self.first_id = trade.trade_id if self.first_id < 0 else min(self.first_id, trade.trade_id)
        self.last_id = max(self.last_id, trade.trade_id)


class Minutes:
    """The candles of one instrument, oldest first: a day from before the opening, made when first asked for, then
    what was really traded, a day of it at most."""

    def __init__(self, instrument: Instrument, seed: int, epoch_ms: int) -> None:
        self._instrument = instrument
        self._seed = seed
        self._epoch_ms = epoch_ms
        self._traded: OrderedDict[int, Minute] = OrderedDict()
        self._past: list[Minute] | None = None

    def add(self, trade: Trade) -> None:
        """Count a trade that was told."""
        opened_ms = trade.traded_ms - trade.traded_ms % MINUTE_MS
        minute = self._traded.get(opened_ms)
        if minute is None:
            price = trade.price
            minute = self._traded[opened_ms] = Minute(opened_ms, price, price, price, price)
            if len(self._traded) > _KEPT_MINUTES:
                self._traded.popitem(last=False)
        minute.add(trade)

    def newest(self) -> Minute | None:
        """The minute that is being traded, if any was."""
        return next(reversed(self._traded.values()), None)

    def all(self) -> list[Minute]:
        """Every candle known, oldest first; a minute in which nothing was traded is absent."""
        if self._past is None:
            self._past = self._make_past()
        first_traded = next(iter(self._traded), self._epoch_ms)
        traded = sorted(self._traded.values(), key=lambda minute: minute.opened_ms)
        return [minute for minute in self._past if minute.opened_ms < first_traded] + traded

    def _make_past(self) -> list[Minute]:
        """Walk back from the opening price, so that past and present join without a jump."""
        rng = random.Random(f"{self._seed}:past:{self._instrument.exchange}:{self._instrument.symbol}")
        opened_ms = self._epoch_ms - self._epoch_ms % MINUTE_MS
        deviation, past = 0.0, []
        for back in range(PAST_MINUTES):
            earlier = deviation * (1 - _PAST_PULL) + rng.gauss(0, _PAST_SIGMA)
            past.append(self._quiet_minute(opened_ms - back * MINUTE_MS, earlier, deviation, rng))
            deviation = earlier
        return past[::-1]

    def _quiet_minute(self, opened_ms: int, start: float, end: float, rng: random.Random) -> Minute:
        ticks, tick = self._instrument.anchor // self._instrument.tick, self._instrument.tick
        first, last = round(ticks * (1 + start)) * tick, round(ticks * (1 + end)) * tick
        high, low = max(first, last) + rng.randrange(3) * tick, min(first, last) - rng.randrange(3) * tick
        trades = rng.randint(20, 200)
        volume = trades * max(1, 10**self._instrument.quantity_scale // 50)
        return Minute(
            opened_ms,
            first,
            high,
            low,
            last,
            volume,
            volume * last,
            volume // 2,
            volume // 2 * last,
            trades,
            last_traded_ms=opened_ms + MINUTE_MS - 1_000,
        )
