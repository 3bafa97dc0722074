"""Many symbols of one direction within a minute are one market-wide episode. Openings in event time in, alerts out.

An opening is the first word of a leg: whoever fell in the last half day falls with the others all the same.
By default it opens with the fourth base currency within 60 s; it grows by updates (never two within 15 s) and ends when
nobody joined for five minutes. The members' own episodes go on beside it: they are the details.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import msgspec

from services.alert_worker.grid import GRID_US
from services.alert_worker.records import market_episode_id
from services.alert_worker.rules.ruleset import Ruleset
from shared.events import Alert, AlertState, Direction, Severity

NAME = "storm"
QUIET_TICKS = 3_000
UPDATE_TICKS = 150
ANOTHER_TIME_TICKS = 36_000
MOST_MEMBERS = 2_000
_BY_WEIGHT: tuple[Severity, ...] = ("notice", "warning", "danger")


class Member(msgspec.Struct, array_like=True, frozen=True):
    """A symbol's opening, see above."""

    tick: int
    name: str
    base: str
    change_pct: float
    severity: Severity
    received_at_us: int
    detectors: tuple[str, ...] = ()


@dataclass(slots=True)
class Storm:
    """One direction: who opened lately, and the market-wide episode when there is one."""

    direction: Direction
    members: dict[str, Member] = field(default_factory=dict)
    """By name, in event time; of the last minute only, while there is no episode."""
    episode_id: str | None = None
    told_tick: int = 0
    told: int = 0
    updates: int = 0
    rule_version: str = ""
    """Of the rules by which it began."""
    shown: tuple[Member, ...] = ()
    """Those of the newest alert."""

    def join(self, member: Member) -> None:
        """A leg of a symbol's episode began. After a jump of the clock by an hour a recording of another time began."""
        if self.members and abs(self._newest() - member.tick) > ANOTHER_TIME_TICKS:
            self._forget()
        if member.name in self.members or len(self.members) < MOST_MEMBERS:
            self.members.setdefault(member.name, member)

    def decide(self, tick: int, rules: Ruleset) -> Alert | None:
        """What follows at a tick, after its openings joined."""
        if self.episode_id is None:
            return self._begin(tick, rules)
        if tick - self._newest() >= QUIET_TICKS:
            return self.expire(tick)
        if len(self.members) > self.told and tick - self.told_tick >= UPDATE_TICKS:
            self.updates += 1
            return self._record("escalate", tick)
        return None

    def expire(self, until_tick: int) -> Alert | None:
        """End the episode if that was due by a tick; tell of members that came since the last update when that is."""
        if self.episode_id is None:
            return None
        due = self._newest() + QUIET_TICKS
        if due <= until_tick:
            record = self._record("resolve", due)
            self._forget()
            return record
        due = self.told_tick + UPDATE_TICKS
        if len(self.members) > self.told and due <= until_tick:
            self.updates += 1
            return self._record("escalate", due)
        return None

    def packed(self) -> list[Any]:
        """Everything, as plain values."""
        members = [msgspec.to_builtins(member) for member in self.members.values()]
        return [members, self.episode_id, self.told_tick, self.told, self.updates, self.rule_version]

    def unpack(self, packed: list[Any]) -> None:
        """The inverse of `packed`."""
        members, self.episode_id, self.told_tick, self.told, self.updates, self.rule_version = packed
        self.members = {one.name: one for one in msgspec.convert(members, list[Member])}

    def _forget(self) -> None:
        self.members, self.episode_id, self.told, self.updates = {}, None, 0, 0

    def _newest(self) -> int:
        return max(member.tick for member in self.members.values())

    def _begin(self, tick: int, rules: Ruleset) -> Alert | None:
        within_ticks = rules.storms.within_s * 1_000_000 // GRID_US
        self.members = {n: m for n, m in self.members.items() if 0 <= tick - m.tick <= within_ticks}
        if len({member.base for member in self.members.values()}) < rules.storms.least_coins:
            return None
        first = min(member.tick for member in self.members.values())
        self.rule_version = rules.version
        self.episode_id = market_episode_id(self.direction, first, rules.version)
        return self._record("open", tick)

    def _record(self, state: AlertState, tick: int) -> Alert:
        self.told, self.told_tick = len(self.members), tick
        members = self.shown = tuple(self.members.values())
        end = f"-{self.updates}" if state == "escalate" else ""
        alert = Alert(
            alert_id=f"{self.episode_id}-{state}{end}",
            episode_id=self.episode_id or "",
            state=state,
            kind=NAME,
            detectors=[NAME],
            scope="market",
            direction=self.direction,
            severity="notice",
            started_at_us=min(member.tick for member in members) * GRID_US,
            decided_at_us=0,
            rule_version=self.rule_version,
            event_at_us=tick * GRID_US,
            window_s=max(1, (tick - min(member.tick for member in members)) * GRID_US // 1_000_000),
        )
        return among(alert, members)


def among(alert: Alert, members: Collection[Member]) -> Alert:
    """The market-wide alert as if these had moved and nobody else."""
    by_change = sorted(members, key=lambda member: (-abs(member.change_pct), member.name))
    return msgspec.structs.replace(
        alert,
        severity=max((member.severity for member in members), key=_BY_WEIGHT.index),
        received_at_us=max(member.received_at_us for member in members),
        change_pct=f"{median(member.change_pct for member in members):.2f}",
        members=[member.name for member in by_change],
    )
