"""What is usual for one symbol: how far a minute moves its price, and how much money changes hands in it."""

import math
from typing import Any

from services.alert_worker.trend import Trend

HALF_LIFE_MINUTES = 240
WARM_MINUTES = 30
HELD_OUT_MINUTES = 5
_LONGEST_STEP_MINUTES = 10
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
    """

    __slots__ = (
        "_close",
        "_held_out",
        "_median",
        "_moved",
        "_spent_before",
        "_square_sum",
        "_square_weight",
        "_traded_sum",
        "_trades_before",
        "_turnover_sum",
        "_turnover_weight",
        "minute",
        "minutes",
        "spent",
        "trades",
        "trend",
    )  # fmt: skip

    def __init__(self) -> None:
        self.minutes = 0
        """How many minute returns the volatility rests on."""
        self.minute = 0
        """The minute that is not over yet, since the epoch."""
        self.spent = 0.0
        """Money that changed hands in it so far."""
        self.trades = 0
        """How many trades it had so far."""
        self.trend = Trend()
        self._spent_before, self._trades_before = 0.0, 0
        self._close = 0
        self._median, self._moved = 0.0, 0
        self._held_out: list[tuple[int, float]] = []
        self._square_sum = self._square_weight = 0.0
        self._traded_sum = self._turnover_sum = self._turnover_weight = 0.0

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

    def begin_minute(self, minute: int, close: int) -> None:
        """A trade falls into a new minute (since the epoch); `close` is the price just before it, 0 for none."""
        is_next = minute - self.minute == 1
        self._spent_before, self._trades_before = (self.spent, self.trades) if is_next else (0.0, 0)
        if self.minute:
            step = minute - self.minute
            kept = _KEEP ** min(step, 100_000)
            self._turnover_sum = self._turnover_sum * kept + self.spent * (1 - _KEEP)
            self._traded_sum = self._traded_sum * kept + (1 - _KEEP)
            self._turnover_weight = self._turnover_weight * kept + (1 - kept)
            if close > 0 and self._close > 0 and step <= _LONGEST_STEP_MINUTES:
                self._add_return(minute, close, math.log(close / self._close))
            else:
                self.trend.restart()
            while self._held_out and self._held_out[0][0] <= minute - HELD_OUT_MINUTES:
                self._learn(self._held_out.pop(0)[1])
        self.minute, self._close, self.spent, self.trades = minute, close, 0.0, 0

    def multiply(self, factor: int) -> None:
        """Change the scale of all prices."""
        self._close *= factor
        self.trend.multiply(factor)

    def interrupt(self) -> None:
        """Another time begins: what is usual stays, the minute under way and those held out are given up."""
        self.minute, self._close, self.spent, self.trades = 0, 0, 0.0, 0
        self._spent_before, self._trades_before = 0.0, 0
        self._held_out.clear()
        self.trend.restart()

    def _add_return(self, minute: int, close: int, log_return: float) -> None:
        self._held_out.append((minute, log_return))
        if self.is_warm and (sigma := self.sigma) > 0:
            self.trend.add(minute, close, log_return / sigma)

    def _learn(self, log_return: float) -> None:
        square = log_return * log_return
        if self.is_warm:
            square = min(square, _CLIP_SIGMAS**2 * self._square_sum / self._square_weight)
        self._square_sum = self._square_sum * _KEEP + square * (1 - _KEEP)
        self._square_weight = self._square_weight * _KEEP + (1 - _KEEP)
        self.minutes += 1
        if (size := abs(log_return)) > 0:
            self._moved += 1
            step = max(_MEDIAN_STEP, min(1.0, 2 / self._moved))
            self._median = self._median * math.exp(step if size > self._median else -step) if self._median else size

    def packed(self) -> list[Any]:
        """Everything, as plain values."""
        return [
            self.minutes, self.minute, self._close, self.spent, self._held_out, self._square_sum,
            self._square_weight, self._turnover_sum, self._turnover_weight, self.trades, self._spent_before,
            self._trades_before, self._median, self._moved, self._traded_sum, self.trend.packed(),
        ]  # fmt: skip

    @classmethod
    def unpacked(cls, packed: list[Any]) -> "Baseline":
        """The inverse of `packed`."""
        baseline = cls()
        (
            baseline.minutes, baseline.minute, baseline._close, baseline.spent, held_out, baseline._square_sum,
            baseline._square_weight, baseline._turnover_sum, baseline._turnover_weight, baseline.trades,
            baseline._spent_before, baseline._trades_before, baseline._median, baseline._moved, baseline._traded_sum,
            trend,
        ) = packed  # fmt: skip
        baseline._held_out = [(minute, value) for minute, value in held_out]
        baseline.trend.unpack(trend)
        return baseline
