"""The canary: a market of nobody's that goes round every few minutes, so that silence means calm. Pure.

The alert worker publishes its trades, a rule fires, the alert goes to the notifier, and the receipt sets back the time
by which the next one is due. That time is part of the worker's own word about itself (systemd's STATUS, `/livez`),
where the watchdog reads it without Kafka. Whoever reads trades or alerts of real markets leaves the canary out.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

EXCHANGE, SYMBOL = "canary", "CANARY"
_SAID = re.compile(r"canary (?:back (\S+Z), )?due (\S+Z)")
_ROUNDS = 2.1
_ON_THE_WAY_US = 2_000_000


@dataclass(frozen=True, slots=True)
class Sign:
    """When the canary came back last, None where nobody knows of a time, and by when it must be back again."""

    due_us: int
    returned_us: int | None = None

    def __str__(self) -> str:
        back = "" if self.returned_us is None else f"back {_spelled(self.returned_us)}, "
        return f"canary {back}due {_spelled(self.due_us)}"


def due_us(since_us: int, every_s: int) -> int:
    """One that stays away for two rounds and a little is overdue."""
    return since_us + int(_ROUNDS * every_s * 1_000_000) + _ON_THE_WAY_US


def read(status: str) -> Sign | None:
    """The sign in a worker's word about itself; None where it says nothing of a canary."""
    said = _SAID.search(status)
    return None if said is None else Sign(_read(said[2]), None if said[1] is None else _read(said[1]))


def _spelled(at_us: int) -> str:
    return f"{datetime.fromtimestamp(at_us // 1_000_000, UTC):%Y-%m-%dT%H:%M:%S}Z"


def _read(spelled: str) -> int:
    return int(datetime.fromisoformat(spelled).timestamp()) * 1_000_000
