"""What a process waits for, in the line that it says of itself: written and read here alone. Pure.

The line is systemd's STATUS and the `status` of `/livez`; the watchdog reads it there, without Kafka.
"""

import re
from dataclasses import dataclass

_SAID = re.compile(r"(waiting|waiting in part) for (.+?) for (\d+) s: ([^;]*)")
_WHOLLY, _IN_PART = "waiting", "waiting in part"


@dataclass(frozen=True, slots=True)
class Wait:
    """`what` names it, the same for all that wait for it, such as ``Kafka``; `why` tells people; `for_s`: by now.

    `in_part`: it works meanwhile, with some of its markets, or too slowly.
    """

    what: str
    for_s: float
    why: str
    in_part: bool = False

    def __str__(self) -> str:
        return f"{_IN_PART if self.in_part else _WHOLLY} for {self.what} for {self.for_s:.0f} s: {self.why}"


def read(status: str) -> Wait | None:
    """What a process waits for by its own word; None when it gets on."""
    said = _SAID.match(status)
    return None if said is None else Wait(said[2], int(said[3]), said[4], said[1] == _IN_PART)
