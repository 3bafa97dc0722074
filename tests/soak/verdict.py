"""Which invariants a soak broke: in one period, and as a trend over all of them. Pure."""

from collections.abc import Iterator, Sequence

from tests.soak.blows import SERVICES
from tests.soak.record import Calm, Period, Record
from tests.soak.slope import slope
from tests.soak.steadiness import trends

MOST_MEMORY_MB = 300.0
MOST_GROWTH_MB = 20.0
"""Of any process over all the blows. Most are seconds old when they are looked at: who grows slowly shows in the calm.
"""
MOST_MORE_FILES = 8.0
AWAY_S = 8.0
"""How long a killed producer may hear nothing on a busy machine: it starts, asks for its lists, and subscribes."""
PRODUCERS = tuple(name for name in SERVICES if name.startswith("producer"))
_TREND_NEEDS_PERIODS = 8
OURS = frozenset({*SERVICES, "alert-worker"})


def broken_in(period: Period) -> Iterator[str]:
    """A sentence for each invariant that did not hold in a period."""
    for name in ("lost", "doubled", "out_of_order", "wrong"):
        if count := getattr(period, name):
            yield f"{count} {name.replace('_', ' ')}"
    if period.in_gaps > (most := most_in_gaps(period)):
        yield f"{period.in_gaps:,} in gaps, though killed producers can have missed {most:,} at most"
    if period.caught_up_s is None:
        yield "never caught up"
    if period.published == 0:
        yield "nothing was published, so nothing is proven"
    for name, size_mb in period.memory_mb.items():
        if name in OURS and size_mb > MOST_MEMORY_MB:
            yield f"{name} took {size_mb:.0f} MB"


def most_in_gaps(period: Period) -> int:
    """How many trades killed producers may have missed: each a while of its exchange's half of all messages."""
    kills = sum(period.kills.get(name, 0) for name in PRODUCERS)
    return int(kills * AWAY_S * period.published / len(PRODUCERS) / max(1.0, period.flowed_s))


def growth(periods: Sequence[Period], figure: str) -> dict[str, float]:
    """Of each process, by how much `figure` grew from the first period to the last, by its slope.

    Periods are compared within one world only, and the longest world speaks for all.
    """
    longest = _longest_world(periods)
    found = {}
    for name in sorted({name for one in longest for name in getattr(one, figure)}):
        points = [
            (float(place), float(getattr(one, figure)[name]))
            for place, one in enumerate(longest)
            if name in getattr(one, figure)
        ]
        found[name] = slope(points) * max(0, len(longest) - 1)
    return found


def _longest_world(periods: Sequence[Period]) -> list[Period]:
    worlds: dict[int, list[Period]] = {}
    for one in periods:
        worlds.setdefault(one.world, []).append(one)
    return max(worlds.values(), key=len, default=[])


def growth_not_judged(periods: Sequence[Period]) -> str | None:
    """Why nothing can be said of growth over the blows; None when it was judged. Each start of the command is a world.

    Who is interrupted again and again never has enough periods in one.
    """
    most = len(_longest_world(periods))
    if most >= _TREND_NEEDS_PERIODS:
        return None
    return (
        "whether memory or open files grew over the blows was not judged: that takes "
        f"{_TREND_NEEDS_PERIODS} periods without an interruption, and there were {most}"
    )


def broken(record: Record) -> list[str]:
    """Everything that did not hold, the trends among it once there are enough periods for one."""
    found = list(record.broken)
    if growth_not_judged(record.periods) is None:
        for name, grown_mb in growth(record.periods, "memory_mb").items():
            if name in OURS and grown_mb > MOST_GROWTH_MB:
                found.append(f"the memory of {name} grew by {grown_mb:.1f} MB")
        for name, more in growth(record.periods, "open_files").items():
            if name in OURS and more > MOST_MORE_FILES:
                found.append(f"the open files of {name} grew by {more:.0f}")
    return found + (broken_in_calm(record.calm) if record.calm else [])


def broken_in_calm(calm: Calm) -> list[str]:
    """A sentence for each of our processes that grows though nobody is killed."""
    ours = [one for one in trends(calm) if one.name in OURS]
    return [
        *(f"{name} was not there all through the calm" for name in sorted(OURS - {one.name for one in ours})),
        *([f"services ended by themselves in the calm, {calm.restarts} times"] if calm.restarts else []),
        *(
            f"the memory of {one.name} grew by {one.mb_per_h:.1f} MB an hour in the calm, "
            f"give or take {one.noise_mb_per_h:.1f}"
            for one in ours
            if one.grows
        ),
        *(f"{one.name} had {one.files_per_h:.0f} files more open each hour" for one in ours if one.leaves_files_open),
    ]
