"""The rules that one would write first, on closes of minutes, for comparison. Nothing alerts by them."""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import copysign, log, sqrt
from statistics import fmean, pstdev

from services.alert_worker.backtest.minutes import MINUTE_US
from services.alert_worker.backtest.series import Bar

COOLDOWN_US = 10 * MINUTE_US
DAY_BARS = 1440
_ENOUGH_RETURNS = 60
_MAD_TO_SIGMA = 1.4826
_KEEP = 0.5 ** (1 / 240)
_WARM_WEIGHT = 1 - _KEEP**30
_FIVE_MINUTES_US = 5 * MINUTE_US

Firings = Iterator[tuple[int, int]]
"""(end of the minute, direction; 0 where the rule knows none)."""


@dataclass(frozen=True, slots=True)
class NaiveRule:
    """A rule over the minutes of one symbol."""

    name: str
    says: str
    fire: Callable[[Sequence[Bar]], Firings]


def firings(rule: NaiveRule, bars: Sequence[Bar]) -> list[tuple[int, int]]:
    """When the rule alerts: no sooner than ten minutes after it last did."""
    told: list[tuple[int, int]] = []
    for at_us, direction in rule.fire(bars):
        if not told or at_us - told[-1][0] >= COOLDOWN_US:
            told.append((at_us, direction))
    return told


def _windows(bars: Sequence[Bar], size: int = 5) -> Iterator[Sequence[Bar]]:
    return (bars[place - size + 1 : place + 1] for place in range(size - 1, len(bars)))


def _sign(change: float) -> int:
    return int(copysign(1, change))


def _off_the_mean(bars: Sequence[Bar]) -> Firings:
    for window in _windows(bars):
        off = window[-1].close / fmean(bar.close for bar in window) - 1
        if abs(off) >= 0.015:
            yield window[-1].ended_us, _sign(off)


def _volume_of_the_same_five(bars: Sequence[Bar]) -> Firings:
    for window in _windows(bars):
        usual = fmean(bar.volume for bar in window)
        if usual > 0 and window[-1].volume >= 4.5 * usual:
            yield window[-1].ended_us, 0


def _volume_of_the_five_before(bars: Sequence[Bar]) -> Firings:
    for window in _windows(bars, 6):
        usual = fmean(bar.volume for bar in window[:-1])
        if usual > 0 and window[-1].volume >= 4.5 * usual:
            yield window[-1].ended_us, 0


def _z_of_five(bars: Sequence[Bar]) -> Firings:
    for window in _windows(bars):
        closes = [bar.close for bar in window]
        spread = pstdev(closes)
        if spread > 0 and abs(closes[-1] - fmean(closes)) > spread:
            yield window[-1].ended_us, _sign(closes[-1] - fmean(closes))


def _five_minute_moves(bars: Sequence[Bar]) -> Iterator[tuple[int, float]]:
    """(end, log return over exactly the last five minutes)."""
    closes = {bar.ended_us: bar.close for bar in bars}
    for ended_us, close in closes.items():
        before = closes.get(ended_us - _FIVE_MINUTES_US)
        if before:
            yield ended_us, close / before - 1


def _fixed(bars: Sequence[Bar]) -> Firings:
    for ended_us, change in _five_minute_moves(bars):
        if abs(change) >= 0.02:
            yield ended_us, _sign(change)


def _returns(bars: Sequence[Bar]) -> Iterator[tuple[int, float]]:
    for before, bar in pairwise(bars):
        if bar.ended_us - before.ended_us == MINUTE_US:
            yield bar.ended_us, log(bar.close / before.close)


def _robust_sigma(bars: Sequence[Bar]) -> Firings:
    newest: list[float] = []
    ordered: list[float] = []
    for ended_us, change in _returns(bars):
        if len(newest) >= _ENOUGH_RETURNS and abs(change) >= 8 * _MAD_TO_SIGMA * ordered[len(ordered) // 2] > 0:
            yield ended_us, _sign(change)
        newest.append(abs(change))
        insort(ordered, abs(change))
        if len(newest) > DAY_BARS:
            del ordered[bisect_left(ordered, newest.pop(0))]


def _ewma(bars: Sequence[Bar]) -> Iterator[tuple[int, float, float]]:
    """(end, log return, volatility of the minutes before) once that is known."""
    total = weight = 0.0
    for ended_us, change in _returns(bars):
        if weight >= _WARM_WEIGHT and total > 0:
            yield ended_us, change, sqrt(total / weight)
        total = total * _KEEP + change * change * (1 - _KEEP)
        weight = weight * _KEEP + (1 - _KEEP)


def _ewma_sigma(bars: Sequence[Bar]) -> Firings:
    sigmas = {ended_us: sigma for ended_us, _, sigma in _ewma(bars)}
    for ended_us, change in _five_minute_moves(bars):
        sigma = sigmas.get(ended_us)
        if sigma and abs(change) >= max(6 * sigma * sqrt(5), 0.008):
            yield ended_us, _sign(change)


def _cusum(bars: Sequence[Bar]) -> Firings:
    up = down = 0.0
    for ended_us, change, sigma in _ewma(bars):
        up, down = max(0.0, up + change / sigma - 1), max(0.0, down - change / sigma - 1)
        if max(up, down) >= 14:
            yield ended_us, 1 if up > down else -1
            up = down = 0.0


NAIVE_RULES: tuple[NaiveRule, ...] = (
    NaiveRule("mean of 5", "price 1.5 % or more off the mean of 5 minutes, the current one included", _off_the_mean),
    NaiveRule("volume ratio", "volume 4.5 × the mean of 5 minutes, the current one included", _volume_of_the_same_five),
    NaiveRule("volume ratio, prior", "volume 4.5 × the mean of the 5 minutes before", _volume_of_the_five_before),
    NaiveRule("z of 5", "more than one standard deviation off the mean of 5 minutes", _z_of_five),
    NaiveRule("fixed 2 %", "a 5-minute move of 2 % or more", _fixed),
    NaiveRule("8 robust σ", "a 1-minute return of 8 robust σ (24 h median) or more", _robust_sigma),
    NaiveRule("6 EWMA σ", "a 5-minute move of 6 σ (4 h half-life) and 0.8 % or more", _ewma_sigma),
    NaiveRule("CUSUM", "sums of standardised minute returns beyond 14 (slack 1)", _cusum),
)
FIXED = "fixed 2 %"
