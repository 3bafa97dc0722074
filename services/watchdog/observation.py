"""What is seen of one part at one moment, wherever it runs. Pure."""

from dataclasses import dataclass
from typing import Literal

Phase = Literal["up", "starting", "down", "stopped"]
"""up: it is ready. starting: not yet. down: it should run and does not. stopped: somebody wanted it so."""

EndKind = Literal["exit", "signal", "hung", "memory", "timeout", "unreachable", "asked", "unknown"]


@dataclass(frozen=True)
class End:
    """How a process ended, or why it counts as gone; `detail` is the exit status, the signal's name or the like."""

    kind: EndKind
    detail: str = ""


@dataclass(frozen=True)
class Observation:
    """One part. `incarnation` is another one after every start; empty when nothing runs. `status` is its own word.

    `is_on_request`: somebody started what runs; it was not started again because it had ended.
    `is_gone`: it is none of this host's parts any more.
    """

    part: str
    phase: Phase
    incarnation: str = ""
    restarts: int = 0
    end: End | None = None
    status: str = ""
    is_on_request: bool = False
    is_gone: bool = False
