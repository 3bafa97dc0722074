"""One-minute candles: exact ones of what was traded, and a plausible quiet past from before the market opened."""

import math
import random
from array import array
from collections import OrderedDict
from dataclasses import dataclass

from services.simulator.market.instruments import Instrument, usual_day_volume
from services.simulator.market.records import Trade

MINUTE_MS = 60_000
PAST_MINUTES = 1_440
_KEPT_MINUTES = 1_440
_PAST_SIGMA = 0.0004
_PAST_PULL = 0.25
_VOLUME_SIGMA = 0.7
_DAY_SWING = 0.3
_DAY_MS = 86_400_000


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
    """The candles of one instrument, oldest first: a day from before the opening, made when it is asked for, then what
    was really traded, a day of it at most."""

    def __init__(self, instrument: Instrument, seed: int, epoch_ms: int) -> None:
        self._instrument = instrument
        self._seed = seed
        self._epoch_ms = epoch_ms
        self._traded: OrderedDict[int, Minute] = OrderedDict()
        self._deviations: array[float] | None = None
        """From the opening price, at the end of each minute of the past, oldest first; kept because it is small."""

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

    def before(self, before_ms: int = 1 << 62, count: int = PAST_MINUTES + _KEPT_MINUTES) -> list[Minute]:
        """The newest `count` candles that open before a time, oldest first; one without a trade is absent."""
        found = sorted(
            (minute for minute in self._traded.values() if minute.opened_ms < before_ms),
            key=lambda minute: minute.opened_ms,
        )
        first_traded = next(iter(self._traded), 1 << 62)
        if len(found) >= count:
            return found[len(found) - count :]
        return self._past(min(before_ms, first_traded), count - len(found)) + found

    def _past(self, before_ms: int, count: int) -> list[Minute]:
        first_ms = self._epoch_ms - self._epoch_ms % MINUTE_MS - (PAST_MINUTES - 1) * MINUTE_MS
        end = max(0, min(PAST_MINUTES, -(-(before_ms - first_ms) // MINUTE_MS)))
        if self._deviations is None:
            self._deviations = self._walk_back()
        return [self._quiet_minute(first_ms, place, self._deviations) for place in range(max(0, end - count), end)]

    def _walk_back(self) -> "array[float]":
        """From the opening price, so that past and present join without a jump."""
        rng = random.Random(f"{self._seed}:past:{self._instrument.exchange}:{self._instrument.symbol}")
        deviations = array("d", [0.0])
        for _ in range(PAST_MINUTES):
            deviations.append(deviations[-1] * (1 - _PAST_PULL) + rng.gauss(0, _PAST_SIGMA))
        return deviations[::-1]

    def _quiet_minute(self, first_ms: int, place: int, deviations: "array[float]") -> Minute:
        instrument, opened_ms = self._instrument, first_ms + place * MINUTE_MS
        rng = random.Random(f"{self._seed}:{instrument.exchange}:{instrument.symbol}:{place}")
        ticks, tick = instrument.anchor // instrument.tick, instrument.tick
        first, last = (round(ticks * (1 + deviation)) * tick for deviation in deviations[place : place + 2])
        high, low = max(first, last) + rng.randrange(3) * tick, min(first, last) - rng.randrange(3) * tick
        by_day = 1 + _DAY_SWING * math.sin(2 * math.pi * (opened_ms % _DAY_MS) / _DAY_MS)
        usual = usual_day_volume(instrument) / PAST_MINUTES
        volume = max(1, int(usual * by_day * rng.lognormvariate(0, _VOLUME_SIGMA)))
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
            trades=rng.randint(20, 200),
            last_traded_ms=opened_ms + MINUTE_MS - 1_000,
        )
