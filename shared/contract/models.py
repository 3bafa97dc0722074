"""Every event as a pydantic model, field by field in the order in which it is written."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from shared import events
from shared.contract.fields import (
    AboveZero,
    AnyText,
    Count,
    Decimal,
    Micros,
    Name,
    PartitionNumber,
    SignedDecimal,
    Text,
    TradeId,
)


class Published(BaseModel):
    """Readers ignore fields that they do not know; a change of meaning gets a new version."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", use_attribute_docstrings=True)


class OfSymbol(Published):
    """What is about one symbol of one exchange."""

    exchange: Name
    symbol: Name
    """The exchange's own code."""
    base: Name
    quote: Name


class Trade(OfSymbol):
    """One trade."""

    trade_id: TradeId
    """The exchange's own id, unique per symbol, not ordered on every exchange."""
    price: AboveZero
    quantity: AboveZero
    side: Literal["buy", "sell"]
    """The taker's."""
    traded_at_us: Micros
    """By the exchange's clock."""
    received_at_us: Micros
    """By our clock."""
    origin: Literal["stream", "backfill"] = "stream"


class Ticker(OfSymbol):
    """A day's statistics."""

    price: Decimal
    """Of the last trade."""
    window: Literal["utc_day", "rolling_24h"]
    """What open, high and low are of."""
    open: Decimal
    high: Decimal
    low: Decimal
    volume_24h: Decimal
    """In the base currency."""
    turnover_24h: Decimal
    """In the quote currency."""
    event_at_us: Micros
    received_at_us: Micros
    bid_price: Decimal | None = None
    bid_quantity: Decimal | None = None
    ask_price: Decimal | None = None
    ask_quantity: Decimal | None = None


Level = tuple[Decimal, Decimal]


class OrderBook(OfSymbol):
    """A whole order book; each level is a price and a quantity."""

    bids: Annotated[list[Level], Field(max_length=100)]
    """Best first."""
    asks: Annotated[list[Level], Field(max_length=100)]
    """Best first."""
    received_at_us: Micros
    sequence: Count | None = None
    """The exchange's own, where it has one."""
    event_at_us: Micros | None = None
    """The exchange's own time, where it gives one."""


class FeedEvent(Published):
    """Something about a feed itself."""

    kind: Literal["connected", "disconnected", "stalled", "resumed", "degraded", "gap", "listed", "gone", "new_field"]
    """A gap says: between from_us and to_us trades of these symbols may be missing."""
    exchange: Name
    reason: Text
    at_us: Micros
    channel: Literal["trade", "ticker", "orderbook"] | None = None
    symbols: list[Name] | None = None
    """Null: all symbols of that connection."""
    connection: Name | None = None
    from_us: Micros | None = None
    to_us: Micros | None = None
    """Null: not over yet."""
    first_missing_id: TradeId | None = None
    last_missing_id: TradeId | None = None


class Alert(Published):
    """One state change of an episode. Ids are deterministic: the same trades give the same ids."""

    alert_id: Name
    episode_id: Name
    state: Literal["open", "escalate", "resolve"]
    kind: Name
    detectors: list[Name]
    scope: Literal["symbol", "market"]
    direction: Literal["up", "down", "none"]
    """``none`` where the price did not move: a market stands still, or its exchange says something of it."""
    severity: Literal["notice", "warning", "danger"]
    started_at_us: Micros
    decided_at_us: Micros
    rule_version: Name
    exchange: Name | None = None
    symbol: Name | None = None
    base: Name | None = None
    quote: Name | None = None
    event_at_us: Micros | None = None
    """Of the trade that caused it."""
    received_at_us: Micros | None = None
    """Of the trade that caused it."""
    price_before: Decimal | None = None
    price_now: Decimal | None = None
    price_extreme: Decimal | None = None
    change_pct: SignedDecimal | None = None
    window_s: Count | None = None
    sigma: SignedDecimal | None = None
    volume_ratio: Decimal | None = None
    divergence_pct: SignedDecimal | None = None
    data_quality: Literal["ok", "stale", "gapped", "backfilled"] = "ok"
    suppressed_by: Name | None = None
    """Why nobody is told of it, such as mute."""
    members: list[Name] = []
    changes: list[Name] = []
    """What an exchange says anew of a market: listed, gone, halted, resumed, raised:WARNING and the like."""


class Notification(Published):
    """How far the telling of one episode is; the newest counts."""

    episode_id: Name
    notifier: Name
    stage: Literal["intent", "sent", "refused"]
    alert_id: Name
    alert_ids: list[Name]
    at_us: Micros
    settled_offset: Count = 0
    channel: AnyText | None = None
    ts: AnyText | None = None
    reason: Text | None = None
    episodes: list[Name] = []
    """Those that the message tells of, where one message tells of many; episode_id then names the message."""
    file_id: AnyText | None = None
    """The chart that the message shows."""
    heard_at_us: Micros | None = None
    """When all of the channel heard of it last: answers in a thread call only who follows it."""
    heard_severity: Literal["notice", "warning", "danger"] | None = None
    """How grave that was."""
    direction: Literal["up", "down", "none"] | None = None
    begun_at_us: Micros | None = None
    open_until_us: Micros | None = None
    """Until when a message that tells of many takes in others of its direction, from begun_at_us on."""
    messages: Count = 0
    """How many it has sent by then."""
    posted_at_us: Micros | None = None
    """When a message of one episode, no answer in its thread, was posted last."""


class Instrument(OfSymbol):
    """What an exchange lists."""

    status: Literal["trading", "halted", "gone"]
    updated_at_us: Micros
    korean_name: AnyText | None = None
    english_name: AnyText | None = None
    warning: bool = False
    cautions: list[Name] = []
    listed_at_us: Micros | None = None
    """When it appeared on the exchange's list, our clock; null where it was there from the first look."""


class Candle(OfSymbol):
    """One minute as the exchange itself tells it."""

    opened_at_us: Micros
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    """In the base currency."""
    turnover: Decimal
    """In the quote currency."""
    received_at_us: Micros
    trades: Count | None = None


class DeadLetter(Published):
    """A frame or record that nobody could read; topic, partition, offset and reader are its identity, where given."""

    reason: Text
    at_us: Micros
    payload: AnyText
    """Base64 of at most the first 64 KiB."""
    payload_bytes: Count
    """The whole length."""
    reader: Name
    exchange: Name | None = None
    connection: Name | None = None
    suppressed: Count = 0
    """How many more were left out since the one before."""
    topic: Name | None = None
    partition: PartitionNumber | None = None
    offset: Count | None = None
    schema_: AnyText | None = Field(default=None, alias="schema")


class Control(Published):
    """A wish from the command line, such as a mute."""

    action: Name
    target: Name
    at_us: Micros
    until_us: Micros | None = None
    reason: Text | None = None


class DetectorSnapshot(Published):
    """A symbol's detector state after the record at next_offset - 1 of its trades partition; with the exchange "-" a
    partition's mark, or what is no market's: "watch", "notices", "lease" (which worker claims to be in charge).
    """

    exchange: Name
    symbol: Name
    partition: PartitionNumber
    next_offset: Count
    rule_version: Name
    state: AnyText
    """Opaque to everybody but the detectors of the same rule_version."""
    at_us: Micros


MODEL_OF_EVENT: dict[type[events.Event], type[Published]] = {
    events.Trade: Trade,
    events.Ticker: Ticker,
    events.OrderBook: OrderBook,
    events.FeedEvent: FeedEvent,
    events.Alert: Alert,
    events.Notification: Notification,
    events.Instrument: Instrument,
    events.Candle: Candle,
    events.DeadLetter: DeadLetter,
    events.Control: Control,
    events.DetectorSnapshot: DetectorSnapshot,
}
