"""What a fault is: a name, how it strikes the running world, and how long the world may take to get over it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from tests.faults.world import World

StageName = Literal["plain", "three brokers", "proxied", "small disk", "hosts"]
"""Which world: one of each server; three brokers; a TCP proxy before each part; PostgreSQL on a small disk; or services
on hosts of their own."""

Target = Literal["test", "test-long"]
"""Which target of the Makefile strikes it before `make faults` does: what is quick, and what adds least to that."""

Check = Callable[["World"], Awaitable[Sequence[str]]]


async def nothing_more(_world: "World") -> Sequence[str]:
    """A fault whose effects the reconciliation sees all by itself."""
    return ()


@dataclass
class Struck:
    """What was done, once it is over.

    `times` is how often it struck; `unreadable` counts records that are in Kafka on purpose and are none of ours.
    `broken` says in sentences what went wrong on the way; `check` is asked for more once the world has caught up.
    `prices_live` is the seconds until Redis showed people a price that came since; None where nobody looks.
    """

    times: int = 1
    unreadable: int = 0
    broken: list[str] = field(default_factory=list)
    check: Check = nothing_more
    prices_live: Awaitable[float] | None = None


@dataclass(frozen=True)
class Fault:
    """One row of the catalogue.

    `strike` returns when the fault is over: what was killed may come back from then on, what was frozen goes on.
    `bound_s` is how long the stores may lag after that. `makes_gap`: the exchanges could not reach us for a while, so
    trades may be missing inside recorded gaps, and only those that were published from then until the stores were live;
    any other fault must not write a gap at all.
    """

    code: str
    name: str
    says: str
    strike: Callable[["World", Random], Awaitable[Struck]]
    bound_s: float
    makes_gap: bool = False
    stage: StageName = "plain"
    target: Target | None = None
    comes_first: bool = False
