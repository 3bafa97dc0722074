"""What the calm after the blows showed, as the last part of the document. Pure."""

from tests.soak.markdown import rows
from tests.soak.record import Calm
from tests.soak.steadiness import MOST_GROWTH_MB_PER_H, Trend, trends
from tests.soak.verdict import OURS, broken_in_calm

CALM = "## In the calm, nobody killed"
"""The heading of the part of the page that has a command of its own."""
_CALM = (
    CALM
    + """

`{command}` writes this part: after {warm_up:g} minutes of warm-up, {minutes:.0f} minutes at
{messages_a_second:,.0f} messages a second, and {looks} looks at each process. *An hour*: the median slope between all
looks. *Give or take*: the scatter of the middle 80 % about that slope, as if it were one from the first look to the
last. What ours may grow is less than {most:g} MB an hour; a slope whose noise reaches over that neither proves nor
breaks it, and a longer calm tells. Of PostgreSQL all processes are added up, what they share counted once.

**Result: {verdict}.**

{trends}
"""
)
_CALM_HEADINGS = ("process", "MB first", "MB last", "MB an hour", "give or take", "files first", "files last", "")


def calm_part(calm: Calm, command: str) -> str:
    """What the calm after the blows showed, as the last part of the document."""
    found = list(trends(calm))
    flat = [one.name for one in found if one.name in OURS and one.is_flat]
    result = "; ".join(broken_in_calm(calm)) or f"nothing grew; {len(flat)} of {len(OURS)} are proven flat"
    return _CALM.format(
        command=command,
        warm_up=calm.warm_up_s / 60,
        minutes=calm.seconds / 60,
        messages_a_second=calm.published / max(1e-9, calm.seconds),
        looks=len(calm.looks),
        most=MOST_GROWTH_MB_PER_H,
        verdict=result,
        trends="\n".join(rows(_CALM_HEADINGS, map(_trend, found))),
    )


def _trend(one: Trend) -> tuple[str, ...]:
    said = "flat" if one.is_flat else "grows" if one.grows else "not told from noise"
    return (
        one.name,
        f"{one.first_mb:.1f}",
        f"{one.last_mb:.1f}",
        f"{one.mb_per_h:+.2f}",
        f"{one.noise_mb_per_h:.2f}",
        f"{one.first_files}",
        f"{one.last_files}",
        said if one.name in OURS else "",
    )
