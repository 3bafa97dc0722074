"""What a soak found, as a Markdown document. Pure."""

from collections.abc import Iterator

from tests.soak.blows import TARGETS
from tests.soak.calm_table import CALM, calm_part
from tests.soak.markdown import row, rows
from tests.soak.record import Period, Record
from tests.soak.verdict import broken, growth, growth_not_judged

_HEADINGS = (
    "period",
    "blows",
    "kills",
    "messages",
    "lost",
    "doubled",
    "out of order",
    "wrong",
    "in gaps",
    "gaps",
    "caught up after s",
    "restarts",
    "largest MB",
    "most files",
)

FULL = 1_000
"""So many blows make a full result."""
_FLAT_HEADINGS = ("process", "MB first", "MB last", "MB grown", "files first", "files last", "files grown")
_DOCUMENT = """# Soak: kill -9 at random moments

`make soak KILLS={blows} SEED={seed}` writes this page at its end. {blows:,} blows of `kill -9` ended {kills:,}
processes: one at a time, or two in the same moment. The market was asked for {rate:,.0f} messages a second and gave
{messages_a_second:,.0f}. Each period ends with a pause in which everything published is compared with Kafka, Redis and
Postgres, trade by trade.

**Result: {verdict}.**{partial}

{periods}

*In gaps*: trades that the exchange published while a killed producer was away; a recorded gap says so. *Restarts* are
more than kills of services, because a consumer also ends when its store does.

## How often each was killed

{targets}

## Memory and open files

In the pause after the first and the last period. Growth is the median slope between all periods, times their number.
Who is killed is young when it is looked at; whether it grows when it lives is told in the calm. Kafka, Redis and
PostgreSQL hold what is published, up to retention, the cap of a stream and the size of a cache: they grow, and may.

{flat}
"""


def verdict(record: Record) -> str:
    """The one sentence that it all comes to."""
    found = broken(record)
    if found:
        return f"broken: {'; '.join(found)}"
    if not record.periods:
        return "nothing grew in the calm"
    held = "nothing was lost outside a recorded gap, nothing doubled, nothing out of order"
    not_judged = growth_not_judged(record.periods)
    return held if not_judged is None else f"{held}; {not_judged}"


def document(record: Record) -> str:
    """The whole document. Written by `make soak` when its last blow has been counted."""
    return _DOCUMENT.format(
        blows=record.blows,
        kills=record.kills,
        seed=record.seed,
        rate=record.rate,
        messages_a_second=record.messages_a_second,
        verdict=verdict(record),
        partial="" if record.blows >= FULL else f" This is a part: a full result has {FULL:,} blows.",
        periods="\n".join(
            [
                *rows(_HEADINGS, (_cells(str(number), one) for number, one in enumerate(record.periods, 1))),
                row(_total(record)),
            ]
        ),
        targets="\n".join(rows(("target", "kills"), ((name, f"{_killed(record, name):,}") for name in TARGETS))),
        flat="\n".join(rows(_FLAT_HEADINGS, _flat(record))),
    )


def page(old: str, record: Record, command: str) -> str:
    """The document with what this record has: the part that it has not stays as it is in the `old` one."""
    blows, heading, calm = old.partition(CALM)
    if record.periods:
        blows = document(record)
    calm = calm_part(record.calm, command) if record.calm else heading + calm
    return f"{blows.rstrip()}\n\n{calm}" if calm else blows


def _cells(name: str, one: Period) -> tuple[str, ...]:
    return (
        name,
        f"{one.blows}",
        f"{sum(one.kills.values())}",
        f"{one.published:,}",
        f"{one.lost}",
        f"{one.doubled}",
        f"{one.out_of_order}",
        f"{one.wrong}",
        f"{one.in_gaps:,}",
        f"{one.gaps}",
        "never" if one.caught_up_s is None else f"{one.caught_up_s:.1f}",
        f"{one.restarts}",
        f"{max(one.memory_mb.values(), default=0):.0f}",
        f"{max(one.open_files.values(), default=0)}",
    )


def _total(record: Record) -> tuple[str, ...]:
    periods = record.periods

    def total(name: str) -> str:
        return f"{sum(getattr(one, name) for one in periods):,}"

    return (
        "all",
        total("blows"),
        f"{record.kills:,}",
        *map(total, ("published", "lost", "doubled", "out_of_order", "wrong", "in_gaps", "gaps")),
        f"{max((one.caught_up_s or 0.0 for one in periods), default=0.0):.1f}",
        total("restarts"),
        f"{max((size for one in periods for size in one.memory_mb.values()), default=0):.0f}",
        f"{max((count for one in periods for count in one.open_files.values()), default=0)}",
    )


def _killed(record: Record, target: str) -> int:
    return sum(one.kills.get(target, 0) for one in record.periods)


def _flat(record: Record) -> Iterator[tuple[str, ...]]:
    memory, files = (growth(record.periods, figure) for figure in ("memory_mb", "open_files"))
    first, last = record.periods[0], record.periods[-1]
    for name in sorted(first.memory_mb):
        yield (
            name,
            f"{first.memory_mb[name]:.0f}",
            f"{last.memory_mb.get(name, 0):.0f}",
            f"{memory[name]:+.1f}",
            f"{first.open_files.get(name, 0)}",
            f"{last.open_files.get(name, 0)}",
            f"{files[name]:+.1f}",
        )
