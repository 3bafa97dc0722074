"""What the feeds say of themselves, for alerts that may be their fault and not the market's. Pure.

Times are our clock's. A gap's begin covers the exchange's clock too, which in a replayed recording is years off, so it
is the gap's end that has to lie in the window.
"""

from collections import deque
from dataclasses import dataclass

from msgspec.structs import replace

from services.alert_worker.markets_read import MarketsRead
from shared.events import Alert, FeedEvent, FeedKind

SUPPRESSED = "feed"
KEPT_US = 3_600_000_000
MOST_KEPT = 2_000
LATE_US = 2_000_000
"""Gaps are told so much longer than they were."""
_REPLACED_WITHIN_US = 100_000
"""A line whose successor stood already is told as ended and as connected at once; what it missed, if anything, has its
gap."""


@dataclass(frozen=True, slots=True)
class Outage:
    """No trades, or not all of them, of these symbols; None for all of the exchange."""

    exchange: str
    symbols: frozenset[str] | None
    from_us: int
    to_us: int

    def concerns(self, alert: Alert) -> bool:
        """Whether the alert is about one of them."""
        return self.exchange == alert.exchange and (self.symbols is None or alert.symbol in self.symbols)


class Feeds:
    """Which trade connections are down, what was missing in the last hour, and which markets are read at all."""

    def __init__(self) -> None:
        self._read: dict[str, MarketsRead] = {}
        self._down: dict[tuple[str, str | None], dict[FeedKind, FeedEvent]] = {}
        self._past: deque[Outage] = deque(maxlen=MOST_KEPT)

    def hear(self, event: FeedEvent) -> None:
        """A record of the feed topic, in its order."""
        place = (event.exchange, event.connection)
        self._read.setdefault(event.exchange, MarketsRead()).hear(event)
        if event.kind == "gap" and event.to_us is not None:
            self._past.append(Outage(event.exchange, _names(event), event.from_us or 0, event.to_us - LATE_US))
        elif event.channel != "trade":
            return
        elif event.kind in {"stalled", "disconnected"}:
            down = self._down.setdefault(place, {})
            down[event.kind] = _merged(down.get(event.kind), event)
        elif event.kind == "connected" and event.to_us is None:  # else one that stands is said to stand
            for ended in [*self._down.pop(place, {}).values(), *self._moved_to(event)]:
                if ended.kind == "stalled" or event.at_us - ended.at_us > _REPLACED_WITHIN_US:
                    self._past.append(Outage(event.exchange, _names(ended), ended.at_us, event.at_us))
        while self._past and self._past[0].to_us < event.at_us - KEPT_US:
            self._past.popleft()

    def _moved_to(self, event: FeedEvent) -> list[FeedEvent]:
        """What is over because its symbols came back on another connection: theirs may never stand again."""
        over: list[FeedEvent] = []
        back = _names(event) or frozenset()
        for (exchange, _), down in self._down.items():
            for kind, lost in list(down.items()):
                if exchange != event.exchange or lost.symbols is None or back.isdisjoint(lost.symbols):
                    continue
                over.append(replace(lost, symbols=sorted(back.intersection(lost.symbols))))
                if left := sorted(set(lost.symbols) - back):
                    down[kind] = replace(lost, symbols=left)
                else:
                    del down[kind]
        return over

    def is_down(self, alert: Alert, *, stalled_only: bool = False) -> bool:
        """Whether a connection that carries the alert's market is down, or at least stalled, by now."""
        return any(
            Outage(event.exchange, _names(event), event.at_us, event.at_us).concerns(alert)
            for down in self._down.values()
            for event in down.values()
            if event.kind == "stalled" or not stalled_only
        )

    def was_out(self, alert: Alert, now_us: int) -> bool:
        """Whether something was missing within the alert's window."""
        to_us = alert.received_at_us or now_us
        from_us = to_us - 1_000_000 * (alert.window_s or 0)
        return any(one.concerns(alert) and from_us <= one.to_us and one.from_us <= to_us for one in self._past)

    def mark(self, alert: Alert, now_us: int) -> Alert:
        """The alert with what the feeds say of it: a silence that is ours is no halt, a move over a gap is marked.

        One of the whole market is as its members are, which are asked for one by one (`hearing`).
        """
        if alert.state == "resolve" or alert.scope == "market" or alert.suppressed_by is not None:
            return alert
        if alert.kind == "notice":  # it comes from the exchange's list, not from a feed
            return alert
        if alert.kind == "halt":
            return (
                replace(alert, suppressed_by=SUPPRESSED)
                if self.is_down(alert) or self.was_out(alert, now_us) or not self._is_read(alert)
                else alert
            )
        if self.is_down(alert, stalled_only=True):
            return replace(alert, suppressed_by=SUPPRESSED)
        return (
            replace(alert, data_quality="gapped")
            if alert.data_quality == "ok" and self.was_out(alert, now_us)
            else alert
        )

    def _is_read(self, alert: Alert) -> bool:
        read = self._read.get(alert.exchange or "")
        return read is None or read.has(alert.symbol or "")


def _merged(earlier: FeedEvent | None, event: FeedEvent) -> FeedEvent:
    """The earlier one, with the symbols of both; None, which is all, wins."""
    if earlier is None or earlier.symbols is None:
        return earlier or event
    return replace(earlier, symbols=None if event.symbols is None else sorted({*earlier.symbols, *event.symbols}))


def _names(event: FeedEvent) -> frozenset[str] | None:
    return None if event.symbols is None else frozenset(event.symbols)
