"""From one look at a host to the next, and what people are to be told in between. Pure."""

from dataclasses import replace

from services.watchdog import canaries
from services.watchdog.changes import Change
from services.watchdog.each_part import one_by_one
from services.watchdog.memory import Memory, Sight
from services.watchdog.whole_set import together

AWAY_US = 15_000_000
"""A watchdog that did not look for longer was away itself, and says so."""
_NO_BOOT_ID = "containers"
"""What an older program kept where parts run in containers: it knew of no reboot."""


def observe(memory: Memory, sight: Sight, now_us: int) -> tuple[Memory, list[Change]]:
    """Take in one look. Returns the memory after it, and what people are to be told."""
    if sight.is_ending:
        # How its parts go down is no news: what is told is that the host is back, and how long it was away.
        return replace(memory, boot_id=memory.boot_id or sight.boot_id, looked_at_us=now_us), []
    changes: list[Change] = []
    memory = _after_absence(memory, sight, now_us, changes)
    if sight.wanted is False or memory.all_stopped_since_us is not None or memory.coming_since_us is not None:
        memory = together(memory, sight, now_us, changes)
    else:
        memory = one_by_one(memory, sight, now_us, changes)
        overdue, told = canaries.look(memory.overdue, sight.parts, now_us)
        memory, changes = replace(memory, overdue=overdue), [*changes, *told]
    return replace(memory, boot_id=sight.boot_id, looked_at_us=now_us), changes


def says(sight: Sight, memory: Memory) -> str:
    """The watchdog's line about itself. Who waits is up, and people know that it waits until they hear otherwise."""
    up = f"{sum(seen.phase == 'up' for seen in sight.parts)} of {len(sight.parts)} parts up"
    told = {one.part for one in memory.waits if one.is_told}
    waiting = {one.part for one in memory.waits if one.is_told and one.on_since_us is None}
    only_wait = f", {len(waiting)} only wait" if waiting else ""
    return up + only_wait + (f", {len(told - waiting)} get on again" if told - waiting else "")


def _after_absence(memory: Memory, sight: Sight, now_us: int, changes: list[Change]) -> Memory:
    """Nobody looked for a while: because the host was started anew, or because the watchdog was."""
    if not memory.boot_id:
        return memory
    if memory.boot_id not in (sight.boot_id, _NO_BOOT_ID):
        return replace(memory, coming_since_us=now_us, gone_since_us=memory.looked_at_us)
    away_us = now_us - memory.looked_at_us
    if away_us > AWAY_US:
        memory = replace(memory, absences=memory.absences.and_one(now_us))
        since_us, absences = memory.looked_at_us, memory.absences
        changes.append(Change("watchdog", "watchdog_back", now_us, since_us, down_us=away_us, absences=absences))
    return memory
