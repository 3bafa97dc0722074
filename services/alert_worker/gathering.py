"""Who is told together: many of a direction, of what exchanges say, of what waited, of what a night held back. Pure."""

from collections import deque

from services.alert_worker.actions import Reason
from services.alert_worker.notices import NAME as NOTICE
from services.alert_worker.quiet_hours import QuietHours, kst_day
from services.alert_worker.told import GROUP_OPEN_US, TOLD_KEPT, ToldEpisode, ToldGroup
from shared.events import Alert, Direction

MANY = 4
MOST_MEMBERS = 1_000
LATE_US = 60_000_000

_TOGETHER: tuple[tuple[Reason, Direction], ...] = (("storm", "up"), ("storm", "down"), ("notices", "none"))


class Gathering:
    """The messages that tell of several episodes. They are let go by who knows their episodes."""

    def __init__(self, quiet: QuietHours) -> None:
        self.quiet, self.storm_of = quiet, MANY
        self.groups: dict[str, ToldGroup] = {}
        """By their ids, oldest first."""
        self.told_alone: deque[tuple[int, str]] = deque(maxlen=TOLD_KEPT)
        """When, and of which direction, single episodes were told in messages of their own: no answers in threads."""

    def gather(self, waiting: list[ToldEpisode], now_us: int) -> None:
        """Put together what is new where there is much: episodes, and legs of those that were told."""
        new = [e for e in waiting if e.is_new]
        # At night a further leg goes on where its episode was told, which calls nobody.
        legs = [e for e in waiting if e.begins_anew and not self.quiet.hold(e.gravest.severity, now_us)]
        morning = [e for e in new if e.held_as is not None and not self.quiet.hold(e.held_as, now_us)]
        if morning:
            self._join(self._group("morning", kst_day(now_us), None, now_us), morning, now_us)
        for leader in [e for e in new if e.is_new and e.now.scope == "market"]:
            group = self._open_storm(leader.now.direction, now_us)
            group = group or self._group("storm", leader.now.episode_id, leader.now.direction, now_us)
            self._join(group, [leader], now_us)
        late = [e for e in new if e.is_new and now_us - e.untold[0][1].decided_at_us > LATE_US]
        if len(late) >= MANY:
            self._join(self._group("late", late[0].now.episode_id, None, now_us), late, now_us)
        for reason, direction in _TOGETHER:
            storm = self._open_storm(direction, now_us)
            several = [e for e in new if e.is_new] + [e for e in legs if e.group is None or e.group is not storm]
            several = [e for e in several if e.now.direction == direction and _goes_in(e.now, reason)]
            if storm is not None or len(several) >= self.storm_of:
                first = _name(several[0]) if several else ""
                self._join(storm or self._group(reason, first, direction, now_us), several, now_us)
        for episode in waiting:
            if episode.now.state == "escalate" and episode.group is None and episode.parent is not None:
                self._take_along(episode, now_us)

    def _take_along(self, episode: ToldEpisode, now_us: int) -> None:
        """Who was told alone just before a storm, as the first of it, goes on in its thread."""
        storm = self._open_storm(episode.now.direction, now_us)
        if storm is not None and episode.told_at_us >= storm.begun_us - GROUP_OPEN_US:
            self._join(storm, [episode], now_us)

    def _open_storm(self, direction: str, now_us: int) -> ToldGroup | None:
        return next(
            (
                group
                for group in self.groups.values()
                if group.direction == direction and group.takes_in(now_us) and len(group.members) < MOST_MEMBERS
            ),
            None,
        )

    def _group(self, reason: Reason, name: str, direction: Direction | None, now_us: int) -> ToldGroup:
        group_id = f"{reason}-{name}"[:64]
        if group_id not in self.groups:
            lately = sum(of == direction and 0 <= now_us - at_us < GROUP_OPEN_US for at_us, of in self.told_alone)
            group = ToldGroup(group_id, reason, direction, now_us, now_us + GROUP_OPEN_US, messages=lately)
            self.groups[group_id] = group
        return self.groups[group_id]

    def _join(self, group: ToldGroup, episodes: list[ToldEpisode], now_us: int) -> None:
        for episode in episodes[: MOST_MEMBERS - len(group.members)]:
            group.members[episode.now.episode_id] = None
            episode.group = group
            if group.direction is not None:
                group.until_us = now_us + GROUP_OPEN_US


def _name(first: ToldEpisode) -> str:
    """Of those told together; an episode may be the first of several such, a leg each."""
    return first.now.episode_id if first.is_new else first.now.alert_id


def _goes_in(alert: Alert, reason: Reason) -> bool:
    return (alert.kind == NOTICE) == (reason == "notices")
