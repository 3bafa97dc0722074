"""Which dead letters a person means. Pure."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from shared.events import DeadLetter

_SECONDS_OF_UNIT = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


@dataclass(frozen=True)
class Kept:
    """A dead letter and its number: its offset in the topic of dead letters, by which people name it."""

    number: int
    letter: DeadLetter


@dataclass(frozen=True)
class Choice:
    """What is given must hold; None and empty mean any. `numbers` name letters one by one."""

    reader: str | None = None
    topic: str | None = None
    exchange: str | None = None
    since_us: int | None = None
    numbers: frozenset[int] = frozenset()

    def holds(self, kept: Kept) -> bool:
        """Whether this letter is meant."""
        letter = kept.letter
        return (
            self.reader in (None, letter.reader)
            and self.topic in (None, letter.topic)
            and self.exchange in (None, letter.exchange)
            and (self.since_us is None or letter.at_us >= self.since_us)
            and (not self.numbers or kept.number in self.numbers)
        )


def since_us(text: str, now_us: int) -> int:
    """``15m``, ``2h``, ``3d`` ago, or a time such as 2026-01-31T09:00 (UTC), in microseconds. Raises ValueError."""
    ago = re.fullmatch(r"([0-9]{1,6})([smhd])", text)
    if ago:
        return max(0, now_us - int(ago[1]) * _SECONDS_OF_UNIT[ago[2]] * 1_000_000)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is neither like 15m, 2h or 3d nor a time like 2026-01-31T09:00") from None
    return max(0, int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()) * 1_000_000)
