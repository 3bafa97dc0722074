"""Which faults strike in which order, and the luck of each. Pure: a seed tells the whole story again."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from random import Random

from tests.faults.fault import Fault, StageName

STAGES: tuple[StageName, ...] = ("plain", "proxied", "three brokers", "small disk", "hosts")


class UnknownFault(ValueError):
    """Something was asked for that the catalogue does not have."""


@dataclass(frozen=True)
class Planned:
    """One fault and its luck, which does not depend on what else is in the plan."""

    fault: Fault
    luck: str

    def random(self, of: str = "") -> Random:
        """The same numbers each time; others for what is named, which asks as often as it likes."""
        return Random(f"{self.luck}/{of}" if of else self.luck)


def choose(catalogue: Sequence[Fault], only: Collection[str] = (), *, quick: bool = False) -> list[Fault]:
    """The faults named in `only` by code or name (all without it); `quick`: what tests strike. Raises UnknownFault."""
    names = {one for fault in catalogue for one in (fault.code, fault.name)}
    unknown = sorted(set(only) - names)
    if unknown:
        raise UnknownFault(f"no fault is called {', '.join(unknown)}; the names are {', '.join(sorted(names))}")
    wanted = [fault for fault in catalogue if not only or fault.code in only or fault.name in only]
    return [fault for fault in wanted if fault.target or not quick]


def plan(faults: Iterable[Fault], seed: int) -> dict[StageName, list[Planned]]:
    """An order for each stage that has faults. What `comes_first` does; the rest is shuffled by the seed."""
    found: dict[StageName, list[Planned]] = {}
    for stage in STAGES:
        here = [fault for fault in faults if fault.stage == stage]
        Random(f"{seed}/{stage}").shuffle(here)
        here.sort(key=lambda fault: not fault.comes_first)
        if here:
            found[stage] = [Planned(fault, f"{seed}/{fault.code}/{fault.name}") for fault in here]
    return found
