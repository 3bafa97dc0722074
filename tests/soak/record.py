"""What a soak has seen so far, period by period, as a file that the next run goes on from."""

import os
from pathlib import Path

import msgspec
from msgspec import Struct, field

from shared.errors import WrongUse


class Period(Struct, kw_only=True):
    """What one period of blows cost, counted in a pause after it.

    `kills` by target; `flowed_s` is how long the market was open; `memory_mb` and `open_files` by process, in that
    pause. `world` numbers the runs of the servers: each start of the command is a new one.
    """

    world: int
    blows: int
    kills: dict[str, int]
    published: int
    lost: int
    doubled: int
    out_of_order: int
    wrong: int
    in_gaps: int
    gaps: int
    caught_up_s: float | None
    restarts: int
    flowed_s: float
    seconds: float
    memory_mb: dict[str, float]
    open_files: dict[str, int]
    broken: list[str] = field(default_factory=list)


class Look(Struct, kw_only=True):
    """Every process at one moment of the calm; `at_s` counts from the end of the warm-up."""

    at_s: float
    memory_mb: dict[str, float]
    open_files: dict[str, int]


class Calm(Struct, kw_only=True):
    """The last period, in which nobody is killed. `restarts`: of services that ended by themselves."""

    warm_up_s: float
    seconds: float
    published: int
    restarts: int
    looks: list[Look]


class Record(Struct, kw_only=True):
    """A soak: its seed and load, the periods so far, and the calm after the last."""

    seed: int
    rate: float
    worlds: int = 0
    periods: list[Period] = field(default_factory=list)
    calm: Calm | None = None

    @property
    def messages_a_second(self) -> float:
        """While the market was open."""
        return sum(one.published for one in self.periods) / max(1e-9, sum(one.flowed_s for one in self.periods))

    @property
    def blows(self) -> int:
        """How many there were."""
        return sum(one.blows for one in self.periods)

    @property
    def kills(self) -> int:
        """How many processes died of them."""
        return sum(sum(one.kills.values()) for one in self.periods)

    @property
    def broken(self) -> list[str]:
        """A sentence for each invariant that did not hold, with the number of its period."""
        return [f"period {number}: {text}" for number, one in enumerate(self.periods, 1) for text in one.broken]


def load(path: Path) -> Record | None:
    """The record at `path`; None when there is none. Raises WrongUse when it is something else."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Record)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise WrongUse(f"{path} is no record of a soak ({error}): delete it or give another --state") from None


def save(record: Record, path: Path) -> None:
    """Replace the record at `path` in one step."""
    new = path.with_suffix(".new")
    new.write_bytes(msgspec.json.format(msgspec.json.encode(record)) + b"\n")
    os.replace(new, path)
