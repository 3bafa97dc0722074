"""Fires when the price is a fixed percentage away from an extreme of the last five minutes."""

from dataclasses import dataclass

from services.alert_worker.baseline import Baseline
from services.alert_worker.rules.base import TIE, Finding, Sight, larger_move

A_DOLLAR = {
    "KRW": 1_400.0, "USDT": 1.0, "USDC": 1.0, "FDUSD": 1.0, "BUSD": 1.0, "TUSD": 1.0, "USD": 1.0, "EUR": 0.9,
    "TRY": 40.0, "BRL": 5.5, "JPY": 150.0, "BTC": 1e-5, "ETH": 3e-4, "BNB": 1.5e-3,
}  # fmt: skip
"""Roughly what a dollar is in each quote currency: tiers are orders of magnitude apart."""

TIERS: tuple[tuple[float, float], ...] = ((50_000.0, 0.02), (5_000.0, 0.03), (0.0, 0.08))
"""(dollars a minute at least, threshold), busiest first: what is a crash of bitcoin is noise elsewhere."""

UNKNOWN = 0.03
"""The threshold of a symbol whose turnover is not known yet: it was listed, or we were started, minutes ago."""


@dataclass(frozen=True, slots=True)
class MoveAbs:
    """A move of at least the tier's fixed percentage within five minutes."""

    name: str = "move_abs"

    def judge(self, sight: Sight) -> Finding | None:
        """See the module."""
        window = sight.window
        before, change = larger_move(window.last, window.high, window.low, sight.direction)
        if abs(change) < threshold(sight.baseline, sight.quote) - TIE:
            return None
        return Finding(self.name, before, change)


def threshold(baseline: Baseline, quote: str) -> float:
    """The fraction that counts as abnormal, by how much of the symbol is traded."""
    if not baseline.is_warm or quote not in A_DOLLAR:
        return UNKNOWN
    dollars = baseline.turnover / A_DOLLAR[quote]
    return next(fraction for least, fraction in TIERS if dollars >= least)
