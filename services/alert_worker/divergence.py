"""All coins that trade on two exchanges: which of them are compared, and what follows. Samples in, alerts out. Pure.

Two markets are the same coin when their prices are as far apart as those of the other pairs: a ticker alone proves
nothing. None is compared whose trades we are too slow to read. What is usual for a pair is learnt from the exchanges'
own minutes, too, where both told the same ones.
"""

from collections.abc import Collection, Iterable
from statistics import median
from typing import Any

from services.alert_worker.gap_past import Close
from services.alert_worker.grid import GRID_US
from services.alert_worker.newest_prices import Second
from services.alert_worker.pair import Pair, side_price
from services.alert_worker.rules.base import Reading
from services.alert_worker.rules.ruleset import DEFAULTS, Ruleset
from services.alert_worker.rules.tiers import A_DOLLAR
from services.alert_worker.samples import FRESH_US, LEGS, Place, Sample, side_of
from shared.events import Alert

ENOUGH_PAIRS = 5
SAME_COIN, ROUGHLY_SAME = 0.1, 0.3
"""How far a pair's ratio may be off the median of all; off the rough exchange rate, while there are few."""


class Divergences:
    """All coins that trade on both sides. Bounded by the number of markets."""

    def __init__(self) -> None:
        self._pairs: dict[str, Pair] = {}
        self._alone: dict[str, Sample] = {}
        """The newest price of a coin that only one side is known of: there is nothing to keep of it but that."""

    def hear(self, close: Close) -> None:
        """Take in a minute of the past, which counts at the next boundary."""
        pair = self._pair(close.base)
        pair.past.hear(LEGS[close.exchange, close.quote], close.minute, close.price, pair.baseline)

    def may_count(self, close: Close) -> bool:
        """Whether a minute of the past can teach us anything."""
        pair = self._pairs.get(close.base)
        return pair is None or not pair.baseline.knows(close.minute)

    def correct(self, sample: Sample) -> None:
        """Take in a price of a boundary that was compared without it, unless a newer one is known."""
        pair = self._pairs.get(sample.base)
        known = self._alone.get(sample.base) if pair is None else pair.legs.get(side_of(sample))
        if known is None or known.tick < sample.tick:
            self._take(sample)

    def note(self, sample: Sample, decided_tick: int) -> None:
        """Take in a market's price at the end of a second; see `NewestPrices.add`."""
        if (pair := self._pairs.get(sample.base)) is not None:
            second = Second(sample.tick, side_of(sample), sample.price, sample.scale, sample.traded_at_us)
            pair.newest.add(second, decided_tick)

    def newest_at(self, base: str, place: Place, tick: int) -> Second | None:
        """By which price one of the coin's markets went at the end of the last second before a tick."""
        pair = self._pairs.get(base)
        sides = [] if pair is None else [side for side, leg in pair.legs.items() if leg.place == place]
        return None if pair is None or not sides else pair.newest.at(sides[0], tick)

    def other_at(self, base: str, place: Place, tick: int) -> tuple[str, str, int, int] | None:
        """The coin's other market (exchange, symbol) and by which price (digits, scale) it went just before a tick."""
        pair = self._pairs.get(base)
        sides = [] if pair is None else [side for side, leg in pair.legs.items() if leg.place == place]
        if pair is None or not sides or len(pair.legs) < 2:
            return None
        newest = max((both for both in pair.history if both.tick <= tick), key=lambda both: both.tick, default=None)
        if newest is None or (tick - newest.tick) * GRID_US > FRESH_US:
            return None
        other = 1 - sides[0]
        return *pair.legs[other].place, *side_price(newest, other)

    def left_out(self, behind: Collection[Place]) -> int:
        """How many coins are not compared while these markets are behind."""
        return sum(pair.going is None and pair.is_of(behind) for pair in self._pairs.values() if len(pair.legs) == 2)

    def look(
        self, tick: int, samples: Iterable[Sample], rules: Ruleset = DEFAULTS, behind: Collection[Place] = ()
    ) -> list[Alert]:
        """What follows at a boundary, in the order of the coins' names.

        Markets of which not all is read up to it are `behind`: a gap of theirs is not believed, and one that is told
        already ends by what is known.
        """
        for sample in samples:
            self._take(sample)
        for pair in self._pairs.values():
            pair.past.teach(pair.baseline, tick)
        self._let_go()
        both = {base: pair for base, pair in sorted(self._pairs.items()) if len(pair.legs) == 2}
        ratios = [pair.ratio for pair in both.values()]
        alerts: list[Alert] = []
        for pair in both.values():
            pair.is_same = pair.is_same or _is_same_coin(pair, ratios)
            if pair.going is None and pair.is_of(behind):
                pair.suspicion = None
            elif pair.is_same and (alert := pair.look(tick, rules)) is not None:
                alerts.append(alert)
        return alerts

    def _take(self, sample: Sample) -> None:
        alone = self._alone.get(sample.base)
        is_first = sample.base not in self._pairs and (alone is None or side_of(alone) == side_of(sample))
        if is_first:
            self._alone[sample.base] = sample
        else:
            self._pair(sample.base).legs[side_of(sample)] = sample

    def _pair(self, base: str) -> Pair:
        pair = self._pairs.get(base)
        if pair is None:
            pair = self._pairs[base] = Pair()
            if (alone := self._alone.pop(base, None)) is not None:
                pair.legs[side_of(alone)] = alone
        return pair

    def _let_go(self) -> None:
        """What was one side's minutes of the past only, or nothing, is no pair once they wait no longer."""
        for base in [base for base, pair in self._pairs.items() if pair.is_none]:
            for leg in self._pairs.pop(base).legs.values():
                self._alone[base] = leg

    def reading(self, base: str, rules: Ruleset) -> Reading:
        """What was seen of a coin at the newest boundary."""
        return self._pairs.get(base, Pair()).reading(rules)

    def packed(self) -> dict[str, Any]:
        """Everything, as plain values."""
        return {base: pair.packed() for base, pair in self._pairs.items()} | {
            base: Pair(leg).packed() for base, leg in self._alone.items()
        }

    def unpack(self, packed: dict[str, Any]) -> None:
        """The inverse of `packed`."""
        self._pairs, self._alone = {base: Pair.unpacked(state) for base, state in packed.items()}, {}
        self._let_go()


def _is_same_coin(pair: Pair, ratios: list[float]) -> bool:
    if len(ratios) >= ENOUGH_PAIRS:
        return abs(pair.ratio / median(ratios) - 1) <= SAME_COIN
    usual = A_DOLLAR[pair.legs[0].quote] / A_DOLLAR[pair.legs[1].quote]
    return abs(pair.ratio / usual - 1) <= ROUGHLY_SAME
