"""All parts of one host together: what was stopped together is told once, and so is a reboot. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from services.watchdog import canaries, waits
from services.watchdog.absences import Absences
from services.watchdog.changes import START_GRACE_US, Change, ChangeKind, Part, excused, look
from services.watchdog.observation import Observation
from services.watchdog.waits import Waiting

AWAY_US = 15_000_000
"""A watchdog that did not look for longer was away itself, and says so."""


@dataclass(frozen=True)
class Sight:
    """One look at everything. `wanted`: whether the whole set is meant to run; None where nobody can say.

    `is_ending`: the host is on its way down.
    """

    parts: Sequence[Observation]
    boot_id: str
    wanted: bool | None = None
    is_ending: bool = False


@dataclass(frozen=True)
class Memory:
    """What is remembered between looks, and across restarts of the watchdog and of the host."""

    parts: Mapping[str, Part] = field(default_factory=dict)
    boot_id: str = ""
    looked_at_us: int = 0
    all_stopped_since_us: int | None = None
    coming_since_us: int | None = None
    """While a host comes up again: since when. Its parts are told together."""
    gone_since_us: int = 0
    overdue: Mapping[str, int] = field(default_factory=dict)
    """Parts whose canary people know to be overdue: since when."""
    absences: Absences = field(default_factory=Absences)
    waits: Sequence[Waiting] = ()
    """Who runs and only waits."""


def observe(memory: Memory, sight: Sight, now_us: int) -> tuple[Memory, list[Change]]:
    """Take in one look. Returns the memory after it, and what people are to be told."""
    if sight.is_ending:
        # How its parts go down is no news: what is told is that the host is back, and how long it was away.
        return replace(memory, boot_id=memory.boot_id or sight.boot_id, looked_at_us=now_us), []
    changes: list[Change] = []
    memory = _after_absence(memory, sight, now_us, changes)
    if sight.wanted is False or memory.all_stopped_since_us is not None or memory.coming_since_us is not None:
        memory = _together(memory, sight, now_us, changes)
    else:
        memory = _one_by_one(memory, sight, now_us, changes)
        overdue, told = canaries.look(memory.overdue, sight.parts, now_us)
        memory, changes = replace(memory, overdue=overdue), [*changes, *told]
    return replace(memory, boot_id=sight.boot_id, looked_at_us=now_us), changes


def _after_absence(memory: Memory, sight: Sight, now_us: int, changes: list[Change]) -> Memory:
    """Nobody looked for a while: because the host was started anew, or because the watchdog was."""
    if not memory.boot_id:
        return memory
    if memory.boot_id != sight.boot_id:
        return replace(memory, coming_since_us=now_us, gone_since_us=memory.looked_at_us)
    away_us = now_us - memory.looked_at_us
    if away_us > AWAY_US:
        memory = replace(memory, absences=memory.absences.and_one(now_us))
        since_us, absences = memory.looked_at_us, memory.absences
        changes.append(Change("watchdog", "watchdog_back", now_us, since_us, down_us=away_us, absences=absences))
    return memory


def _one_by_one(memory: Memory, sight: Sight, now_us: int, changes: list[Change]) -> Memory:
    parts = dict(memory.parts)
    waiting, told = waits.look(memory.waits, sight.parts, now_us)
    changes += told
    for seen in sight.parts:
        before = parts.get(seen.part, Part())
        if waits.excuses(waiting, seen):
            parts[seen.part] = excused(before, seen, now_us)
            continue
        step = look(before, seen, now_us)
        parts[seen.part] = step.part
        if step.change is not None:
            changes.append(replace(step.change, waits_for=waits.story_of(waiting, seen.part)))
            if step.part.told != "up":  # its own story goes on where that of its waiting was told
                waiting = [one for one in waiting if one.part != seen.part]
    return replace(memory, parts=parts, waits=waiting)


def _together(memory: Memory, sight: Sight, now_us: int, changes: list[Change]) -> Memory:
    """The set as a whole goes, is away, or comes: one message when it went, one when it is there again."""
    if sight.wanted is False:
        if memory.all_stopped_since_us is None:
            changes.append(Change("tapewatch", "all_stopped", now_us, now_us))
            memory = replace(memory, all_stopped_since_us=now_us, waits=())
        return replace(memory, coming_since_us=None)
    since_us = now_us if memory.coming_since_us is None else memory.coming_since_us
    missing = [seen for seen in sight.parts if seen.phase != "up"]
    if missing and now_us - since_us < START_GRACE_US:
        return replace(memory, coming_since_us=since_us)
    kind: ChangeKind = "all_started"
    gone_us, absences = memory.all_stopped_since_us, None
    if gone_us is None:
        kind, gone_us, absences = "rebooted", memory.gone_since_us, memory.absences.and_one(now_us)
    status = ", ".join(f"{seen.part} not up: {seen.status or seen.phase}" for seen in missing)
    away_us = now_us - gone_us
    changes.append(Change("tapewatch", kind, now_us, gone_us, down_us=away_us, status=status, absences=absences))
    fresh = {seen.part: _as_it_is(seen, now_us) for seen in sight.parts}
    memory = replace(memory, parts=fresh, all_stopped_since_us=None, coming_since_us=None, waits=())
    return memory if absences is None else replace(memory, absences=absences)


def _as_it_is(seen: Observation, now_us: int) -> Part:
    is_up = seen.phase == "up"
    return Part(
        told="up" if is_up else "down",
        since_us=now_us,
        known=seen.incarnation,
        counted=seen.restarts,
        incarnation=seen.incarnation,
        not_up_since_us=None if is_up else now_us,
        up_since_us=now_us if is_up else None,
    )
