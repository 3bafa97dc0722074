"""For how long an exchange wants no question, kept for the process after this one: who restarts must not ask too early.

A wall clock may be set meanwhile. Set back, the wait is no longer than the exchange asked for; set ahead, one question
comes too early and is refused with a time of its own.
"""

from pathlib import Path

import msgspec
import structlog

from services.producer.endings import LONGEST_BAN_S

log = structlog.get_logger(__name__)


class Wish(msgspec.Struct, frozen=True):
    """What an exchange asked for, our clock."""

    asked_at_us: int
    until_us: int
    refusal: str

    def left_s(self, now_us: int) -> float:
        """For how many seconds more; 0 when it is over."""
        asked_s = (self.until_us - self.asked_at_us) / 1e6
        return max(0.0, min((self.until_us - now_us) / 1e6, asked_s, LONGEST_BAN_S))


def read_wish(path: Path) -> Wish | None:
    """What was kept; None where nothing is, or nothing that can be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Wish)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        log.warning("what an exchange asked for cannot be read", path=str(path), reason=str(error))
        return None


def keep_wish(path: Path, wish: Wish) -> None:
    """Write it down. Where that fails only the next process knows nothing of it."""
    fresh = path.with_suffix(".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_bytes(msgspec.json.encode(wish))
        fresh.replace(path)
    except OSError as error:
        log.warning("what an exchange asked for cannot be kept", path=str(path), reason=str(error))
