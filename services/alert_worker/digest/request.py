"""When a digest is due, of which day it is, and what the gathering process is asked for. Pure."""

from datetime import UTC, datetime, timedelta, timezone

import msgspec

DAYS_BACK = 7
"""As long as trades are kept."""

_KST = timezone(timedelta(hours=9))
_DUE_MINUTE = 9 * 60 + 10


class DigestRequest(msgspec.Struct, frozen=True):
    """The UTC day that is wanted, which in Korea goes from nine to nine."""

    day: str
    now_us: int


def due(now_us: int) -> tuple[str, DigestRequest] | None:
    """(the Korean day on which it is told, what to gather) from 09:10 Korean time on; None before."""
    here = datetime.fromtimestamp(now_us / 1e6, UTC).astimezone(_KST)
    if here.hour * 60 + here.minute < _DUE_MINUTE:
        return None
    return f"{here:%Y-%m-%d}", DigestRequest(f"{here - timedelta(days=1):%Y-%m-%d}", now_us)
