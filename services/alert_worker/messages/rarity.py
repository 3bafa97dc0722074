"""How rare a move is, in plain words. Pure.

Prices have fat tails: a normal distribution calls a move of six sigma impossible, and it comes every other day.
Counted on four months of bitcoin's minutes (calm and wild), a move of at least s sigma comes once in (s / 7.5)^2.66
days: every 0.5 days at 6, 2 at 10, 13 at 20, 40 at 30.
"""

import math
from decimal import Decimal

from services.alert_worker.messages.wording import Wording

_ONCE_A_DAY_SIGMA, _EXPONENT = 7.5, 2.66
_MONTH_DAYS, _YEAR_DAYS = 30.4, 365.25


def days_between(sigma: float) -> float:
    """Days from one such move of a symbol to the next, on average."""
    return math.pow(max(sigma, 0.01) / _ONCE_A_DAY_SIGMA, _EXPONENT)


def in_words(sigma: str | None, wording: Wording) -> str:
    """``about once in 40 days``."""
    if sigma is None:
        return wording.rarity_unknown
    days = days_between(abs(float(Decimal(sigma))))
    if days < 0.2:
        return wording.rarity_ordinary
    if days < 0.75:
        return wording.rarity_times_a_day.format(round(1 / days))
    if days < 1.5:
        return wording.rarity_once_a_day
    if days < 2 * _MONTH_DAYS:
        return wording.rarity_days.format(round(days))
    if days < 2 * _YEAR_DAYS:
        return wording.rarity_months.format(round(days / _MONTH_DAYS))
    return wording.rarity_years
