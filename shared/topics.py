"""Every Kafka topic: name, what it holds, partitions, how long it is kept. `tapewatch topics create` makes them."""

from dataclasses import dataclass
from typing import Literal

from shared.events import (
    Alert,
    Candle,
    Control,
    DeadLetter,
    DetectorSnapshot,
    Event,
    FeedEvent,
    Instrument,
    Notification,
    OrderBook,
    Ticker,
    Trade,
)

_MINUTE_MS = 60_000
_HOUR_MS = 60 * _MINUTE_MS
_DAY_MS = 24 * _HOUR_MS
_GIB = 1 << 30
MAX_BATCH_BYTES = 5 << 20
"""What a broker takes at once; above the largest record that our producers send, or that record would never get in."""


@dataclass(frozen=True)
class Topic:
    """One topic. `retention_ms` and `retention_bytes` (a partition) are None where the topic is compacted."""

    name: str
    event: type[Event]
    partitions: int
    retention_ms: int | None
    retention_bytes: int | None
    cleanup: Literal["delete", "compact"] = "delete"

    def config(self) -> dict[str, str]:
        """Kafka's settings of this topic.

        The broker stamps records with its own clock: with the event's time, a replayed recording of another year
        is deleted at once, and a stamp in the future is refused. Segments roll at an eighth of the retention, so
        that what is kept is never much more than what is promised.
        """
        settings = {
            "cleanup.policy": self.cleanup,
            "message.timestamp.type": "LogAppendTime",
            "max.message.bytes": str(MAX_BATCH_BYTES),
        }
        if self.retention_ms is not None:
            settings |= {"retention.ms": str(self.retention_ms), "segment.ms": str(self.retention_ms // 8)}
        if self.retention_bytes is not None:
            settings |= {
                "retention.bytes": str(self.retention_bytes),
                "segment.bytes": str(max(1 << 20, min(_GIB, self.retention_bytes // 8))),
            }
        if self.cleanup == "compact":
            settings |= {
                "segment.ms": str(_DAY_MS),
                "segment.bytes": str(16 << 20),  # only closed segments are compacted, and a start reads all there is
                "min.cleanable.dirty.ratio": "0.1",
                "retention.bytes": "-1",
            }
        return settings


TRADES = Topic("tape.trades.v1", Trade, 8, 7 * _DAY_MS, 16 * _GIB)
TICKERS = Topic("tape.tickers.v1", Ticker, 8, _DAY_MS, 4 * _GIB)
ORDERBOOKS = Topic("tape.orderbooks.v1", OrderBook, 8, _HOUR_MS, 4 * _GIB)
FEED = Topic("tape.feed.v1", FeedEvent, 1, 7 * _DAY_MS, _GIB)
ALERTS = Topic("tape.alerts.v1", Alert, 1, 30 * _DAY_MS, _GIB)
DEAD_LETTERS = Topic("tape.dead-letters.v1", DeadLetter, 1, 30 * _DAY_MS, _GIB)
INSTRUMENTS = Topic("tape.instruments.v1", Instrument, 1, None, None, "compact")
CANDLES = Topic("tape.candles.v1", Candle, 8, 2 * _DAY_MS, _GIB)
CONTROL = Topic("tape.control.v1", Control, 1, None, None, "compact")
NOTIFICATIONS = Topic("tape.notifications.v1", Notification, 1, None, None, "compact")
DETECTOR_STATE = Topic("tape.detector-state.v1", DetectorSnapshot, 8, None, None, "compact")

TOPICS: tuple[Topic, ...] = (
    TRADES,
    TICKERS,
    ORDERBOOKS,
    FEED,
    ALERTS,
    DEAD_LETTERS,
    INSTRUMENTS,
    CANDLES,
    CONTROL,
    NOTIFICATIONS,
    DETECTOR_STATE,
)
TOPIC_OF_EVENT: dict[type[Event], Topic] = {topic.event: topic for topic in TOPICS}
TOPIC_BY_NAME: dict[str, Topic] = {topic.name: topic for topic in TOPICS}
