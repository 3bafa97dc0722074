"""For how long an exchange wants no question, kept for the process after this one: who restarts must not ask too early.

A wall clock may be set meanwhile. Set ahead, one question comes too early and is refused with a time of its own. Set
back by little, the wait is no longer than the exchange asked for. A wish from far in the future says only that one of
the clocks was wrong, as after a boot before the time is known; what is left of it nobody can say. Then it is kept for
ten minutes at most: one question too early makes a ban longer, but the whole time anew could be three days without
candles, new markets and questions about silent symbols, for a ban that was over long ago. Forgotten at once it would
be asked too early by each of many restarts; ten minutes on, the clock is set, or the exchange names a time of its own.
"""

from pathlib import Path
from typing import Annotated

import msgspec
import structlog

from services.producer.endings import LONGEST_BAN_S, LONGEST_WAIT_S
from services.producer.exchanges.base import MAX_US, UNREADABLE

_Us = Annotated[int, msgspec.Meta(ge=0, le=MAX_US)]
_CLOCK_ERROR_S = 300.0
"""By how much a clock that runs is corrected, at the most."""
log = structlog.get_logger(__name__)


class Wish(msgspec.Struct, frozen=True):
    """What an exchange asked for, our clock."""

    asked_at_us: _Us
    until_us: _Us
    refusal: str

    def left_s(self, now_us: int) -> float:
        """For how many seconds more; 0 when it is over."""
        asked_s, ahead_s = (self.until_us - self.asked_at_us) / 1e6, (self.asked_at_us - now_us) / 1e6
        longest_s = LONGEST_BAN_S if ahead_s <= _CLOCK_ERROR_S else LONGEST_WAIT_S
        return max(0.0, min((self.until_us - now_us) / 1e6, asked_s, longest_s))


def read_wish(path: Path) -> Wish | None:
    """What was kept; None where nothing is, or nothing that can be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Wish)
    except FileNotFoundError:
        return None
    except (OSError, *UNREADABLE) as error:
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


def forget_wish(path: Path) -> None:
    """It is over. Where that fails, only the next process may wait for nothing."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        log.warning("what an exchange asked for cannot be removed", path=str(path), reason=str(error))
