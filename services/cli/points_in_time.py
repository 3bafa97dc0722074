"""Times as people type them."""

import re
from datetime import UTC, datetime, timedelta, timezone

from shared.errors import WrongUse

KST = timezone(timedelta(hours=9), "KST")
_AGO = re.compile(r"(\d{1,6})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_ZONED = re.compile(r"(?P<time>.*?)\s*(?P<zone>KST|UTC|Z)?", re.IGNORECASE)
_US = 1_000_000


def read_since(text: str, now_us: int) -> int:
    """``2h`` (ago) or a time as `read_time` takes it, as microseconds since the epoch. Raises WrongUse."""
    ago = _AGO.fullmatch(text)
    if ago:
        return now_us - int(ago[1]) * _SECONDS[ago[2]] * _US
    return read_time(text, now_us)


def read_time(text: str, now_us: int) -> int:
    """``22:27``, ``2024-11-22 22:27`` or ``2024-11-22T13:27Z`` as microseconds since the epoch. Raises WrongUse.

    Korean time unless it says UTC, Z or an offset. A time of day alone is the last one that has passed by `now_us`.
    """
    match = _ZONED.fullmatch(text.strip())
    zone = UTC if match and (match["zone"] or "").upper() in {"UTC", "Z"} else KST
    words = match["time"] if match else text
    try:
        if re.fullmatch(r"\d{1,2}:\d{2}(:\d{2})?", words):
            now = datetime.fromtimestamp(now_us / _US, zone)
            parts = [int(part) for part in words.split(":")]
            moment = now.replace(hour=parts[0], minute=parts[1], second=(*parts, 0)[2], microsecond=0)
            if moment > now:
                moment -= timedelta(days=1)
        else:
            moment = datetime.fromisoformat(words)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=zone)
    except ValueError:
        raise WrongUse(
            f"{text!r} is no time: write 22:27 or '2024-11-22 22:27', Korean time; add UTC for UTC"
        ) from None
    return int(moment.timestamp() * _US)
