"""How far the same coin moved on the other exchange while it moved here. Prices in, completed alerts out. Pure.

Both ends of the alert's own window have to be known there: the price at the newest boundary before it at which both
exchanges were compared, and the one of now, to the second. Where one is not, where nobody traded there within the
window, or where its trades are read too slowly, nothing is said: a wrong number would tell a move of all the world as
one of a single exchange.

What it was before is remembered while an episode lasts: windows grow longer than prices are kept.
"""

import math
from collections.abc import Collection
from decimal import Decimal
from typing import Any

import msgspec

from services.alert_worker.divergence import Divergences
from services.alert_worker.grid import GRID_US
from services.alert_worker.pair import NAME
from services.alert_worker.samples import FRESH_US, LEGS, Place
from shared.events import Alert

MOST_EPISODES = 5_000


class Before(msgspec.Struct, array_like=True, frozen=True):
    """Where an episode's leg came from: the price here, and what the other market is and went by then."""

    here: str
    exchange: str
    symbol: str
    price: int
    scale: int


class Elsewhere:
    """Every episode that is going on."""

    def __init__(self) -> None:
        self._before: dict[str, Before] = {}

    def complete(self, alert: Alert, tick: int, divergences: Divergences, behind: Collection[Place]) -> Alert:
        """The alert of a tick, with the change of the gap between both exchanges over its own window."""
        place = (alert.exchange or "", alert.symbol or "")
        if alert.kind == NAME or alert.price_before is None or alert.price_now is None or not alert.event_at_us:
            return alert
        since_us = alert.event_at_us - 1_000_000 * (alert.window_s or 0)
        before = self._before_of(alert, place, since_us // GRID_US, divergences)
        if alert.state == "resolve":
            self._before.pop(alert.episode_id, None)
        if before is None or (before.exchange, before.symbol) in behind:
            return alert
        now = divergences.newest_at(alert.base or "", (before.exchange, before.symbol), tick)
        if now is None or now.traded_at_us < max(since_us, tick * GRID_US - FRESH_US):
            return alert
        here = math.log(float(alert.price_now) / float(alert.price_before))
        there = math.log(now.price / before.price) + (before.scale - now.scale) * math.log(10)
        gap = here - there if LEGS[alert.exchange or "", alert.quote or ""] == 0 else there - here
        return msgspec.structs.replace(alert, divergence_pct=f"{100 * gap:.2f}")

    def packed(self) -> dict[str, Any]:
        """Everything, as plain values."""
        return {name: msgspec.to_builtins(before) for name, before in self._before.items()}

    def unpack(self, packed: dict[str, Any]) -> None:
        """The inverse of `packed`."""
        self._before = msgspec.convert(packed, dict[str, Before])

    def _before_of(self, alert: Alert, place: Place, tick: int, divergences: Divergences) -> Before | None:
        known = self._before.get(alert.episode_id)
        if known is not None and Decimal(known.here) == Decimal(alert.price_before or 0):
            return known
        self._before.pop(alert.episode_id, None)
        found = divergences.other_at(alert.base or "", place, tick)
        if found is None:
            return None
        before = self._before[alert.episode_id] = Before(alert.price_before or "", *found)
        if len(self._before) > MOST_EPISODES:
            del self._before[next(iter(self._before))]
        return before
