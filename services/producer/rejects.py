"""Frames that cannot be read: which of them are kept, and what is said of those that are not. Pure.

Frames that may be trades are kept whole, so that they can be read again once the adapter is mended. What their budget
does not hold is told as a gap. Of tickers and books the newest counts, so a few examples are enough.
"""

from base64 import b64encode

from services.producer.exchanges.base import readable
from services.producer.gaps import LATE_US
from shared.events import DeadLetter

MAX_PAYLOAD_BYTES = 64 << 10
TRADE_BYTES_AT_ONCE = 64 << 20
"""A minute of 5,000 trades a second; more in a row is left to the gap and to the exchange's own history."""
TRADE_BYTES_A_SECOND = 4 << 10
"""350 MB a day, so that a flood that lasts leaves room for others on their topic."""
EXAMPLES_AT_ONCE = 10
EXAMPLES_A_SECOND = 1
GAP_AHEAD_US = 60_000_000
FLOOD_AFTER_S = 30
FLOOD_SHARE = 0.9
FLOOD_FRAMES = 10


class Allowance:
    """So much at once, and so much more each second."""

    def __init__(self, at_once: float, a_second: float) -> None:
        self._most = self._left = float(at_once)
        self._a_second = a_second
        self._at_s = 0.0

    def take(self, now_s: float, amount: float = 1) -> bool:
        """Whether that much may be had now; nothing is taken otherwise."""
        self._left = min(self._most, self._left + max(0.0, now_s - self._at_s) * self._a_second)
        self._at_s = now_s
        if self._left < amount:
            return False
        self._left -= amount
        return True


class Rejects:
    """What all connections of one process may keep. `suppressed`: left out since the last letter that was kept."""

    def __init__(self) -> None:
        self.suppressed = 0
        self._trade_bytes = Allowance(TRADE_BYTES_AT_ONCE, TRADE_BYTES_A_SECOND)
        self._examples = Allowance(EXAMPLES_AT_ONCE, EXAMPLES_A_SECOND)
        self._lines = Allowance(EXAMPLES_AT_ONCE, EXAMPLES_A_SECOND)

    def may_keep(self, frame: str | bytes, now_s: float, *, carries_trades: bool) -> bool:
        """Whether there is room for a frame; `carries_trades`: whether it may be a trade."""
        return self._trade_bytes.take(now_s, len(frame)) if carries_trades else self._examples.take(now_s)

    def may_say(self, now_s: float) -> bool:
        """Whether a line in the log is due: not one a frame."""
        return self._lines.take(now_s)


class Unkept:
    """The gap of one connection's frames that were not kept and may have been trades.

    It is told ahead of time, a minute at once, so that a crash leaves nothing untold and a flood does not flood others.
    """

    def __init__(self) -> None:
        self._from_us = self._covered_until_us = 0

    def note(self, at_us: int, clock_offset_us: int) -> tuple[int, int] | None:
        """One frame was lost. The times (from, to) when a gap has to be told or made longer, else None."""
        if at_us <= self._covered_until_us:
            return None
        if at_us > self._covered_until_us + GAP_AHEAD_US:
            self._from_us = max(0, at_us - clock_offset_us - LATE_US)
        self._covered_until_us = at_us + GAP_AHEAD_US
        return self._from_us, self._covered_until_us + LATE_US


class Flood:
    """Notices that nearly all frames have been unreadable for half a minute. Look once a second."""

    def __init__(self) -> None:
        self._frames = self._invalid = 0
        self._bad_s = 0
        self.told = False

    def look(self, frames: int, invalid: int) -> bool:
        """Given the counts since the connection began: true once, when a flood has become certain."""
        new, bad = frames - self._frames, invalid - self._invalid
        self._frames, self._invalid = frames, invalid
        if new:
            self._bad_s = self._bad_s + 1 if bad >= FLOOD_SHARE * new else 0
            self.told = self.told and self._bad_s > 0
        if self._bad_s < FLOOD_AFTER_S or self.told or invalid < FLOOD_FRAMES:
            return False
        self.told = True
        return True


def dead_letter(  # noqa: PLR0913  # a record's fields
    frame: str | bytes,
    reason: str,
    *,
    exchange: str,
    connection: str | None,
    suppressed: int,
    at_us: int,
    at_least_bytes: int = 0,
) -> DeadLetter:
    """A frame with where it came from; the first 64 KiB of it are kept. `at_least_bytes`: what is known of its length
    where it was not read to its end."""
    payload = frame if isinstance(frame, bytes) else frame.encode("utf-8", "replace")
    return DeadLetter(
        reason=readable(reason),
        at_us=at_us,
        payload=b64encode(payload[:MAX_PAYLOAD_BYTES]).decode(),
        payload_bytes=max(len(payload), at_least_bytes),
        reader=f"producer-{exchange}",
        exchange=exchange,
        connection=connection,
        suppressed=suppressed,
    )
