"""What is usual for one symbol: how far a minute moves its price, and how much money changes hands in it."""

import math
from array import array
from typing import Any

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


class Baseline:
    """Exponentially weighted volatility of minute returns, and turnover a minute (in the quote currency).

    Only minutes with trades give a return, so that a symbol which seldom trades does not look calm. The newest five
    minutes are held out: the move under test must not raise its own bar. A return counts at most five times the
    volatility so far, or one crash would blind the rules for hours. The median size of the minutes that moved at all is
    followed by steps of two per cent, so that however large a jump is, it counts as one minute.

    What was before the first trade comes from the exchange's own minutes. They make one stretch with those of the
    trades, which grows at its ends only: so no minute counts twice, whoever told it first.
    """

    __slots__ = (
        "_close",
        "_held_out",
        "_median",
        "_moved",
        "_oldest",
        "_oldest_close",
        "_spent_before",
        "_square_sum",
        "_square_weight",
        "_told_close",
        "_told_until",
        "_traded_sum",
        "_trades_before",
        "_turnover_sum",
        "_turnover_weight",
        "ends_us",
        "minute",
        "minutes",
        "spent",
        "trades",
        "trend",
        "volume",
    )  # fmt: skip

    def __init__(self) -> None:
        self.minutes = 0
        """How many minute returns the volatility rests on."""
        self.minute = 0
        """The minute that is not over yet, since the epoch."""
        self.ends_us = 0
        """When it is over."""
        self.spent = 0.0
        """Money that changed hands in it so far."""
        self.trades = 0
        """How many trades it had so far."""
        self.trend = Trend()
        self.volume = Volume()
        self._spent_before, self._trades_before = 0.0, 0
        self._close = 0
        self._median, self._moved = 0.0, 0
        self._held_out = array("d")
        """Minutes and their returns by turns, oldest first: pairs of objects would take six times the room."""
        self._square_sum = self._square_weight = 0.0
        self._traded_sum = self._turnover_sum = self._turnover_weight = 0.0
        self._oldest, self._oldest_close = 0, 0.0
        """The first minute that counted, and its last price where a candle told it."""
        self._told_until, self._told_close = 0, 0.0
        """The newest minute that a candle told, and its last price."""

    @property
    def is_warm(self) -> bool:
        """Whether there were enough minutes to judge by."""
        return self.minutes >= WARM_MINUTES

    @property
    def sigma(self) -> float:
        """Standard deviation of a minute's log return; 0 before the first."""
        return math.sqrt(self._square_sum / self._square_weight) if self._square_weight else 0.0

    @property
    def robust_sigma(self) -> float:
        """The same by the median minute that moved; 0 before the first."""
        return _MEDIAN_TO_SIGMA * self._median

    @property
    def recent_trades(self) -> int:
        """Trades in the minute under way and the one before."""
        return self._trades_before + self.trades

    @property
    def recent_money(self) -> float:
        """Money in the minute under way and the one before."""
        return self._spent_before + self.spent

    @property
    def busy_share(self) -> float:
        """Share of the minutes that had a trade."""
        return self._traded_sum / self._turnover_weight if self._turnover_weight else 0.0

    @property
    def turnover(self) -> float:
        """Money a minute, in the quote currency."""
        return self._turnover_sum / self._turnover_weight if self._turnover_weight else 0.0

    @property
    def oldest(self) -> int:
        """The first minute that counted; 0 before any did."""
        return self._oldest

    def takes(self, minute: int) -> bool:
        """Whether `take_candle` would count a candle of this minute."""
        return self._is_below(minute) or self._is_above(minute)

    def knows(self, minute: int) -> bool:
        """Whether this minute lies in what is known, so that no candle of it will ever count."""
        return bool(self._oldest) and minute >= self._oldest and not self._is_above(minute)

    def begin_minute(self, minute: int, close: int) -> None:
        """A trade falls into a new minute (since the epoch); `close` is the price just before it, 0 for none."""
        is_next = minute - self.minute == 1
        self._spent_before, self._trades_before = (self.spent, self.trades) if is_next else (0.0, 0)
        if self.minute:
            step = minute - self.minute
            is_told = self.minute <= self._told_until
            if not is_told:
                self._count_money(step, self.spent)
                self.volume.learn(self.minute, self.spent)
            if close > 0 and self._close > 0 and step <= _LONGEST_STEP_MINUTES:
                self._add_return(minute, close, math.log(close / self._close), is_told=is_told)
            else:
                self.trend.restart()
            while self._held_out and self._held_out[0] <= minute - HELD_OUT_MINUTES:
                self._held_out.pop(0)
                self._learn(self._held_out.pop(0))
        self._oldest = self._oldest or minute
        self.minute, self._close, self.spent, self.trades = minute, close, 0.0, 0
        self.ends_us = (minute + 1) * MINUTE_US

    def take_candle(self, minute: int, close: float, money: float) -> bool:
        """A minute (since the epoch) in which there were trades, as its exchange tells it; say whether it counted.

        It does where it makes what is known longer: an older one always, by a day at once; a newer one until trades
        tell of the present themselves.
        """
        if self._is_below(minute):
            self._put_below(minute, close, money)
        elif self._is_above(minute):
            step = minute - self._told_until
            if self._told_close > 0 and step <= _LONGEST_STEP_MINUTES:
                self._learn(math.log(close / self._told_close))
            self._count_money(step, money)
            self._told_until, self._told_close = minute, close
        else:
            return False
        self.volume.learn(minute, money)
        return True

    def volume_now(self) -> Compared | None:
        """The minute under way or the one before, whichever saw more money, beside what is usual at this time."""
        return self.volume.compare(self.minute, max(self.spent, self._spent_before))

    def multiply(self, factor: int) -> None:
        """Change the scale of all prices."""
        self._close *= factor
        self.trend.multiply(factor)

    def interrupt(self) -> None:
        """Another time begins: what is usual stays, the minute under way and those held out are given up."""
        self.minute, self.ends_us, self._close, self.spent, self.trades = 0, 0, 0, 0.0, 0
        self._spent_before, self._trades_before = 0.0, 0
        del self._held_out[:]
        self._told_close = 0.0
        self.trend.restart()

    def _is_below(self, minute: int) -> bool:
        return not self._oldest or 0 < self._oldest - minute <= _LONGEST_REACH_MINUTES

    def _is_above(self, minute: int) -> bool:
        return not self.minute and minute > self._told_until

    def _count_money(self, step: int, money: float) -> None:
        """A minute is over and so are the `step` - 1 after it, in which there was no trade."""
        kept = _KEEP ** min(step, 100_000)
        self._turnover_sum = self._turnover_sum * kept + money * (1 - _KEEP)
        self._traded_sum = self._traded_sum * kept + (1 - _KEEP)
        self._turnover_weight = self._turnover_weight * kept + (1 - kept)

    def _put_below(self, minute: int, close: float, money: float) -> None:
        """What is older weighs as much as it would, had it come in its time: all weights add up to one in the end."""
        skipped = max(0, self._oldest - minute - 1) if self._oldest else 0
        weight = self._turnover_weight
        weight += (1 - _KEEP**skipped) * (1 - weight)
        share = (1 - _KEEP) * (1 - weight)
        self._turnover_sum += money * share
        self._traded_sum += share
        self._turnover_weight = weight + share
        if self._oldest_close > 0 and skipped < _LONGEST_STEP_MINUTES:
            self._learn_older(math.log(self._oldest_close / close))
        self._oldest, self._oldest_close = minute, close
        if not self._told_until:
            self._told_until, self._told_close = minute, close

    def _learn_older(self, log_return: float) -> None:
        square = self._clipped(log_return * log_return)
        share = (1 - _KEEP) * (1 - self._square_weight)
        self._square_sum += square * share
        self._square_weight += share
        self.minutes += 1
        if self._moved < _MEDIAN_MINUTES:
            self._follow_median(abs(log_return))

    def _add_return(self, minute: int, close: int, log_return: float, *, is_told: bool) -> None:
        if not is_told:
            self._held_out.extend((minute, log_return))
        if self.is_warm and (sigma := self.sigma) > 0:
            self.trend.add(minute, close, log_return / sigma)

    def _learn(self, log_return: float) -> None:
        square = self._clipped(log_return * log_return)
        self._square_sum = self._square_sum * _KEEP + square * (1 - _KEEP)
        self._square_weight = self._square_weight * _KEEP + (1 - _KEEP)
        self.minutes += 1
        self._follow_median(abs(log_return))

    def _clipped(self, square: float) -> float:
        return min(square, _CLIP_SIGMAS**2 * self._square_sum / self._square_weight) if self.is_warm else square

    def _follow_median(self, size: float) -> None:
        if size > 0:
            self._moved += 1
            step = max(_MEDIAN_STEP, min(1.0, 2 / self._moved))
            self._median = self._median * math.exp(step if size > self._median else -step) if self._median else size

    def packed(self) -> list[Any]:
        """Everything, as plain values."""
        held_out = [
            (int(minute), value) for minute, value in zip(self._held_out[::2], self._held_out[1::2], strict=True)
        ]
        return [
            self.minutes, self.minute, self._close, self.spent, held_out, self._square_sum,
            self._square_weight, self._turnover_sum, self._turnover_weight, self.trades, self._spent_before,
            self._trades_before, self._median, self._moved, self._traded_sum, self._oldest,
            self._oldest_close, self._told_until, self._told_close, self.trend.packed(),
            self.volume.packed(),
        ]  # fmt: skip

    @classmethod
    def unpacked(cls, packed: list[Any]) -> "Baseline":
        """The inverse of `packed`."""
        baseline = cls()
        (
            baseline.minutes, baseline.minute, baseline._close, baseline.spent, held_out, baseline._square_sum,
            baseline._square_weight, baseline._turnover_sum, baseline._turnover_weight, baseline.trades,
            baseline._spent_before, baseline._trades_before, baseline._median, baseline._moved, baseline._traded_sum,
            baseline._oldest, baseline._oldest_close, baseline._told_until, baseline._told_close, trend, volume,
        ) = packed  # fmt: skip
        baseline.ends_us = (baseline.minute + 1) * MINUTE_US if baseline.minute else 0
        baseline._held_out = array("d", [value for pair in held_out for value in pair])
        baseline.trend.unpack(trend)
        baseline.volume = Volume.unpacked(volume)
        return baseline
