"""The parts of a host one by one: each is its own story, or part of one about what several wait for. Pure."""

from dataclasses import replace

from services.watchdog import waits
from services.watchdog.changes import Change, Part, excused, look
from services.watchdog.memory import Memory, Sight


def one_by_one(memory: Memory, sight: Sight, now_us: int, changes: list[Change]) -> Memory:
    parts = dict(memory.parts)
    waiting, stories, told = waits.look(memory.waits, memory.stories, sight.parts, now_us)
    changes += told
    for seen in sight.parts:
        before = parts.get(seen.part, Part())
        if waits.excuses(waiting, seen) and (after := excused(before, seen, now_us)) is not None:
            parts[seen.part] = after
            continue
        step = look(before, seen, now_us)
        parts[seen.part] = step.part
        if step.change is not None:
            changes.append(replace(step.change, waits_for=waits.story_of(waiting, seen.part)))
            if step.part.told != "up":  # its own story goes on where that of its waiting was told
                waiting = [one for one in waiting if one.part != seen.part]
    return replace(memory, parts=parts, waits=waiting, stories=stories)
