"""Hours in which what is not severe enough waits for the morning. Korean time, by severity. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone

from shared.events import Severity

_KST = timezone(timedelta(hours=9))


@dataclass(frozen=True, slots=True)
class Hours:
    """From a minute of the day until another, over midnight where the second is smaller."""

    from_minute: int
    to_minute: int

    def hold(self, minute: int) -> bool:
        """Whether a minute of the day lies within."""
        if self.from_minute <= self.to_minute:
            return self.from_minute <= minute < self.to_minute
        return minute >= self.from_minute or minute < self.to_minute

    def __str__(self) -> str:
        return "-".join(f"{minute // 60:02}:{minute % 60:02}" for minute in (self.from_minute, self.to_minute))


@dataclass(frozen=True, slots=True)
class QuietHours:
    """By severity; one that is not named is told at any time."""

    hours: Mapping[Severity, Hours] = field(default_factory=dict)

    def hold(self, severity: Severity, at_us: int) -> bool:
        """Whether an alert of this severity has to wait at this moment."""
        hours = self.hours.get(severity)
        at = datetime.fromtimestamp(at_us / 1e6, UTC).astimezone(_KST)
        return hours is not None and hours.hold(at.hour * 60 + at.minute)


def read_hours(text: str) -> Hours:
    """``22:30-08:00``. Raises ValueError."""
    minutes = [_minute(part) for part in text.split("-")]
    if len(minutes) != 2 or minutes[0] == minutes[1]:
        raise ValueError(f"{text!r} is not like 22:30-08:00")
    return Hours(*minutes)


def _minute(text: str) -> int:
    hour, colon, minute = text.strip().partition(":")
    if not (colon and hour.isdecimal() and minute.isdecimal() and int(hour) < 24 and int(minute) < 60):
        raise ValueError(f"{text!r} is not like 22:30")
    return int(hour) * 60 + int(minute)


def kst_day(at_us: int) -> str:
    """The Korean calendar day, such as ``2026-11-24``."""
    return f"{datetime.fromtimestamp(at_us / 1e6, UTC).astimezone(_KST):%Y-%m-%d}"


def read_quiet_hours(texts: Mapping[Severity, str | None]) -> QuietHours:
    """From the settings' texts. Raises ValueError."""
    return QuietHours({severity: read_hours(text) for severity, text in texts.items() if text})
