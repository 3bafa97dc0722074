"""One coin on two exchanges: does the gap between its prices change? What follows at a boundary. Pure.

What changes needs no exchange rate: the logarithm of Upbit's price over Binance's moved by so much within five minutes.
Both have to have traded lately, or an old price would look like a gap.

By default it fires when the change is at least one per cent and six times what is usual for the pair, three per cent
while that is not known, and still stands twenty seconds later: one exchange leads the other by seconds all the time.
That it stands is shown by trades: a price that was not renewed meanwhile proves nothing, for it may be our feed that
stalled. What it was before has to have stood as long, too: who begins to look in the middle of a fall that is taken
back would take the way back for the change. It is over when the gap is back for half a minute, when it went no further
for half an hour, or when one of the two fell silent.
"""

import math
from collections.abc import Collection
from typing import Any

import msgspec

from services.alert_worker.baseline import Baseline
from services.alert_worker.gap_past import GapPast
from services.alert_worker.gap_window import Both, GapWindow
from services.alert_worker.grid import GRID_US
from services.alert_worker.newest_prices import NewestPrices, Second
from services.alert_worker.prices import price_text
from services.alert_worker.records import divergence_episode_id
from services.alert_worker.rules.base import TIE, Measure, Reading
from services.alert_worker.rules.ruleset import Ruleset
from services.alert_worker.samples import FRESH_US, SAMPLE_TICKS, Place, Sample, side_of
from shared.events import Alert, AlertState

NAME = "divergence"
KEPT = 31
STANDS_TICKS = 200
RECOVERED_TICKS, SETTLED_TICKS, SILENT_TICKS = 300, 18_000, 6_000
_NEW_EXTREME = 0.002
_MINUTE_TICKS = 600


class Going(msgspec.Struct, array_like=True):
    """A gap that changed, until it is over."""

    episode_id: str
    rule_version: str
    since: int
    before: Both
    side: int
    extreme: Both
    back_since: int | None = None
    words: int = 0

    @property
    def depth(self) -> float:
        """The largest change of the gap so far, signed."""
        return self.extreme.gap - self.before.gap


class Pair:
    """One coin."""

    __slots__ = ("baseline", "going", "history", "is_same", "legs", "newest", "past", "suspicion")

    def __init__(self, *legs: Sample) -> None:
        self.legs = {side_of(leg): leg for leg in legs}
        self.is_same = False
        """Whether the prices were once as far apart as those of other pairs."""
        self.history = GapWindow()
        self.baseline = Baseline()
        self.past = GapPast()
        self.newest = NewestPrices()
        self.suspicion: tuple[int, int] | None = None
        """(direction of the gap, tick since) of a change that is not confirmed yet."""
        self.going: Going | None = None

    @property
    def is_none(self) -> bool:
        """Whether nothing is known but one side's price, if that."""
        return len(self.legs) < 2 and not self.past and not self.baseline.oldest

    def is_of(self, places: Collection[Place]) -> bool:
        """Whether one side is among these markets."""
        return any(leg.place in places for leg in self.legs.values())

    @property
    def ratio(self) -> float:
        """Price here over price there."""
        return self.legs[0].value / self.legs[1].value

    def packed(self) -> list[Any]:
        """Everything, as plain values."""
        past = self.past.packed()
        windows = [list(self.history), list(self.newest)]
        return [self.legs, self.is_same, windows, self.baseline.packed(), self.suspicion, self.going, past]

    @classmethod
    def unpacked(cls, packed: list[Any]) -> "Pair":
        """The inverse of `packed`."""
        pair = cls()
        legs, pair.is_same, (history, newest), baseline, suspicion, going, past = packed
        pair.legs = {int(side): Sample(*leg) for side, leg in legs.items()}
        pair.history = GapWindow(msgspec.convert(history, list[Both]))
        pair.newest = NewestPrices(Second(*one) for one in newest)
        pair.baseline, pair.past = Baseline.unpacked(baseline), GapPast.unpacked(past)
        pair.suspicion = None if suspicion is None else tuple(suspicion)
        pair.going = None if going is None else msgspec.convert(going, Going)
        return pair

    def look(self, tick: int, rules: Ruleset) -> Alert | None:
        """What follows at a boundary, after its samples were taken in."""
        if self.going is not None and self._is_silent(tick):
            return self._end(self.going, tick)
        if any(abs(tick * GRID_US - leg.traded_at_us) > FRESH_US for leg in self.legs.values()):
            self.suspicion = None
            return None
        now = _both(tick, self.legs[0], self.legs[1])
        minute = tick // _MINUTE_TICKS
        if minute != self.baseline.minute:
            self.baseline.begin_minute(minute, round(math.exp(now.gap) * 1e9))
        self.history.add(now, since_tick=tick - (KEPT - 1) * SAMPLE_TICKS)
        return self._suspect(now, rules) if self.going is None else self._go_on(self.going, now)

    def _suspect(self, now: Both, rules: Ruleset) -> Alert | None:
        before, direction = self._change_to(now, self._least(rules))
        if self.suspicion is not None and direction != self.suspicion[0]:
            # It went back before it was confirmed: the way back must not look like a change either.
            self.history = GapWindow([*(one for one in self.history if one.tick < self.suspicion[1]), now])
            self.suspicion = None
            before, direction = self._change_to(now, self._least(rules))
        if not direction:
            return None
        if self.suspicion is None and now.tick - self.history.oldest.tick <= STANDS_TICKS:
            self.history = GapWindow([now])  # which of the two is usual, nobody can know yet
            return None
        if self.suspicion is None:
            self.suspicion = (direction, now.tick)
        since = self.suspicion[1]
        if now.tick - since < STANDS_TICKS or not self._have_traded_since(since + STANDS_TICKS // 2):
            return None
        self.suspicion = None
        moves = [abs(_change(before, now, side)) for side in (0, 1)]
        side = 0 if moves[0] >= moves[1] else 1
        episode_id = divergence_episode_id(self.legs[side].base, direction, since, rules.version)
        self.going = Going(episode_id, rules.version, since, before, side, now)
        return self._record(self.going, "open", now)

    def _change_to(self, now: Both, least: float) -> tuple[Both, int]:
        """Since when the gap changed most, and in which direction; 0 when that is not enough."""
        before = self.history.furthest(now.gap)
        change = now.gap - before.gap
        return before, 0 if abs(change) < least - TIE else 1 if change > 0 else -1

    def _least(self, rules: Ruleset) -> float:
        """The change that counts as abnormal."""
        asked = rules.divergence
        if not asked.enabled:
            return math.inf
        if not self.baseline.is_warm:
            return asked.percent_new / 100
        return max(asked.percent / 100, asked.sigmas * self.baseline.sigma * math.sqrt(5))

    def reading(self, rules: Ruleset) -> Reading:
        """How far the gap changed at the newest boundary, beside what would count."""
        if not self.history or not rules.divergence.enabled:
            return Reading("5 min", missing="the two prices were not compared")
        now = self.history.newest
        change = now.gap - self.history.furthest(now.gap).gap
        measure = Measure(100 * abs(change), 100 * self._least(rules), "%")
        return Reading("5 min", 1 if change > 0 else -1, (measure,))

    def _go_on(self, going: Going, now: Both) -> Alert | None:
        change = (now.gap - going.before.gap) * (1 if going.depth > 0 else -1)
        if change >= abs(going.depth) + _NEW_EXTREME:
            going.extreme = now
        if change > abs(going.depth) / 4:
            going.back_since = None
        elif going.back_since is None:
            going.back_since = now.tick
        is_back = going.back_since is not None and now.tick - going.back_since >= RECOVERED_TICKS
        return self._end(going, now.tick) if is_back or now.tick - going.extreme.tick >= SETTLED_TICKS else None

    def _have_traded_since(self, tick: int) -> bool:
        return all(leg.traded_at_us > tick * GRID_US for leg in self.legs.values())

    def _is_silent(self, tick: int) -> bool:
        return any(abs(tick - leg.traded_at_us // GRID_US) >= SILENT_TICKS for leg in self.legs.values())

    def _end(self, going: Going, tick: int) -> Alert:
        now = _both(tick, self.legs[0], self.legs[1])
        stood_since = now.tick if going.back_since is None else going.back_since
        stood = [one for one in self.history if one.tick >= stood_since]
        self.going, self.history = None, GapWindow(stood or [now])
        return self._record(going, "resolve", now)

    def _record(self, going: Going, state: AlertState, now: Both) -> Alert:
        going.words += 1
        leg = self.legs[going.side]
        before, price, extreme = (side_price(one, going.side) for one in (going.before, now, going.extreme))
        return Alert(
            alert_id=f"{going.episode_id}-{going.words}-{state}",
            episode_id=going.episode_id,
            state=state,
            kind=NAME,
            detectors=[NAME],
            scope="symbol",
            direction="up" if (going.depth > 0) == (going.side == 0) else "down",
            severity="notice",
            started_at_us=going.since * GRID_US,
            decided_at_us=0,
            rule_version=going.rule_version,
            exchange=leg.exchange,
            symbol=leg.symbol,
            base=leg.base,
            quote=leg.quote,
            event_at_us=now.tick * GRID_US,
            received_at_us=max(one.received_at_us for one in self.legs.values()),
            price_before=price_text(*before),
            price_now=price_text(*price),
            price_extreme=price_text(*extreme),
            change_pct=f"{100 * math.expm1(_change(going.before, now, going.side)):.2f}",
            window_s=max(1, (now.tick - going.before.tick) * GRID_US // 1_000_000),
            divergence_pct=f"{100 * (now.gap - going.before.gap):.2f}",
        )


def _both(tick: int, here: Sample, there: Sample) -> Both:
    gap = math.log(here.price / there.price) + (there.scale - here.scale) * math.log(10)
    return Both(tick, here.price, here.scale, there.price, there.scale, gap)


def side_price(both: Both, side: int) -> tuple[int, int]:
    """Digits and scale of one side."""
    return (both.there, both.there_scale) if side else (both.here, both.here_scale)


def _change(before: Both, now: Both, side: int) -> float:
    (old, old_scale), (new, new_scale) = side_price(before, side), side_price(now, side)
    return math.log(new / old) + (old_scale - new_scale) * math.log(10)
