"""The trading desk of one instrument: its price now, its day, its last book; makes the next trade, ticker and book."""

import math
import random
from collections.abc import Sequence

from services.simulator.market.instruments import Instrument, usual_day_volume
from services.simulator.market.records import Book, Ticker, Trade
from services.simulator.scenarios import Move

MS_A_DAY = 86_400_000
LEVELS = 30
_POOL = 509  # prime, so that strides never fall into step with it
_TRADES_A_DAY = 300_000
_UPBIT_LAG_MS = 12
_BINANCE_LAG_MS = 1


class Walk:
    """A mean-reverting random walk around zero, clamped: a quiet price for as long as anyone likes to watch.

    The clamp keeps any two prices of a quiet market within 0.4 % of each other, below every alert's floor.
    """

    SIGMA_PER_ROOT_S = 0.0005 / math.sqrt(60)
    PULL_PER_S = 0.0032
    CLAMP = 0.002

    def __init__(self, rng: random.Random) -> None:
        self._gauss = rng.gauss
        self._at_s = 0.0
        self._deviation = 0.0

    def at(self, seconds: float) -> float:
        """Walk on to `seconds` since the market opened and give the deviation as a fraction of the anchor."""
        step_s = seconds - self._at_s
        if step_s > 0:
            self._at_s = seconds
            drift = self._deviation * (1 - self.PULL_PER_S * step_s)
            moved = drift + self.SIGMA_PER_ROOT_S * math.sqrt(step_s) * self._gauss(0, 1)
            self._deviation = max(-self.CLAMP, min(self.CLAMP, moved))
        return self._deviation


class Desk:
    """All that changes about one instrument. `epoch_ms` is when the market opened, Unix milliseconds;
    `clock_ahead_ms` is how wrong the exchange's clock is."""

    def __init__(
        self, instrument: Instrument, walk: Walk, moves: Sequence[Move], rng: random.Random, epoch_ms: int
    ) -> None:
        self.instrument = instrument
        self._walk = walk
        self._moves = [move for move in moves if move.concerns(instrument.exchange, instrument.base)]
        self._rng = rng
        self.epoch_ms = epoch_ms
        self.clock_ahead_ms = 0
        self._lag_ms = _UPBIT_LAG_MS if instrument.exchange == "upbit" else _BINANCE_LAG_MS
        self._sizes = _size_pool(instrument, rng)
        self._bid_gaps, self._ask_gaps = _gaps(instrument, rng), _gaps(instrument, rng)
        self._high = self._low = instrument.anchor
        self._open_day(instrument.anchor, epoch_ms)
        self._price = instrument.anchor
        self._volume = usual_day_volume(instrument)
        self._turnover = self._volume * instrument.anchor
        self._day_volume, self._day_turnover = self._volume // 3, self._turnover // 3
        self._day_buy_volume = self._day_volume // 2
        self._last: Trade | None = None
        self._id_ms, self._ids_in_ms = 0, 0
        # Upbit spells ids in 16 digits for some markets and in 17 for others.
        self._ids_per_ms = 1_000 if instrument.rank % 3 == 2 else 10_000
        self._next_id = 1_000_000_000 + rng.randrange(3_000_000_000)
        self._first_id = self._next_id
        self._sequence = 10_000_000_000 + rng.randrange(40_000_000_000)

    def trade(self, seconds: float) -> Trade:
        """Make the next trade. It counts in the statistics only by `settle`, because it may be told late."""
        rng, instrument = self._rng, self.instrument
        middle = self._middle(seconds)
        is_buy = rng.random() < 0.5
        now_ms = self.now_ms(seconds)
        traded_ms = now_ms - self._lag_ms
        place = int(rng.random() * _POOL)
        bid, ask = middle, middle + instrument.tick
        return Trade(
            instrument,
            self._trade_id(traded_ms),
            ask if is_buy else bid,
            self._sizes[place],
            is_buy,
            traded_ms,
            now_ms,
            self._previous_close,
            bid,
            self._sizes[place - 7],
            ask,
            self._sizes[place - 11],
        )

    def settle(self, trade: Trade, *, is_late: bool = False) -> None:
        """Count a trade that is being told in the day's statistics; a late one does not move the last price."""
        quantity, turnover = trade.quantity, trade.quantity * trade.price
        self._volume += quantity
        self._turnover += turnover
        self._day_volume += quantity
        self._day_turnover += turnover
        if trade.is_buy:
            self._day_buy_volume += quantity
        self._high = max(self._high, trade.price)
        self._low = min(self._low, trade.price)
        if not is_late:
            self._price = trade.price
            self._last = trade

    def ticker(self, seconds: float) -> Ticker:
        """Tell the day's statistics."""
        now_ms = self.now_ms(seconds)
        if now_ms // MS_A_DAY != self._day and self.instrument.exchange == "upbit":
            self._open_day(self._price, now_ms)
        last = self._last
        place = int(self._rng.random() * _POOL)
        middle = self._middle(seconds)
        return Ticker(
            self.instrument,
            now_ms,
            self._price,
            self._open,
            self._high,
            self._low,
            self._previous_close,
            self._volume,
            self._turnover,
            self._day_volume,
            self._day_turnover,
            self._day_buy_volume,
            last.quantity if last else self._sizes[0],
            last.is_buy if last else True,
            last.traded_ms if last else now_ms,
            self._first_id,
            self._next_id - 1,
            middle,
            self._sizes[place],
            middle + self.instrument.tick,
            self._sizes[place - 5],
        )

    def book(self, seconds: float) -> Book:
        """Tell the whole order book; a quiet market's asks are thin now and then."""
        rng = self._rng
        middle = self._middle(seconds)
        place, ask_place = int(rng.random() * _POOL), int(rng.random() * _POOL)
        thin = self.instrument.rank > 2 and rng.random() < 0.03
        depth = 1 + int(rng.random() * 4) if thin else LEVELS
        ask = middle + self.instrument.tick
        self._sequence += 1 + place % 19
        return Book(
            self.instrument,
            self.now_ms(seconds),
            self._sequence,
            [middle - gap for gap in self._bid_gaps],
            self._sizes[place : place + LEVELS],
            [ask + gap for gap in self._ask_gaps[:depth]],
            self._sizes[ask_place : ask_place + depth],
        )

    def move(self, move: Move) -> None:
        """Let one more abnormal move happen here."""
        self._moves.append(move)

    def skip_ids(self, count: int) -> None:
        """Leave a hole of `count` in consecutive trade ids."""
        self._next_id += count

    def _middle(self, seconds: float) -> int:
        deviation = self._walk.at(seconds)
        for move in self._moves:
            deviation += move.percent_at(seconds) / 100
        tick = self.instrument.tick
        return max(LEVELS + 1, round(self.instrument.anchor // tick * (1 + deviation))) * tick

    def now_ms(self, seconds: float) -> int:
        """Turn seconds since the market opened into Unix milliseconds."""
        return self.epoch_ms + self.clock_ahead_ms + int(seconds * 1000)

    def _trade_id(self, traded_ms: int) -> int:
        if self.instrument.exchange != "upbit":
            self._next_id += 1
            return self._next_id - 1
        traded_ms -= self.clock_ahead_ms  # a clock that goes back must not give an id twice
        self._ids_in_ms = self._ids_in_ms + 1 if traded_ms == self._id_ms else 0
        self._id_ms = traded_ms
        return traded_ms * self._ids_per_ms + self._ids_in_ms

    def _open_day(self, price: int, now_ms: int) -> None:
        self._day = now_ms // MS_A_DAY
        self._open = self._previous_close = self._high = self._low = price
        self._day_volume = self._day_turnover = self._day_buy_volume = 0


def _size_pool(instrument: Instrument, rng: random.Random) -> list[int]:
    """Quantities that repeat: many small, few large, some round, a few below a thousandth."""
    typical = max(3, usual_day_volume(instrument) // _TRADES_A_DAY)
    pool = [max(1, int(typical * rng.lognormvariate(0, 1.2))) for _ in range(_POOL + LEVELS)]
    if instrument.quantity_scale >= 5:
        step = 10 ** (instrument.quantity_scale - 4)
        pool[::5] = [max(step, size // step * step) for size in pool[::5]]
    return pool


def _gaps(instrument: Instrument, rng: random.Random) -> list[int]:
    """Distances of the levels from the best: every tick on Upbit, with holes on Binance."""
    widest = 1 if instrument.exchange == "upbit" else 6
    gaps = [0]
    while len(gaps) < LEVELS:
        gaps.append(gaps[-1] + instrument.tick * rng.randint(1, widest))
    return gaps
