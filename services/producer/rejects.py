"""Frames that cannot be read: how many of them are kept, and when they are so many that people must hear. Pure."""

from base64 import b64encode

from services.producer.exchanges.base import readable
from shared.events import DeadLetter

MAX_PAYLOAD_BYTES = 64 << 10
KEPT_AT_ONCE = 10
FLOOD_AFTER_S = 30
FLOOD_SHARE = 0.9
FLOOD_FRAMES = 10


class Allowance:
    """Ten dead letters at once, then one a second; the next one that is kept tells how many were not."""

    def __init__(self) -> None:
        self._tokens = float(KEPT_AT_ONCE)
        self._at_s = 0.0
        self.suppressed = 0

    def take(self, now_s: float) -> bool:
        """Whether a dead letter may be kept now; counts it as suppressed otherwise."""
        self._tokens = min(float(KEPT_AT_ONCE), self._tokens + max(0.0, now_s - self._at_s))
        self._at_s = now_s
        if self._tokens < 1:
            self.suppressed += 1
            return False
        self._tokens -= 1
        return True


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
    frame: str | bytes, reason: str, *, exchange: str, connection: str, suppressed: int, at_us: int
) -> DeadLetter:
    """A frame with where it came from; the first 64 KiB of it are kept."""
    payload = frame if isinstance(frame, bytes) else frame.encode("utf-8", "replace")
    return DeadLetter(
        reason=readable(reason),
        at_us=at_us,
        payload=b64encode(payload[:MAX_PAYLOAD_BYTES]).decode(),
        payload_bytes=len(payload),
        reader=f"producer-{exchange}",
        exchange=exchange,
        connection=connection,
        suppressed=suppressed,
    )
