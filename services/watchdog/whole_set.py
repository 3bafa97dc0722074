"""All parts of one host together: what was stopped together is told once, and so is a reboot. Pure."""

from dataclasses import replace

from services.watchdog.changes import LOOP_RESTARTS, START_GRACE_US, Change, ChangeKind, Part, Told, tracked
from services.watchdog.each_part import one_by_one
from services.watchdog.memory import Memory, Sight
from services.watchdog.observation import Observation


def together(memory: Memory, sight: Sight, now_us: int, changes: list[Change]) -> Memory:
    """The set as a whole goes, is away, or comes: one message when it went, one when it is there again."""
    if sight.wanted is not False:
        return _coming(memory, sight, now_us, changes)
    if memory.all_stopped_since_us is None:
        memory = _all_stop(memory, sight, now_us, changes)
    else:
        memory = _apart(memory, memory.all_stopped_since_us, sight, now_us, changes)
    return replace(memory, coming_since_us=None, coming={})


def _all_stop(memory: Memory, sight: Sight, now_us: int, changes: list[Change]) -> Memory:
    """What runs at the very first look was started without the others, and nobody stopped them."""
    is_first = not memory.boot_id
    if not is_first or all(seen.phase == "stopped" for seen in sight.parts):
        changes.append(Change("tapewatch", "all_stopped", now_us, now_us))
    known = {name: part for name, part in memory.parts.items() if part.told != "unseen"}
    runs = {seen.part: Part() for seen in sight.parts if is_first and seen.phase != "stopped"}
    return replace(memory, parts={**known, **runs}, all_stopped_since_us=now_us, waits=(), stories={})


def _apart(memory: Memory, since_us: int, sight: Sight, now_us: int, changes: list[Change]) -> Memory:
    """Who stopped with the others and is started without them is looked after like any other.

    So is who was stopped before: people know it as that.
    """
    parts = dict(memory.parts)
    for seen in sight.parts:
        if seen.phase in ("stopped", "down") and not _is_apart(parts.get(seen.part), since_us):
            parts[seen.part] = _stopped(now_us)
    started = [seen for seen in sight.parts if _is_apart(parts.get(seen.part), since_us)]
    apart = [seen for seen in started if _has_run(parts[seen.part], seen)]
    return one_by_one(replace(memory, parts=parts), replace(sight, parts=apart), now_us, changes)


def _is_apart(part: Part | None, all_stopped_since_us: int) -> bool:
    return part is not None and (part.told in {"unseen", "stopped"} or part.since_us >= all_stopped_since_us)


def _has_run(part: Part, seen: Observation) -> bool:
    """Whether it ran since all were stopped: how one goes down that was told to stop with the others is no news."""
    return part.told != "stopped" or bool(part.incarnation) or seen.phase in ("up", "starting")


def _stopped(now_us: int) -> Part:
    return Part(told="stopped", since_us=now_us, not_up_since_us=now_us)


def _coming(memory: Memory, sight: Sight, now_us: int, changes: list[Change]) -> Memory:
    """What starts is waited for; what has failed, or after a minute is still not up, is named in the one message.

    What somebody had stopped by itself is not missed. What is none of the host's parts any more is named unless people
    know, not waited for, and forgotten.
    """
    since_us = now_us if memory.coming_since_us is None else memory.coming_since_us
    left = _left_alone(memory)
    coming = [seen for seen in sight.parts if seen.part not in left and not seen.is_gone]
    gone = [seen for seen in sight.parts if seen.part not in left and seen.is_gone]
    looks = {seen.part: tracked(memory.coming.get(seen.part, Part()), seen, now_us) for seen in coming}
    parts, is_late = {part: after for part, (after, _) in looks.items()}, now_us - since_us >= START_GRACE_US
    missing = [seen for seen in coming if seen.phase != "up"]
    named = [seen for seen in coming if looks[seen.part][1] or (is_late and seen.phase != "up")]
    if missing and not named:
        return replace(memory, coming_since_us=since_us, coming=parts)
    kind: ChangeKind = "all_started"
    gone_us, absences = memory.all_stopped_since_us, None
    if gone_us is None:
        kind, gone_us, absences = "rebooted", memory.gone_since_us, memory.absences.and_one(now_us)
    not_up = {seen.part: f"{seen.part} not up: {seen.status or seen.phase}" for seen in (*named, *gone)}
    change = Change("tapewatch", kind, now_us, gone_us, down_us=now_us - gone_us, absences=absences)
    changes.append(replace(change, status=", ".join(not_up.values()), not_up=list(not_up)))
    ill = {seen.part for seen in named}
    known = {seen.part: _as_it_is(parts[seen.part], seen, now_us, is_ill=seen.part in ill) for seen in coming}
    stopped = {seen.part: left[seen.part] for seen in sight.parts if seen.part in left and not seen.is_gone}
    memory = replace(
        memory, parts=known | stopped, all_stopped_since_us=None, coming_since_us=None, coming={}, waits=(), stories={}
    )
    return memory if absences is None else replace(memory, absences=absences)


def _left_alone(memory: Memory) -> dict[str, Part]:
    """Whom people know to have been stopped before all went."""
    gone_us = memory.gone_since_us if memory.all_stopped_since_us is None else memory.all_stopped_since_us
    return {name: part for name, part in memory.parts.items() if part.told == "stopped" and part.since_us < gone_us}


def _as_it_is(part: Part, seen: Observation, now_us: int, *, is_ill: bool) -> Part:
    """As people know it from the message about all. What still starts is given its time."""
    told: Told = "up" if seen.phase == "up" else "unseen"
    if is_ill:
        told = "looping" if len(part.restarts_at_us) >= LOOP_RESTARTS else "down"
    since_us = part.since_us if told == "unseen" else now_us
    return replace(part, told=told, since_us=since_us, known=part.incarnation, restarts=0)
