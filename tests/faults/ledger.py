"""What one fault cost: the difference of two reconciliations of the same run. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from services.reconcile.report import Figures, Report
from tests.faults.fault import Fault, Struck

MOST_MEMORY_MB = 300.0
PRICES_LIVE_S = 2.0
"""How soon an emptied Redis shows people live prices, long before it is filled again."""
MORE_FILES = 20
"""How many more descriptors than at first a service may have open when all is quiet again."""


@dataclass(frozen=True)
class Totals:
    """Everything counted since a run began. `gapped` are publications that never arrived and lie in recorded gaps."""

    lost: int = 0
    doubled: int = 0
    out_of_order: int = 0
    wrong: int = 0
    gapped: int = 0
    gaps: int = 0

    @classmethod
    def of(cls, report: Report) -> "Totals":
        """Add up all stores and channels. Twice in Kafka is no fault, twice in a store is."""
        return cls(
            lost=_sum(report, "lost"),
            doubled=_sum(report, "duplicated", "redis", "postgres"),
            out_of_order=_sum(report, "out_of_order"),
            wrong=_sum(report, "wrong") + _sum(report, "stale"),
            gapped=report.unheard.get("trade", 0),
            gaps=report.gaps["open"] + report.gaps["closed"],
        )

    def since(self, before: "Totals") -> "Totals":
        """What came on top of an earlier count."""
        return Totals(*(getattr(self, name) - getattr(before, name) for name in self.__dataclass_fields__))


def _sum(report: Report, figure: str, *stores: str) -> int:
    return sum(channel.get(figure, 0) for store in stores or _STORES for channel in _channels(report, store))


_STORES = ("kafka", "redis", "postgres")


def _channels(report: Report, store: str) -> list[Figures]:
    channels: dict[str, Figures] = getattr(report, store)
    return list(channels.values())


@dataclass(frozen=True)
class Resources:
    """Of the services: the most memory any had meanwhile, and how many files each has open when all is quiet."""

    peak_mb: dict[str, float]
    open_files: dict[str, int]


@dataclass
class Outcome:
    """One line of the table. `caught_up_s` None: never, within the limit."""

    fault: Fault
    times: int
    cost: Totals
    caught_up_s: float | None
    restarts: int
    resources: Resources
    published: int
    prices_live_s: float | None = None
    broken: list[str] = field(default_factory=list)

    @property
    def peak_mb(self) -> float:
        """Of the largest service."""
        return max(self.resources.peak_mb.values(), default=0.0)


def judge(outcome: Outcome, struck: Struck, first_files: dict[str, int], patience: float) -> Outcome:
    """Add to `broken` every invariant that does not hold. `patience` stretches the bounds on a busy machine."""
    outcome.broken += [*struck.broken, *_broken(outcome, struck, first_files, patience)]
    return outcome


def _broken(outcome: Outcome, struck: Struck, first_files: dict[str, int], patience: float) -> Iterator[str]:
    cost, fault = outcome.cost, outcome.fault
    for what in ("lost", "doubled", "out_of_order"):
        if (count := getattr(cost, what)) > 0:
            yield f"{count} {what.replace('_', ' ')}"
    if cost.wrong != struck.unreadable:
        yield f"{cost.wrong} wrong, and {struck.unreadable} were to be"
    if (cost.gapped > 0 or cost.gaps > 0) and not fault.makes_gap:
        yield f"{cost.gaps} gaps with {cost.gapped} trades, though the exchanges could always reach us"
    if outcome.caught_up_s is None:
        yield "never caught up"
    elif outcome.caught_up_s > fault.bound_s * patience:
        yield f"caught up after {outcome.caught_up_s:.1f} s instead of {fault.bound_s * patience:.1f} s"
    if (live_s := outcome.prices_live_s) is not None and live_s > PRICES_LIVE_S * patience:
        yield f"prices were live after {live_s:.1f} s instead of {PRICES_LIVE_S * patience:.1f} s"
    if outcome.published == 0:
        yield "nothing was published, so nothing is proven"
    yield from _wasteful(outcome.resources, first_files)


def _wasteful(resources: Resources, first_files: dict[str, int]) -> Iterator[str]:
    for name, size_mb in resources.peak_mb.items():
        if size_mb > MOST_MEMORY_MB:
            yield f"{name} took {size_mb:.0f} MB"
    for name, count in resources.open_files.items():
        if count > first_files.get(name, count) + MORE_FILES:
            yield f"{name} has {count} files open, {first_files[name]} at first"
