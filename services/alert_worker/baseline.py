"""What is usual for one symbol: how far a minute moves its price, and how much money changes hands in it."""

import math
from ctypes import Structure, c_double, c_int32, c_int64
from typing import Any

from services.alert_worker.prices import MAX_PRICE
from services.alert_worker.trend import Trend
from services.alert_worker.volume import Compared, Volume

MINUTE_US = 60_000_000
HALF_LIFE_MINUTES = 240
WARM_MINUTES = 30
HELD_OUT_MINUTES = 5
_LONGEST_STEP_MINUTES = 10
_LONGEST_REACH_MINUTES = 1_440
_MEDIAN_MINUTES = 240
"""Candles of earlier minutes no longer move the median: it follows the newest hundred or so."""

_KEEP = 0.5 ** (1 / HALF_LIFE_MINUTES)
_CLIP_SIGMAS = 5.0
_MEDIAN_STEP = 0.02
_MEDIAN_TO_SIGMA = 1.4826


class _Learnt(Structure):
    """What was learnt so far. It is touched once a minute, and as C keeps it a number takes eight bytes, not forty."""

    _fields_ = (
        ("minutes", c_int32),  # how many minute returns the volatility rests on
        ("trades_before", c_int32),  # trades in the minute before the one under way,
        ("close", c_int64),  # the last price before the minute under way; 0 for none
        ("spent_before", c_double),  # and money
        ("square_sum", c_double),
        ("square_weight", c_double),
        ("traded_sum", c_double),
        ("turnover_sum", c_double),
        ("turnover_weight", c_double),
        ("median", c_double),
        ("moved", c_int32),
        ("oldest", c_int64),  # the first minute that counted,
        ("oldest_close", c_double),  # and its last price where a candle told it
        ("told_until", c_int64),  # the newest minute that a candle told,
        ("told_close", c_double),  # and its last price
        ("held_out", c_int32),  # so many of the newest minutes, oldest first,
        ("held_out_minutes", c_int64 * (HELD_OUT_MINUTES + 1)),
        ("held_out_returns", c_double * (HELD_OUT_MINUTES + 1)),
        ("trend", Trend),
        ("volume", Volume),
    )

    def held(self) -> list[tuple[int, float]]:
        """(minute, return) of those that are held out, oldest first."""
        count = self.held_out
        return list(zip(self.held_out_minutes[:count], self.held_out_returns[:count], strict=True))

    def hold_out(self, minute: int, log_return: float) -> None:
        """Keep the newest minute apart."""
        self.held_out_minutes[self.held_out], self.held_out_returns[self.held_out] = minute, log_return
        self.held_out += 1

    def let_in(self, until_minute: int) -> list[float]:
        """Returns of the minutes up to this one, which are held out no longer."""
        held = self.held()
        self.held_out = 0
        for minute, log_return in held:
            if minute > until_minute:
                self.hold_out(minute, log_return)
        return [log_return for minute, log_return in held if minute <= until_minute]


class Baseline:
    """Exponentially weighted volatility of minute returns, and turnover a minute (in the quote currency).

    Only minutes with trades give a return, so that a symbol which seldom trades does not look calm. The newest five
    minutes are held out: the move under test must not raise its own bar. A return counts at most five times the
    volatility so far, or one crash would blind the rules for hours. The median size of the minutes that moved at all is
    followed by steps of two per cent, so that however large a jump is, it counts as one minute.

    What was before the first trade comes from the exchange's own minutes. They make one stretch with those of the
    trades, which grows at its ends only: so no minute counts twice, whoever told it first.
    """

    __slots__ = ("_learnt", "ends_us", "spent", "trades")

    def __init__(self) -> None:
        self.ends_us = 0
        """When the minute under way is over; 0 when none is."""
        self.spent = 0.0
        """Money that changed hands in it so far."""
        self.trades = 0
        """How many trades it had so far."""
        self._learnt = _Learnt()

    @property
    def minute(self) -> int:
        """The minute that is not over yet, since the epoch; 0 for none."""
        return self.ends_us // MINUTE_US - 1 if self.ends_us else 0

    @property
    def minutes(self) -> int:
        """How many minute returns the volatility rests on."""
        return int(self._learnt.minutes)

    @property
    def trend(self) -> Trend:
        """How long the price has been going one way."""
        trend: Trend = self._learnt.trend
        return trend

    @property
    def volume(self) -> Volume:
        """How much money usually changes hands."""
        volume: Volume = self._learnt.volume
        return volume

    @property
    def is_warm(self) -> bool:
        """Whether there were enough minutes to judge by."""
        return self.minutes >= WARM_MINUTES

    @property
    def sigma(self) -> float:
        """Standard deviation of a minute's log return; 0 before the first."""
        learnt = self._learnt
        return math.sqrt(learnt.square_sum / learnt.square_weight) if learnt.square_weight else 0.0

    @property
    def robust_sigma(self) -> float:
        """The same by the median minute that moved; 0 before the first."""
        return _MEDIAN_TO_SIGMA * float(self._learnt.median)

    @property
    def recent_trades(self) -> int:
        """Trades in the minute under way and the one before."""
        return int(self._learnt.trades_before) + self.trades

    @property
    def recent_money(self) -> float:
        """Money in the minute under way and the one before."""
        return float(self._learnt.spent_before) + self.spent

    @property
    def busy_share(self) -> float:
        """Share of the minutes that had a trade."""
        return self._a_minute(self._learnt.traded_sum)

    @property
    def turnover(self) -> float:
        """Money a minute, in the quote currency."""
        return self._a_minute(self._learnt.turnover_sum)

    @property
    def oldest(self) -> int:
        """The first minute that counted; 0 before any did."""
        return int(self._learnt.oldest)

    def takes(self, minute: int) -> bool:
        """Whether `take_candle` would count a candle of this minute."""
        return self._is_below(minute) or self._is_above(minute)

    def knows(self, minute: int) -> bool:
        """Whether this minute lies in what is known, so that no candle of it will ever count."""
        return 0 < self.oldest <= minute and not self._is_above(minute)

    def begin_minute(self, minute: int, close: int) -> None:
        """A trade falls into a new minute (since the epoch); `close` is the price just before it, 0 for none."""
        learnt, before = self._learnt, self.minute
        is_next = minute - before == 1
        learnt.spent_before, learnt.trades_before = (self.spent, self.trades) if is_next else (0.0, 0)
        if before:
            step = minute - before
            is_told = before <= learnt.told_until
            if not is_told:
                self._count_money(step, self.spent)
                learnt.volume.learn(before, self.spent)
            if close > 0 and learnt.close > 0 and step <= _LONGEST_STEP_MINUTES:
                self._add_return(minute, close, math.log(close / learnt.close), is_told=is_told)
            else:
                learnt.trend.restart()
            for log_return in learnt.let_in(minute - HELD_OUT_MINUTES):
                self._learn(log_return)
        learnt.oldest = learnt.oldest or minute
        learnt.close, self.spent, self.trades = close, 0.0, 0
        self.ends_us = (minute + 1) * MINUTE_US

    def take_candle(self, minute: int, close: float, money: float) -> bool:
        """A minute (since the epoch) in which there were trades, as its exchange tells it; say whether it counted.

        It does where it makes what is known longer: an older one always, by a day at once; a newer one until trades
        tell of the present themselves.
        """
        if self._is_below(minute):
            self._put_below(minute, close, money)
        elif self._is_above(minute):
            self._put_above(minute, close, money)
        else:
            return False
        self._learnt.volume.learn(minute, money)
        return True

    def volume_now(self) -> Compared | None:
        """The minute under way or the one before, whichever saw more money, beside what is usual at this time."""
        return self.volume.compare(self.minute, max(self.spent, self._learnt.spent_before))

    def multiply(self, factor: int) -> None:
        """Change the scale of all prices."""
        close = self._learnt.close * factor
        self._learnt.close = close if close < MAX_PRICE else 0
        self._learnt.trend.multiply(factor)

    def interrupt(self) -> None:
        """Another time begins: what is usual stays, the minute under way and those held out are given up."""
        learnt = self._learnt
        self.ends_us, self.spent, self.trades = 0, 0.0, 0
        learnt.close, learnt.spent_before, learnt.trades_before = 0, 0.0, 0
        learnt.held_out, learnt.told_close = 0, 0.0
        learnt.trend.restart()

    def _a_minute(self, total: float) -> float:
        weight = float(self._learnt.turnover_weight)
        return total / weight if weight else 0.0

    def _is_below(self, minute: int) -> bool:
        return not self.oldest or 0 < self.oldest - minute <= _LONGEST_REACH_MINUTES

    def _is_above(self, minute: int) -> bool:
        return not self.minute and minute > int(self._learnt.told_until)

    def _count_money(self, step: int, money: float) -> None:
        """A minute is over and so are the `step` - 1 after it, in which there was no trade."""
        learnt, kept = self._learnt, _KEEP ** min(step, 100_000)
        learnt.turnover_sum = learnt.turnover_sum * kept + money * (1 - _KEEP)
        learnt.traded_sum = learnt.traded_sum * kept + (1 - _KEEP)
        learnt.turnover_weight = learnt.turnover_weight * kept + (1 - kept)

    def _put_above(self, minute: int, close: float, money: float) -> None:
        learnt = self._learnt
        step = minute - learnt.told_until
        if learnt.told_close > 0 and step <= _LONGEST_STEP_MINUTES:
            self._learn(math.log(close / learnt.told_close))
        self._count_money(step, money)
        learnt.told_until, learnt.told_close = minute, close

    def _put_below(self, minute: int, close: float, money: float) -> None:
        """What is older weighs as much as it would, had it come in its time: all weights add up to one in the end."""
        learnt = self._learnt
        skipped = max(0, learnt.oldest - minute - 1) if learnt.oldest else 0
        weight = learnt.turnover_weight
        weight += (1 - _KEEP**skipped) * (1 - weight)
        share = (1 - _KEEP) * (1 - weight)
        learnt.turnover_sum += money * share
        learnt.traded_sum += share
        learnt.turnover_weight = weight + share
        if learnt.oldest_close > 0 and skipped < _LONGEST_STEP_MINUTES:
            self._learn_older(math.log(learnt.oldest_close / close))
        learnt.oldest, learnt.oldest_close = minute, close
        if not learnt.told_until:
            learnt.told_until, learnt.told_close = minute, close

    def _learn_older(self, log_return: float) -> None:
        learnt, square = self._learnt, self._clipped(log_return * log_return)
        share = (1 - _KEEP) * (1 - learnt.square_weight)
        learnt.square_sum += square * share
        learnt.square_weight += share
        learnt.minutes += 1
        if learnt.moved < _MEDIAN_MINUTES:
            self._follow_median(abs(log_return))

    def _add_return(self, minute: int, close: int, log_return: float, *, is_told: bool) -> None:
        if not is_told:
            self._learnt.hold_out(minute, log_return)
        if self.is_warm and (sigma := self.sigma) > 0:
            self._learnt.trend.add(minute, close, log_return / sigma)

    def _learn(self, log_return: float) -> None:
        learnt, square = self._learnt, self._clipped(log_return * log_return)
        learnt.square_sum = learnt.square_sum * _KEEP + square * (1 - _KEEP)
        learnt.square_weight = learnt.square_weight * _KEEP + (1 - _KEEP)
        learnt.minutes += 1
        self._follow_median(abs(log_return))

    def _clipped(self, square: float) -> float:
        learnt = self._learnt
        return min(square, _CLIP_SIGMAS**2 * learnt.square_sum / learnt.square_weight) if self.is_warm else square

    def _follow_median(self, size: float) -> None:
        learnt = self._learnt
        if size > 0:
            learnt.moved += 1
            step = max(_MEDIAN_STEP, min(1.0, 2 / learnt.moved))
            learnt.median = learnt.median * math.exp(step if size > learnt.median else -step) if learnt.median else size

    def packed(self) -> list[Any]:
        """Everything, as plain values."""
        learnt = self._learnt
        return [
            learnt.minutes, self.minute, learnt.close, self.spent, learnt.held(), learnt.square_sum,
            learnt.square_weight, learnt.turnover_sum, learnt.turnover_weight, self.trades, learnt.spent_before,
            learnt.trades_before, learnt.median, learnt.moved, learnt.traded_sum, learnt.oldest,
            learnt.oldest_close, learnt.told_until, learnt.told_close, learnt.trend.packed(), learnt.volume.packed(),
        ]  # fmt: skip

    @classmethod
    def unpacked(cls, packed: list[Any]) -> "Baseline":
        """The inverse of `packed`."""
        baseline = cls()
        learnt = baseline._learnt
        (
            learnt.minutes, minute, learnt.close, baseline.spent, held_out, learnt.square_sum,
            learnt.square_weight, learnt.turnover_sum, learnt.turnover_weight, baseline.trades, learnt.spent_before,
            learnt.trades_before, learnt.median, learnt.moved, learnt.traded_sum, learnt.oldest,
            learnt.oldest_close, learnt.told_until, learnt.told_close, trend, volume,
        ) = packed  # fmt: skip
        baseline.ends_us = (minute + 1) * MINUTE_US if minute else 0
        for held_out_minute, log_return in held_out:
            learnt.hold_out(held_out_minute, log_return)
        learnt.trend.unpack(trend)
        learnt.volume = Volume.unpacked(volume)
        return baseline
