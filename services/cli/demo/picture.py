"""What the demo shows: plain values, gathered by the monitor and drawn by the view. Pure."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from services.alert_worker.outbox import UNTOLD_QUALITIES
from services.reconcile.latency import Percentiles
from shared.events import Alert, Notification

CHANNELS = ("trade", "ticker", "orderbook")
_SEVERITIES = ("notice", "warning", "danger")
_RATE_WINDOW_S = 4.0
_PRICES_KEPT = 20
_PRICE_EVERY_S = 1.5


class Rate:
    """A counter's pace over the last few seconds."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque()

    def add(self, now_s: float, count: int) -> None:
        """Note where the counter is."""
        self._samples.append((now_s, count))
        while len(self._samples) > 2 and self._samples[0][0] < now_s - _RATE_WINDOW_S:
            self._samples.popleft()

    @property
    def count(self) -> int:
        """Where the counter is."""
        return self._samples[-1][1] if self._samples else 0

    @property
    def per_s(self) -> float:
        """Steps a second."""
        if len(self._samples) < 2:
            return 0.0
        (from_s, before), (to_s, after) = self._samples[0], self._samples[-1]
        return (after - before) / (to_s - from_s) if to_s > from_s else 0.0


@dataclass
class ServiceRow:
    """One process."""

    name: str
    state: str = "starting"
    pid: int = 0
    restarts: int = 0
    memory_mb: float = 0.0
    peak_mb: float = 0.0
    cpu_pct: float = 0.0


@dataclass
class Flow:
    """One channel: what the exchanges published, what Kafka took, how many records each store is behind Kafka."""

    published: Rate = field(default_factory=Rate)
    in_kafka: Rate = field(default_factory=Rate)
    behind: dict[str, int] = field(default_factory=dict)


@dataclass
class PriceRow:
    """The newest trade of one symbol, as Redis holds it."""

    exchange: str
    symbol: str
    price: str = ""
    first: str = ""
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=_PRICES_KEPT))
    _next_s: float = 0.0

    def add(self, now_s: float, price: str) -> None:
        """The newest price; one every second and a half is remembered to be drawn."""
        self.price, self.first = price, self.first or price
        if now_s >= self._next_s:
            self.recent.append(float(price))
            self._next_s = now_s + _PRICE_EVERY_S

    def change_pct(self) -> float:
        """Since the demo first saw it; for the eye only."""
        if not self.first:
            return 0.0
        return float((Decimal(self.price) / Decimal(self.first) - 1) * 100)


@dataclass
class AlertRow:
    """One episode as its newest alert tells it."""

    newest: Alert
    opened_at_us: int
    severity: str
    worst_pct: float | None = None
    is_over: bool = False
    is_for_people: bool = False
    """Whether anybody is to hear of it: some are records alone, as when another exchange's story tells of the coin."""
    told_at_us: int | None = None

    def add(self, alert: Alert) -> None:
        """The episode went on."""
        self.newest = alert
        self.severity = max(self.severity, alert.severity, key=_SEVERITIES.index)
        self.is_over = alert.state == "resolve"
        self.is_for_people |= alert.suppressed_by is None and alert.data_quality not in UNTOLD_QUALITIES
        if (change_pct := _at_worst_pct(alert)) is not None:
            self.worst_pct = max(self.worst_pct or 0.0, change_pct, key=abs)


def _at_worst_pct(alert: Alert) -> float | None:
    """How far the price was from where it came from, at the episode's extreme; for the eye only."""
    if alert.price_extreme is not None and alert.price_before is not None:
        return float((Decimal(alert.price_extreme) / Decimal(alert.price_before) - 1) * 100)
    return None if alert.change_pct is None else float(alert.change_pct)


@dataclass
class Picture:
    """Everything on the screen."""

    title: str = ""
    phase: str = "starting"
    seconds: float | None = None
    market_s: float = 0.0
    slack_page: str = ""
    look: str = ""
    not_played: list[str] = field(default_factory=list)
    services: list[ServiceRow] = field(default_factory=list)
    flows: dict[str, Flow] = field(default_factory=lambda: {channel: Flow() for channel in CHANNELS})
    latency: dict[str, Percentiles] = field(default_factory=dict)
    prices: list[PriceRow] = field(default_factory=list)
    alerts: dict[str, AlertRow] = field(default_factory=dict)
    slack: dict[str, int] = field(default_factory=dict)

    def add_alerts(self, alerts: Iterable[Alert]) -> list[Alert]:
        """Take in alerts in their order; give back those that say something new."""
        news = []
        for alert in alerts:
            row = self.alerts.get(alert.episode_id)
            if row is not None and alert.alert_id == row.newest.alert_id:
                continue  # written twice around a restart
            if row is None:
                row = self.alerts[alert.episode_id] = AlertRow(alert, alert.decided_at_us, alert.severity)
            row.add(alert)
            news.append(alert)
        return news

    def add_receipts(self, receipts: Iterable[Notification]) -> None:
        """Take in what Slack acknowledged; one message may tell of many episodes."""
        for receipt in receipts:
            if receipt.stage != "sent":
                continue
            for row in filter(None, map(self.alerts.get, [receipt.episode_id, *receipt.episodes])):
                row.told_at_us = row.told_at_us or receipt.at_us

    @property
    def is_told(self) -> bool:
        """Whether every episode that people are to hear of has its message."""
        return all(row.told_at_us is not None for row in self.alerts.values() if row.is_for_people)

    def behind(self, sink: str) -> int:
        """Records that a store is behind Kafka."""
        return sum(flow.behind.get(sink, 0) for flow in self.flows.values())
