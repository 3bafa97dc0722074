"""Whether the alert worker's canary is overdue, by its own word: who runs and tells nobody is not well. Pure.

The worker says by when its test alert must be back from the notifier (`shared.canary`). What is down is told as down,
and only what is up is asked.
"""

from collections.abc import Mapping, Sequence

from services.watchdog.changes import Change
from services.watchdog.observation import Observation
from shared import canary


def look(overdue: Mapping[str, int], seen: Sequence[Observation], now_us: int) -> tuple[dict[str, int], list[Change]]:
    """What people know to be overdue, by part and since when; returns the same after this look, and what is new."""
    after, changes = dict(overdue), []
    for one in seen:
        sign = canary.read(one.status)
        if one.phase != "up" or sign is None:
            continue
        since_us = after.get(one.part)
        if since_us is None and now_us > sign.due_us:
            after[one.part] = now_us
            last_us = sign.returned_us or sign.due_us
            changes.append(Change(one.part, "canary_overdue", now_us, last_us, status=one.status))
        elif since_us is not None and sign.returned_us is not None and sign.returned_us >= since_us:
            del after[one.part]
            away_us = now_us - since_us
            changes.append(Change(one.part, "canary_back", now_us, now_us, down_us=away_us, status=one.status))
    return after, changes
