"""What an exchange says anew of a market: a flag raised or lifted, a market listed, gone, halted, resumed. Pure.

Records of the instruments' topic in, alerts out. What the topic held when it was first read is no news, and neither is
a market that was on the exchange's list before. The same records give the same alerts.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from services.alert_worker.records import notice_episode_id
from services.alert_worker.rules.ruleset import Ruleset
from shared.events import Alert, Instrument, InstrumentStatus

NAME = "notice"
WARNING = "WARNING"
RAISED, LIFTED = "raised:", "lifted:"
_GRAVE = frozenset({"gone", "halted", RAISED + WARNING})
_FRESH_US = 3_600_000_000
"""Listed longer ago than this is no news, where we never heard of the market before."""


class Known(msgspec.Struct, array_like=True, frozen=True):
    """What an exchange said of a market."""

    status: InstrumentStatus
    flags: tuple[str, ...]


class Notices:
    """All markets of all exchanges."""

    def __init__(self) -> None:
        self.position = 0
        """Offset of the next record."""
        self.silent_until = 0
        """Records before this one were there when the topic was first read."""
        self._known: dict[str, Known] = {}

    def begin(self, first: int, end: int) -> int:
        """The log reaches from `first` to `end`: where to read on. One that is not the one we know is read anew."""
        if not self.position or self.position > end:
            self._known, self.position, self.silent_until = {}, 0, end
        self.position = max(self.position, first)
        return self.position

    def hear(self, instrument: Instrument, offset: int, rules: Ruleset) -> Alert | None:
        """Take in the record at `offset`."""
        self.position = offset + 1
        # Binance's aggregated trades travel under a name of their own; the market is the same.
        name = f"{instrument.exchange.removesuffix('_agg')}:{instrument.symbol}"
        now = Known(instrument.status, tuple(sorted(_flags(instrument))))
        before, self._known[name] = self._known.get(name), now
        changes = _listed(instrument, now) if before is None else _changes(before, now)
        if not changes or offset < self.silent_until or not rules.notice.enabled:
            return None
        return _record(instrument, changes, rules.version)

    def packed(self) -> list[Any]:
        """Everything, as plain values."""
        return [self.position, self.silent_until, msgspec.to_builtins(self._known)]

    def unpack(self, packed: list[Any]) -> None:
        """The inverse of `packed`."""
        self.position, self.silent_until, known = packed
        self._known = msgspec.convert(known, dict[str, Known])


def _flags(instrument: Instrument) -> Iterator[str]:
    if instrument.warning:
        yield WARNING
    yield from instrument.cautions


def _listed(instrument: Instrument, now: Known) -> list[str]:
    """Of a market that we never heard of."""
    at_us = instrument.listed_at_us
    if at_us is None or now.status == "gone" or instrument.updated_at_us - at_us > _FRESH_US:
        return []
    return ["listed", *(f"{RAISED}{flag}"[:64] for flag in now.flags)]


def _changes(before: Known, now: Known) -> list[str]:
    if now.status == "gone":
        return [] if before.status == "gone" else ["gone"]
    changes = []
    if before.status == "gone":
        changes.append("listed")
    elif before.status != now.status:
        changes.append("halted" if now.status == "halted" else "resumed")
    changes += [f"{RAISED}{flag}"[:64] for flag in now.flags if flag not in before.flags]
    return changes + [f"{LIFTED}{flag}"[:64] for flag in before.flags if flag not in now.flags]


def _record(instrument: Instrument, changes: list[str], rule_version: str) -> Alert:
    at_us = instrument.updated_at_us
    episode_id = notice_episode_id(instrument.exchange, instrument.symbol, at_us, rule_version)
    return Alert(
        alert_id=f"{episode_id}-{NAME}",
        episode_id=episode_id,
        state="open",
        kind=NAME,
        detectors=[NAME],
        scope="symbol",
        direction="none",
        severity="notice" if _GRAVE.isdisjoint(changes) else "warning",
        started_at_us=at_us,
        decided_at_us=0,
        rule_version=rule_version,
        exchange=instrument.exchange,
        symbol=instrument.symbol,
        base=instrument.base,
        quote=instrument.quote,
        event_at_us=at_us,
        received_at_us=at_us,
        changes=changes,
    )
