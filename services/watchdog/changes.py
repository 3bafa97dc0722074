"""From what is seen to what people are told: one change of state, one message. Pure; times are microseconds UTC.

A part that is back within seconds is told once, as restarted, and ever more rarely where it goes on so (`restarts`).
One that restarts again and again is told as looping and then no more, until it has stayed up for longer than it
did.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Literal

from services.watchdog.absences import Absences
from services.watchdog.observation import End, Observation
from services.watchdog.restarts import Restarts

Told = Literal["unseen", "up", "down", "looping", "stopped"]
ChangeKind = Literal[
    "down", "looping", "stopped", "restarted", "steady", "back", "started", "not_started",
    "all_stopped", "all_started", "rebooted", "watchdog_back", "canary_overdue", "canary_back", "silent", "heard",
    "waits", "gets_on", "flaps", "stands", "settled",
]  # fmt: skip

_S = 1_000_000
GRACE_US = 5 * _S
"""So long something may be away before people hear of it; they hear of it within 20 s."""
GONE_US = 12 * _S
"""So long what only waited, as people know, may take to begin its next start."""
START_GRACE_US = 60 * _S
LOOP_RESTARTS, LOOP_WITHIN_US = 3, 300 * _S
STEADY_US, LONGEST_STEADY_US = 60 * _S, 600 * _S
_LIVES, _LIVES_AGAIN = 2, 8
"""A loop is over when it has stayed up for so many of its last lives; the second, of what loops again in one night."""
_RESTARTS_KEPT = 20


@dataclass(frozen=True)
class Change:
    """What people are told. `since_us`: when the state that ended, or began, began. `down_us`: how long it was away.

    `absences`: where nobody watched meanwhile, a host was silent, or a part ended and was back at once, this time and
    those of the same night. `is_of_restarts`: it ended and was back lately, as people read in one thread.
    `waits_for`: what the part waits for, as people know; then `parts` are all that are told of together, `still` those
    that go on waiting, `is_first`: nobody was told yet that anything waits for it, `times`: how often it was.
    `not_up`: of all that came, those that did not.
    """

    part: str
    kind: ChangeKind
    at_us: int
    since_us: int
    end: End | None = None
    restarts: int = 0
    down_us: int | None = None
    status: str = ""
    absences: Absences | None = None
    is_of_restarts: bool = False
    waits_for: str = ""
    parts: Sequence[str] = ()
    still: Sequence[str] = ()
    not_up: Sequence[str] = ()
    is_first: bool = False
    times: int = 0


@dataclass(frozen=True)
class Part:
    """What is remembered of a part. `told` is what people know, `known` of which incarnation; `since_us` since when."""

    told: Told = "unseen"
    known: str = ""
    since_us: int = 0
    incarnation: str = ""
    not_up_since_us: int | None = None
    tried_since_us: int | None = None
    """Since when it is neither up nor stopped."""
    failed_since_us: int | None = None
    """Since when it is down without a break: not even starting."""
    stopped_since_us: int | None = None
    up_since_us: int | None = None
    restarts_at_us: tuple[int, ...] = ()
    ends: Restarts = field(default_factory=Restarts)
    """How often it was back at once."""
    loops: Absences = field(default_factory=Absences)
    lived_us: int = 0
    """The longest of its last lives, of those that ended soon after another."""
    restarts: int = 0
    counted: int = 0
    """What its keeper's own counter said."""
    end: End | None = None


@dataclass
class Step:
    """One part after one look, and what is to be told of it."""

    part: Part
    change: Change | None = None


def _since(before_us: int | None, now_us: int, *, holds: bool) -> int | None:
    if not holds:
        return None
    return now_us if before_us is None else before_us


def _longest_us(ends_at_us: tuple[int, ...]) -> int:
    return max((end - start for start, end in pairwise(ends_at_us)), default=LOOP_WITHIN_US)


@dataclass
class _Look:
    seen: Observation
    now_us: int
    before: Part
    after: Part = field(init=False)
    has_restarted: bool = field(init=False)
    ends_again: bool = field(init=False)

    def __post_init__(self) -> None:
        before, seen, now_us = self.before, self.seen, self.now_us
        self.has_restarted = bool(before.incarnation and seen.incarnation and seen.incarnation != before.incarnation)
        # Between two looks there may have been several; who keeps the process counts them all.
        count = max(seen.restarts - before.counted, int(self.has_restarted)) if before.incarnation else 0
        # What somebody starts begins anew.
        restarts = () if seen.is_on_request else before.restarts_at_us + (now_us,) * min(count, _RESTARTS_KEPT)
        self.ends_again = count > 0 and not seen.is_on_request
        is_up = seen.phase == "up"
        kept = tuple(at for at in restarts if at > now_us - LOOP_WITHIN_US)[-_RESTARTS_KEPT:]
        self.after = replace(
            before,
            incarnation=seen.incarnation or before.incarnation,
            restarts_at_us=kept,
            lived_us=_longest_us(kept[-LOOP_RESTARTS:]) if self.ends_again else before.lived_us,
            restarts=before.restarts + count,
            counted=seen.restarts,
            not_up_since_us=_since(before.not_up_since_us, now_us, holds=not is_up),
            tried_since_us=_since(before.tried_since_us, now_us, holds=seen.phase in ("starting", "down")),
            failed_since_us=_since(before.failed_since_us, now_us, holds=seen.phase == "down"),
            stopped_since_us=_since(before.stopped_since_us, now_us, holds=seen.phase == "stopped"),
            up_since_us=None if not is_up else now_us if self._begins(before) else before.up_since_us,
            end=seen.end or before.end,
        )

    def _begins(self, before: Part) -> bool:
        return before.up_since_us is None or self.has_restarted

    @property
    def is_looping(self) -> bool:
        """Whether it ended, and not for the first time: what is over makes no new loop."""
        return self.ends_again and len(self.after.restarts_at_us) >= LOOP_RESTARTS

    @property
    def has_failed(self) -> bool:
        """Whether it is down for good; what nobody has reached yet may not have been started yet."""
        never_ran = self.seen.end is not None and self.seen.end.kind == "unreachable" and not self.after.incarnation
        return not never_ran and self._lasts_us(self.after.failed_since_us) >= GRACE_US

    @property
    def is_gone(self) -> bool:
        """Whether it is away for longer than a new start takes."""
        return self._lasts_us(self.after.failed_since_us) >= GONE_US

    @property
    def does_not_start(self) -> bool:
        return self._lasts_us(self.after.tried_since_us) >= START_GRACE_US

    @property
    def is_stopped(self) -> bool:
        """Whether it stays stopped: who restarts it stops it for a moment."""
        return self._lasts_us(self.after.stopped_since_us) >= GRACE_US

    @property
    def is_another(self) -> bool:
        """Whether another process runs than the one that people know."""
        return self.after.incarnation != self.before.known

    @property
    def away_us(self) -> int:
        return self._lasts_us(self.after.not_up_since_us)

    @property
    def is_calm(self) -> bool:
        """Whether what looped stays up."""
        lives = _LIVES if self.after.loops.count <= 1 else _LIVES_AGAIN
        calm_us = min(max(STEADY_US, lives * self.after.lived_us), LONGEST_STEADY_US)
        return self._lasts_us(self.after.up_since_us) >= calm_us

    def _lasts_us(self, since_us: int | None) -> int:
        return 0 if since_us is None else self.now_us - since_us

    def tell(self, kind: ChangeKind, told: Told) -> Step:
        """People know from now on that it is `told`."""
        gone_us = self.before.not_up_since_us
        began_us = self.now_us if told == "up" else (self.after.not_up_since_us or self.now_us)
        down_us = None
        if kind in ("restarted", "back", "started"):
            since = self.before.since_us if self.before.told in ("down", "looping", "stopped") else gone_us
            down_us = max(0, self.now_us - since) if since is not None else 0
        change = Change(
            self.seen.part, kind, self.now_us, began_us, self.after.end, self.after.restarts, down_us, self.seen.status,
            is_of_restarts=kind in ("down", "looping") and self.after.ends.goes_on(self.now_us),
        )  # fmt: skip
        # How the one before ended is told by now, and does not say why this one will be away.
        end = None if told == "up" else self.after.end
        return Step(replace(self.after, told=told, since_us=began_us, known=self.after.incarnation, end=end), change)

    def loops(self) -> Step:
        step = self.tell("looping", "looping")
        return replace(step, part=replace(step.part, loops=self.before.loops.and_one(self.now_us)))

    def restarted(self) -> Step:
        """It was away for a moment. What somebody asked for is told each time."""
        step = self.tell("restarted", "up")
        if self.seen.is_on_request or step.change is None:
            return step
        ends, is_told = self.before.ends.and_one(self.now_us)
        change = replace(step.change, absences=ends.all) if is_told else None
        return Step(replace(step.part, ends=ends), change)

    def stay_up(self) -> Step:
        """How often it ended is told when it is over, as far as people do not know."""
        if not self.before.ends.is_over(self.now_us):
            return self.stay()
        ends = self.before.ends.once_told()
        change = Change(self.seen.part, "steady", self.now_us, ends.all.last_at_us, absences=ends.all)
        return Step(replace(self.after, ends=ends), change)

    def stay(self) -> Step:
        return Step(self.after)


def with_end(change: Change, recorded: End | None) -> Change:
    """The change with how the part ended by its keeper's records, which may be a moment behind.

    They are where they say that what is down, or loops, was asked to end, although it was seen to end otherwise. What
    was asked to start again and is not ready says better itself what it waits for.
    """
    is_known = change.end is not None or bool(change.status)
    is_behind = recorded is not None and recorded.kind == "asked" and change.kind != "restarted" and is_known
    return change if recorded is None or is_behind else replace(change, end=recorded)


def excused(before: Part, seen: Observation, now_us: int) -> Part | None:
    """The part after a look at a new start of which nobody needs to hear; None for one that does not come, or loops."""
    look = _Look(seen, now_us, before)
    if look.is_looping or look.is_gone:
        return None
    return replace(look.after, known=look.after.incarnation, not_up_since_us=None)


def tracked(before: Part, seen: Observation, now_us: int) -> tuple[Part, bool]:
    """The part after a look that nobody is told of, and whether it has failed: by what ended, or ends all the time."""
    look = _Look(seen, now_us, before)
    return look.after, look.has_failed or look.is_looping


def look(before: Part, seen: Observation, now_us: int) -> Step:
    """Compare what is seen now with what people know."""
    return _RULES[before.told](_Look(seen, now_us, before))


def _unseen(look: _Look) -> Step:
    """At first sight what is up needs no word, and what is starting gets a minute; what has failed already does not."""
    if look.is_looping:
        return look.loops()
    if look.seen.phase == "up":
        return Step(replace(look.after, told="up", since_us=look.now_us, known=look.after.incarnation))
    if look.has_failed:
        return look.tell("down", "down")
    if look.away_us >= START_GRACE_US:
        return look.tell("stopped", "stopped") if look.seen.phase == "stopped" else look.tell("not_started", "down")
    return look.stay()


def _up(look: _Look) -> Step:
    if look.is_looping:
        return look.loops()
    if look.seen.phase == "up":
        return look.restarted() if look.is_another else look.stay_up()
    if look.away_us < GRACE_US:
        return look.stay()
    return look.tell("stopped", "stopped") if look.seen.phase == "stopped" else look.tell("down", "down")


def _down(look: _Look) -> Step:
    if look.is_looping:
        return look.loops()
    if look.seen.phase == "up":
        return look.tell("back", "up")
    return look.tell("stopped", "stopped") if look.is_stopped else look.stay()


def _looping(look: _Look) -> Step:
    if look.seen.phase == "up" and look.is_calm:
        return look.tell("back", "up")
    return look.tell("stopped", "stopped") if look.is_stopped else look.stay()


def _stopped(look: _Look) -> Step:
    if look.is_looping:
        return look.loops()
    if look.seen.phase == "up":
        return look.tell("started", "up")
    if look.has_failed:
        return look.tell("down", "down")
    return look.tell("not_started", "down") if look.does_not_start else look.stay()


_RULES = {"unseen": _unseen, "up": _up, "down": _down, "looping": _looping, "stopped": _stopped}
