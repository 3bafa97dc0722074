"""Who runs and only waits, by its own word: for a Kafka, an exchange, a store that is away. Pure.

All who wait for the same are one story: told once it has gone on for a while, and told when they get on again, or as
what comes and goes (`flapping`). What only waits looks up to whoever keeps it, for ending it would help nobody.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from services.watchdog import flapping
from services.watchdog.changes import Change
from services.watchdog.flapping import Story
from services.watchdog.observation import Observation
from services.watchdog.who_waits import Waiting
from shared import waiting
from shared.liveness import STARTING

_S = 1_000_000
TELL_AFTER_US = 10 * _S
"""A connection that is replaced, a store that is started anew: those are no news."""
SEEN_US = 5 * _S
"""So long it is seen besides: after a machine's sleep all have waited for long, and get on within a moment."""
STEADY_US = 5 * _S
"""So long it has to get on before it is told that it does."""
TOGETHER_US = 14 * _S
"""So long those who get on first wait for the others of their story."""


def look(
    before: Sequence[Waiting], stories: Mapping[str, Story], seen: Sequence[Observation], now_us: int
) -> tuple[list[Waiting], dict[str, Story], list[Change]]:
    """What is known of who waits, and of what; returns the same after this look, and what people are to be told."""
    after, known, changes = _followed(before, seen, now_us), dict(stories), []
    for what in dict.fromkeys((*(one.what for one in after), *stories)):
        begins = _begins([one for one in after if one.what == what], now_us)
        if begins is not None:
            known[what], begins = flapping.begin(known.get(what, Story()), begins)
            changes.append(begins)
            after = _once_told(after, begins)
        told = [one for one in after if one.what == what and one.is_told]
        if what in known and known[what].flaps:
            known[what], ends = flapping.look(known[what], told, now_us)
        else:
            ends = _ends(told, now_us)
        if ends is not None:
            changes.append(ends)
            after = _once_told(after, ends)
    return after, known, changes


def excuses(waits: Iterable[Waiting], seen: Observation) -> bool:
    """Whether it may start anew only because it waited, as people know. Its first word may be due.

    Who works meanwhile ends for another reason, and so does who is killed.
    """
    is_known = any(one.is_told and not one.in_part for one in waits if one.part == seen.part)
    if not is_known or (seen.end is not None and seen.end.kind in ("memory", "signal")):
        return False
    if seen.phase == "starting":
        return seen.status in ("", STARTING) or waiting.read(seen.status) is not None
    return seen.phase == "down"


def story_of(waits: Iterable[Waiting], part: str) -> str:
    """What people know that the part waits for; empty for nothing."""
    return next((one.what for one in waits if one.part == part and one.is_told), "")


def _followed(before: Sequence[Waiting], seen: Sequence[Observation], now_us: int) -> list[Waiting]:
    saw = {one.part: one for one in seen}
    said = {one.part: waiting.read(one.status) for one in seen if one.phase == "up"}
    after = [_follow(one, saw.get(one.part), said.get(one.part), now_us) for one in before]
    known = {(one.part, one.what) for one in before}
    fresh = [
        Waiting(part, wait.what, wait.why, now_us - int(wait.for_s * _S), now_us, wait.in_part)
        for part, wait in said.items()
        if wait is not None and (part, wait.what) not in known
    ]
    return [*(one for one in after if one is not None), *fresh]


def _follow(one: Waiting, seen: Observation | None, says: waiting.Wait | None, now_us: int) -> Waiting | None:
    """None when it is no wait any more that anybody has to hear of."""
    if says is not None and says.what == one.what:
        return replace(one, why=says.why, in_part=says.in_part, on_since_us=None)
    if not one.is_told or seen is None:
        return None
    if seen.phase != "up":
        # Who has worked for a while by then did not end because it only waited.
        works = one.on_since_us is not None and now_us - one.on_since_us >= TOGETHER_US
        return replace(one, on_since_us=None, in_part=one.in_part or works)
    return one if one.on_since_us is not None else replace(one, on_since_us=now_us)


def _begins(story: Sequence[Waiting], now_us: int) -> Change | None:
    """Once one has waited for long enough, it is told of all who wait for the same by then."""
    due = [one for one in story if not one.is_told and _is_due(one, now_us)]
    if not due:
        return None
    parts = [one.part for one in story if not one.is_told]
    since_us, is_first = min(one.since_us for one in due), not any(one.is_told for one in story)
    return Change(
        parts[0], "waits", now_us, since_us, status=due[0].why, parts=parts, waits_for=due[0].what, is_first=is_first
    )


def _is_due(one: Waiting, now_us: int) -> bool:
    return now_us - one.since_us >= TELL_AFTER_US and now_us - one.seen_us >= SEEN_US


def _ends(told: Sequence[Waiting], now_us: int) -> Change | None:
    on_since_us = {one.part: one.on_since_us for one in told if one.on_since_us is not None}
    steady = [part for part, since_us in on_since_us.items() if now_us - since_us >= STEADY_US]
    still = [one.part for one in told if one.part not in steady]
    if not steady or (still and now_us - min(on_since_us.values()) < TOGETHER_US):
        return None
    since_us = min(one.since_us for one in told)
    down_us = max(on_since_us[part] for part in steady) - since_us
    return Change(
        steady[0], "gets_on", now_us, since_us, down_us=down_us, parts=steady, waits_for=told[0].what, still=still
    )


def _once_told(waits: Sequence[Waiting], change: Change) -> list[Waiting]:
    ours = {(part, change.waits_for) for part in change.parts}
    if change.kind in ("gets_on", "settled"):
        return [one for one in waits if (one.part, one.what) not in ours]
    return [replace(one, is_told=True) if (one.part, one.what) in ours else one for one in waits]
