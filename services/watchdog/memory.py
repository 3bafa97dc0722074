"""What is seen of a host at one look, and what is remembered of it between looks. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from services.watchdog.absences import Absences
from services.watchdog.changes import Part
from services.watchdog.flapping import Story
from services.watchdog.observation import Observation
from services.watchdog.who_waits import Waiting


@dataclass(frozen=True)
class Sight:
    """One look at everything. `wanted`: whether the whole set is meant to run; None where nobody can say.

    `is_ending`: the host is on its way down.
    """

    parts: Sequence[Observation]
    boot_id: str
    wanted: bool | None = None
    is_ending: bool = False


@dataclass(frozen=True)
class Memory:
    """What is remembered between looks, and across restarts of the watchdog and of the host."""

    parts: Mapping[str, Part] = field(default_factory=dict)
    boot_id: str = ""
    looked_at_us: int = 0
    all_stopped_since_us: int | None = None
    coming_since_us: int | None = None
    """While a host comes up again: since when. Its parts are told together."""
    coming: Mapping[str, Part] = field(default_factory=dict)
    """The parts as they come."""
    gone_since_us: int = 0
    overdue: Mapping[str, int] = field(default_factory=dict)
    """Parts whose canary people know to be overdue: since when."""
    absences: Absences = field(default_factory=Absences)
    waits: Sequence[Waiting] = ()
    """Who runs and only waits."""
    stories: Mapping[str, Story] = field(default_factory=dict)
    """What was waited for lately, by its name."""
