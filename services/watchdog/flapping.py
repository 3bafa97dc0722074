"""What is waited for again and again, as for an exchange that serves for seconds and cuts: told once as that. Pure.

A crash loop is told as one in the same way. How often it came and went is told when it is over, and in its thread each
time the number has doubled.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.watchdog.changes import LOOP_RESTARTS, LOOP_WITHIN_US, Change, ChangeKind
from services.watchdog.who_waits import Waiting

CALM_US = LOOP_WITHIN_US // (LOOP_RESTARTS - 1)
"""So long it has to get on before that is told: what comes back within it would be told as flapping anew."""
STANDS_US = 60_000_000
"""A wait so long is told although people know that it comes and goes."""


@dataclass(frozen=True)
class Story:
    """The waits for one thing. `began`: those that people heard of lately, which part's and since when.

    `times`: how often it was waited for since `since_us`; 0 while it does not flap. `said_times`: of that people know.
    `turned_us`: since when all get on (`is_on`), or one waits.
    """

    began: Sequence[tuple[str, int]] = ()
    times: int = 0
    said_times: int = 0
    since_us: int = 0
    is_on: bool = False
    turned_us: int = 0
    has_stood: bool = False

    @property
    def flaps(self) -> bool:
        """Whether people know that it comes and goes."""
        return self.times > 0


def begin(story: Story, change: Change) -> tuple[Story, Change]:
    """A wait that is to be told; it is told as another one of the same where there were several lately."""
    if story.flaps:
        return story, replace(change, is_first=False)
    lately = [one for one in story.began if one[1] > change.at_us - LOOP_WITHIN_US]
    began = [*lately, *((part, change.since_us) for part in change.parts)]
    times = max(Counter(part for part, _ in began).values())
    if times < LOOP_RESTARTS:
        return Story(began), change
    since_us = min(since_us for _, since_us in began)
    # Where others wait for it all the while, people know that it is away.
    flaps = Story((), times, times, since_us, turned_us=change.since_us, has_stood=not change.is_first)
    return flaps, replace(change, kind="flaps", since_us=since_us, times=times)


def look(story: Story, told: Sequence[Waiting], now_us: int) -> tuple[Story, Change | None]:
    """One look at what flaps; `told` are the parts that people know to wait, or to have waited, for it."""
    is_on = all(one.on_since_us is not None for one in told)
    if is_on != story.is_on:
        story = replace(story, is_on=is_on, turned_us=now_us, times=story.times + (not is_on))
    lasts_us = now_us - story.turned_us
    if is_on and lasts_us >= CALM_US:
        return Story(), _tell(told, "settled", story.turned_us, story.since_us, story.times) if told else None
    waiting = [one for one in told if one.on_since_us is None]
    if not is_on and lasts_us >= STANDS_US and not story.has_stood:
        return replace(story, has_stood=True), _tell(waiting, "stands", now_us, story.turned_us)
    if story.times >= 2 * story.said_times:
        again = _tell(told, "flaps", now_us, story.since_us, story.times)
        return replace(story, said_times=story.times), again
    return story, None


def _tell(told: Sequence[Waiting], kind: ChangeKind, at_us: int, since_us: int, times: int = 0) -> Change:
    parts, one = [one.part for one in told], told[0]
    status = "" if kind == "settled" else one.why
    return Change(parts[0], kind, at_us, since_us, status=status, parts=parts, waits_for=one.what, times=times)
