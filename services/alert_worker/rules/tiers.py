"""Who belongs to which tier, learnt from how much money changes hands: a crash of bitcoin is noise elsewhere."""

from typing import Annotated

from pydantic import Field, model_validator

from services.alert_worker.baseline import Baseline
from services.alert_worker.rules.parameters import Parameters, Tier

A_DOLLAR = {
    "KRW": 1_400.0, "USDT": 1.0, "USDC": 1.0, "FDUSD": 1.0, "BUSD": 1.0, "TUSD": 1.0, "USD": 1.0, "EUR": 0.9,
    "TRY": 40.0, "BRL": 5.5, "JPY": 150.0, "BTC": 1e-5, "ETH": 3e-4, "BNB": 1.5e-3,
}  # fmt: skip
"""Roughly what a dollar is in each quote currency: tiers are orders of magnitude apart."""

Dollars = Annotated[float, Field(gt=0, le=1e12)]


class Tiers(Parameters):
    """From which turnover on a symbol is of a tier; below both it is thin, and new until its turnover is known."""

    busy_dollars_a_minute: Dollars = Field(default=50_000.0, description="from this turnover on a symbol is busy")
    middle_dollars_a_minute: Dollars = Field(default=5_000.0, description="from this on middle, below it thin")

    @model_validator(mode="after")
    def _in_order(self) -> "Tiers":
        if self.busy_dollars_a_minute <= self.middle_dollars_a_minute:
            raise ValueError("busy_dollars_a_minute has to be more than middle_dollars_a_minute")
        return self

    def of(self, baseline: Baseline, quote: str) -> Tier:
        """The tier of a symbol. ``new``: it was listed, or we were started, minutes ago."""
        if not baseline.is_warm or quote not in A_DOLLAR:
            return "new"
        dollars = baseline.turnover / A_DOLLAR[quote]
        if dollars >= self.busy_dollars_a_minute:
            return "busy"
        return "middle" if dollars >= self.middle_dollars_a_minute else "thin"


TIERS_BY_DEFAULT = Tiers()
