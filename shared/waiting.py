"""What a process waits for, in the line that it says of itself: written and read here alone. Pure.

The line is systemd's STATUS and the `status` of `/livez`; the watchdog reads it there, without Kafka.
"""

import re
from dataclasses import dataclass

_SAID = re.compile(r"waiting for (.+?) for (\d+) s: ([^;]*)")


@dataclass(frozen=True, slots=True)
class Wait:
    """`what` names it, the same for all that wait for it, such as ``Kafka``; `why` tells people; `for_s`: by now."""

    what: str
    for_s: float
    why: str

    def __str__(self) -> str:
        return f"waiting for {self.what} for {self.for_s:.0f} s: {self.why}"


def read(status: str) -> Wait | None:
    """What a process waits for by its own word; None when it gets on."""
    said = _SAID.match(status)
    return None if said is None else Wait(said[1], int(said[2]), said[3])
