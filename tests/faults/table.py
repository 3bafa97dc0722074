"""The one table that a run of faults ends with, on the screen and as a page. Pure."""

from collections.abc import Mapping, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tests.faults.aims import aim_s
from tests.faults.fault import Fault
from tests.faults.record import Row

_HEADINGS = (
    "injected",
    "messages",
    "lost",
    "doubled",
    "out of order",
    "in gaps",
    "caught up after s",
    "restarts",
    "memory MB",
)


def draw(rows: Sequence[Row]) -> RenderableType:
    """All rows, then what broke."""
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("fault", no_wrap=True)
    for heading in _HEADINGS:
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(*cells(row), style="red" if row.broken else "")
    style = "bold red" if complaints(rows) else "bold green"
    return Group(table, *(Text(line, style="bold red") for line in complaints(rows)), Text(verdict(rows), style=style))


def cells(row: Row) -> list[str]:
    """One row, as plain text."""
    return [
        f"{row.code} {row.name}",
        str(row.injected),
        f"{row.published:,}",
        str(row.lost),
        str(row.doubled),
        str(row.out_of_order),
        f"{row.in_gaps:,}",
        _caught_up(row),
        str(row.restarts),
        f"{row.memory_mb:.0f}",
    ]


def _caught_up(row: Row) -> str:
    caught_up = "never" if row.caught_up_s is None else f"{row.caught_up_s:.2f}"
    return caught_up if row.prices_live_s is None else f"{caught_up} (prices: {row.prices_live_s:.2f})"


def complaints(rows: Sequence[Row]) -> list[str]:
    """A line for each invariant that broke."""
    return [f"{row.code} {row.name}: {text}" for row in rows for text in row.broken]


def verdict(rows: Sequence[Row]) -> str:
    """The last line."""
    broken = sum(bool(row.broken) for row in rows)
    if broken:
        return f"{broken} of {len(rows)} faults broke an invariant"
    return f"every invariant held in {len(rows)} of {len(rows)} faults"


def page(catalogue: Sequence[Fault], known: Mapping[str, Row]) -> str:
    """The last result of every fault of the catalogue as Markdown, in its order; those without one are named."""
    rows = [known[fault.name] for fault in catalogue if fault.name in known]
    missing = [fault.name for fault in catalogue if fault.name not in known]
    seeds, commits = sorted({row.seed for row in rows}), sorted({row.commit for row in rows})
    lines = [_ABOVE.format(verdict=verdict(rows), seeds=", ".join(map(str, seeds)), commits=", ".join(commits))]
    if missing:
        lines += [f"Not run yet: {', '.join(missing)}.", ""]
    if complaints(rows):
        lines += ["What broke:", "", *(f"- {line}" for line in complaints(rows)), ""]
    headings = [*_HEADINGS, "bound s", "aim s"]
    lines += [f"| fault | what happens | {' | '.join(headings)} |", f"|---|---|{'---:|' * len(headings)}"]
    faults = {fault.name: fault for fault in catalogue}
    for row in rows:
        name, *figures = [*cells(row), *_bounds(faults[row.name])]
        stage = "" if row.stage == "plain" else f" ({row.stage})"
        lines.append(f"| {name} | {row.says}{stage} | {' | '.join(figures)} |")
    return "\n".join([*lines, ""])


def _bounds(fault: Fault) -> list[str]:
    aim = aim_s(fault)
    return [f"{fault.bound_s:g}", "" if aim is None else f"{aim:g}"]


_ABOVE = """# Faults: what each one cost

`make faults ARGS=--document` strikes the whole product with one fault after the other and writes this page: real
Kafka, PostgreSQL and Valkey, simulated exchanges, every service a process of its own. After each fault everything that
the exchanges published is compared with Kafka and both stores, trade by trade.

**Result: {verdict}.** Seeds: {seeds}; `make faults SEED=… ONLY=name` repeats one. Commits: {commits}.

*In gaps*: trades that an exchange published while it could not reach us; a recorded gap says so. *Caught up*: from the
end of the fault until both stores have everything that Kafka has and show trades that arrived since; *prices*: until
Redis shows a price of each exchange that arrived since, two seconds at most. *Memory*: the most that any one service
had. *Bound*: later than that, and the row is broken. *Aim*: what the design asks for, where that is less. It speaks of
a bare loop on a machine of its own; here every service, server and exchange shares a few cores with whoever looks on,
and a bound holds on a busy day, too. Who was killed starts anew first, which takes about a second, and a store's lock
that nobody gave up is free after two more; a client asks a broker that was away after a pause that grows to some
seconds; an exchange is called ever more seldom, lest it ban us. After a long outage the aim is that the backlog is read
at six times the speed at which the market goes on.
"""
