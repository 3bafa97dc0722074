"""The one table that a run of faults ends with. Pure."""

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tests.faults.ledger import Outcome

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


def draw(outcomes: Sequence[Outcome], seed: int) -> RenderableType:
    """All outcomes, then what broke."""
    table = Table(title=f"seed {seed}", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("fault", no_wrap=True)
    for heading in _HEADINGS:
        table.add_column(heading, justify="right")
    for outcome in outcomes:
        table.add_row(*cells(outcome), style="red" if outcome.broken else "")
    return Group(table, *(Text(line, style="bold red") for line in complaints(outcomes)), verdict(outcomes))


def cells(outcome: Outcome) -> list[str]:
    """One row, as plain text."""
    cost = outcome.cost
    caught_up = "never" if outcome.caught_up_s is None else f"{outcome.caught_up_s:.2f}"
    return [
        f"{outcome.fault.code} {outcome.fault.name}",
        str(outcome.times),
        f"{outcome.published:,}",
        str(cost.lost),
        str(cost.doubled),
        str(cost.out_of_order),
        str(cost.gapped),
        caught_up,
        str(outcome.restarts),
        f"{outcome.peak_mb:.0f}",
    ]


def complaints(outcomes: Sequence[Outcome]) -> list[str]:
    """A line for each invariant that broke."""
    return [f"{one.fault.code} {one.fault.name}: {text}" for one in outcomes for text in one.broken]


def verdict(outcomes: Sequence[Outcome]) -> Text:
    """The last line."""
    broken = sum(bool(one.broken) for one in outcomes)
    if broken:
        return Text(f"{broken} of {len(outcomes)} faults broke an invariant", style="bold red")
    return Text(f"{len(outcomes)} faults, and every invariant held", style="bold green")
