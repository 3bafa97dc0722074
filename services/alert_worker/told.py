"""What people know of an episode, or of several that were told together, and what they do not know yet. Pure."""

from collections import deque
from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from itertools import islice

from services.alert_worker.actions import GRAVEST, RANKS, Action, Heard, Intake, Place, Reason, gravest_of
from services.alert_worker.episodes import GOES_ON_TICKS, LONGEST_TICKS, step_of
from services.alert_worker.grid import GRID_US
from services.alert_worker.messages.message import Picture
from services.alert_worker.notices import NAME as NOTICE
from shared.events import Alert, Direction, Severity

TOLD_KEPT = 20
MOST_TOLD = 1_000
"""So many words of an episode are known while something waits, be it for the morning: a restart reads from there on."""
HISTORY_KEPT = 8

COOLDOWN_US = GOES_ON_TICKS * GRID_US
"""As long as the detectors themselves wait before they say that a move goes on."""

GOES_ON_US = LONGEST_TICKS * GRID_US
"""Nothing follows so long after people heard that an episode is over: a further leg begins within half a day, and what
waits then, for Slack or for the morning, has its time as well."""
OPEN_US = 30 * 86_400_000_000
"""Nor so long after the last word on one whose end nobody heard, or heard in another message: by then Kafka holds none
of its alerts any more."""

GROUP_OPEN_US = 60_000_000
"""A storm takes in what begins within this of its newest member; it answers in its thread once in its first minute."""
SILENCE_US = 1_800_000_000
"""An answer in a thread calls nobody who does not follow it. All of the channel hear of it when it is the first of the
gravest severity; and, once they heard nothing for so long, of a further move of that severity."""
MOST_AT_FIRST = 5
"""So many messages of a storm in its first minute, with those that began it one by one: of them one is kept for each
severity that may still come."""


@dataclass(slots=True)
class ToldGroup:
    """Episodes that one message tells of."""

    group_id: str
    reason: Reason
    direction: Direction | None
    begun_us: int
    until_us: int
    parent: Place | None = None
    members: dict[str, None] = field(default_factory=dict)
    is_in_doubt: bool = False
    next_answer_us: int = 0
    told_rank: int = -1
    messages: int = 0
    """See `Intake`."""
    heard: Heard | None = None

    @property
    def intake(self) -> Intake:
        """What a process after this one has to know to go on with it."""
        return Intake(self.direction, self.begun_us, self.until_us, self.messages)

    def takes_in(self, now_us: int) -> bool:
        """Whether a new episode of its direction joins it: not for longer than usual where the clock was set back."""
        return 0 < self.until_us - now_us <= GROUP_OPEN_US

    def pause_answers(self, now_us: int, pause_us: int) -> None:
        """An answer was told: the next one waits, unless it is graver; a storm's until its first minute is over."""
        first_us = self.begun_us + GROUP_OPEN_US if self.reason == "storm" else 0
        self.next_answer_us = max(now_us + pause_us, first_us)

    def may_wait(self, rank: int, now_us: int) -> bool:
        """Whether an answer with news of this rank waits for others; see `takes_in` for a clock set back."""
        more = max(RANKS.values()) - rank
        is_young = self.reason == "storm" and 0 <= now_us - self.begun_us < GROUP_OPEN_US
        if is_young and self.messages + more >= MOST_AT_FIRST:
            return True
        return 0 < self.next_answer_us - now_us <= GROUP_OPEN_US and rank <= self.told_rank


@dataclass(slots=True)
class ToldEpisode:
    """One episode; `untold` are its alerts with their offsets."""

    parent: Place | None = None
    told: deque[str] = field(default_factory=lambda: deque(maxlen=MOST_TOLD))
    untold: list[tuple[int, Alert]] = field(default_factory=list)
    history: deque[Alert] = field(default_factory=lambda: deque(maxlen=HISTORY_KEPT))
    picture: Picture | None = None
    group: ToldGroup | None = None
    held_as: Severity | None = None
    is_in_doubt: bool = False
    is_over: bool = False
    last_word_us: int = 0
    """When its newest alert was told, in whatever message."""
    told_at_us: int = 0
    """When a message of its own arrived last, and"""
    shows: Alert | None = None
    """what that said; None where that is not known any more."""
    heard: Heard | None = None
    posted_at_us: int | None = None
    """When a message of its own, no answer, was posted last."""

    def know(self, alert_ids: Iterable[str]) -> None:
        """These were told, of which some may be known: several messages may tell of one episode."""
        for alert_id in alert_ids:
            if alert_id not in self.told:
                self.told.append(alert_id)

    def forget_old(self) -> None:
        """Keep the newest of what was told: nothing is read again."""
        self.told = deque(islice(reversed(self.told), TOLD_KEPT), MOST_TOLD)
        self.told.reverse()

    @property
    def newest(self) -> Alert | None:
        """The newest alert that is known, told or not; None where a process before this one told it too long ago."""
        return self.history[-1] if self.history else None

    @property
    def is_new(self) -> bool:
        """Whether nobody was told of it, for certain."""
        return self.parent is None and self.group is None and not self.is_in_doubt

    def is_past(self, now_us: int) -> bool:
        """Whether people know all of it, and nothing follows any more."""
        return not self.untold and is_past(self.last_word_us, now_us, is_over=self.is_over)

    @property
    def begins_anew(self) -> bool:
        """Whether its newest alert is of a leg of which people, who know the episode, heard nothing."""
        if not self.told or self.now.state != "escalate" or self.is_in_doubt:
            return False
        if self.group is not None and self.group.is_in_doubt:
            return False  # whether its answer told of the leg is not known
        return all(alert.started_at_us != self.now.started_at_us for alert in self._known)

    @property
    def _known(self) -> list[Alert]:
        """Its newest alerts that were told."""
        return [alert for alert in self.history if alert.alert_id in self.told]

    def awaits_end(self, alert: Alert) -> bool:
        """Whether the alert ends what people were told of, which they hear even if it is muted by now."""
        return alert.state == "resolve" and not self.is_new

    def rests(self, now_us: int) -> bool:
        """Whether people heard the same of it too short a while ago."""
        shows = self.shows
        if shows is None or shows.state == "resolve" or self.group is not None or self.now.state != "escalate":
            return False  # after what was told as over, whatever comes is news
        is_recent = 0 <= now_us - self.told_at_us < COOLDOWN_US
        return is_recent and not any(_is_news(alert, shows) for _, alert in self.untold)

    @property
    def now(self) -> Alert:
        """Its newest alert, which is untold."""
        return self.untold[-1][1]

    @property
    def gravest(self) -> Alert:
        """What people have to hear of what is untold."""
        if len(self.untold) == 1:  # as good as always, and asked of all that wait before each message
            return self.untold[0][1]
        return gravest_of([alert for _, alert in self.untold])

    @property
    def rank(self) -> int:
        """How grave that is."""
        return RANKS[self.gravest.severity]

    def is_for_all(self, heard: Heard | None, now_us: int) -> bool:
        """Whether all of the channel, who `heard` of it or of those beside it, are to hear of what is untold."""
        if heard is None or self.now.state == "resolve" or self.gravest.severity != GRAVEST:
            return False
        if heard.severity not in {None, GRAVEST}:
            return True
        return not 0 <= now_us - heard.at_us < SILENCE_US and self._goes_further()

    def _goes_further(self) -> bool:
        """Whether it is a leg, or a step of one, that was not told: what only goes on is none."""
        now = self.gravest
        return all(now.started_at_us != alert.started_at_us or _step(now) > _step(alert) for alert in self._known)

    def action(self, *, is_for_all: bool = False) -> Action:
        """Tell what is untold in a message of its own."""
        alerts = tuple(alert for _, alert in self.untold)
        told, posted_at_us = tuple(self.told), self.posted_at_us
        return Action(alerts, self.parent, told, self.is_in_doubt, self.picture, self.heard, is_for_all, posted_at_us)


def graver(one: Heard | None, other: Heard | None) -> Heard | None:
    """Which of two things that all of the channel heard is the graver, or the later; what is not known may be both."""
    if one is None or other is None:
        return one or other
    return max(one, other, key=lambda heard: (RANKS[heard.severity or GRAVEST], heard.at_us))


def is_last(alert_id: str) -> bool:
    """Whether nothing comes after this alert in its episode: it is over, or was one from the beginning."""
    return alert_id.endswith(("-resolve", f"-{NOTICE}"))


def is_past(last_word_us: int, now_us: int, *, is_over: bool) -> bool:
    """Whether nothing follows any more on what people heard last at `last_word_us`."""
    return now_us - last_word_us > (GOES_ON_US if is_over else OPEN_US)


def owner_of(alert_id: str, episodes: Container[str]) -> str:
    """Which of the episodes an alert belongs to; empty: none of them."""
    while alert_id and alert_id not in episodes:
        alert_id = alert_id.rpartition("-")[0]
    return alert_id


def _is_news(alert: Alert, shows: Alert) -> bool:
    """Whether people who know one should hear of the other at once."""
    return (
        RANKS[alert.severity] > RANKS[shows.severity]
        or _step(alert) > _step(shows)
        or alert.direction != shows.direction
        or len(alert.members) > len(shows.members)
    )


def _step(alert: Alert) -> int:
    return step_of(abs(float(alert.change_pct or 0)) / 100)
