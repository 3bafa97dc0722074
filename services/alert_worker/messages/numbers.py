"""Figures as people read them. Pure."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

from services.alert_worker.messages.wording import Wording

KST = timezone(timedelta(hours=9))


def percent(before: str | None, then: str | None) -> str | None:
    """How far `then` is from `before`, in per cent."""
    if not before or not then or not Decimal(before):
        return None
    return f"{100 * (Decimal(then) / Decimal(before) - 1):.2f}"


def signed(number: str | None) -> str:
    """``-5.02`` as ``−5.0`` with a true minus sign; nothing is both zero and negative."""
    if number is None:
        return "?"
    text = f"{Decimal(number):+.1f}"
    return "0.0" if text in ("-0.0", "+0.0") else text.replace("-", "−")


def grouped(price: str | None) -> str:
    """``129997000`` as ``129,997,000``; the fraction as it is."""
    return "?" if price is None else f"{Decimal(price):,f}"


def duration(seconds: int, wording: Wording) -> str:
    """Seconds, minutes or hours, whichever reads best."""
    if seconds < 120:
        return wording.second.format(seconds)
    if seconds < 7_200:
        return wording.minute.format(round(seconds / 60))
    if seconds < 172_800:
        return wording.hour.format(round(seconds / 3_600))
    return wording.day.format(round(seconds / 86_400))


def both_times(at_us: int, wording: Wording) -> str:
    """A moment in Korean and in universal time."""
    at = datetime.fromtimestamp(at_us / 1e6, UTC)
    return wording.both_times.format(kst=f"{at.astimezone(KST):%Y-%m-%d %H:%M:%S}", utc=f"{at:%H:%M:%S}")


def minute_in_korea(at_us: int) -> str:
    """A minute as commands take it: ``2026-11-24T22:27``."""
    return f"{datetime.fromtimestamp(at_us / 1e6, UTC).astimezone(KST):%Y-%m-%dT%H:%M}"
