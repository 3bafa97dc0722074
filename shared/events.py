"""What travels on Kafka: one frozen record type a topic. Values are UTF-8 JSON objects with exactly these fields.

Prices and quantities are exact decimals as plain text (`shared.decimals`). Times are integer microseconds UTC; the
name says whose clock: ``traded_at_us`` and ``event_at_us`` the exchange's, ``received_at_us`` ours.
``symbol`` is the exchange's own code. ``side`` is the taker's.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

DecimalText = str
"""A plain decimal, see `shared.decimals`. Checked where it enters: in the adapter, and when a record is decoded."""
SignedDecimalText = str
"""A plain decimal that may begin with a minus, such as a change in per cent."""

Name = Annotated[str, Meta(min_length=1, max_length=64)]
Micros = Annotated[int, Meta(ge=0, le=9_000_000_000_000_000)]
Text = Annotated[str, Meta(max_length=2_000)]
TradeId = Annotated[str, Meta(min_length=1, max_length=19)]
"""The exchange's integer id as text, without leading zeros, at most 2^63 - 1."""
Count = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
"""What a store's 64-bit integer holds."""
Partition = Annotated[int, Meta(ge=0, le=(1 << 31) - 1)]

Side = Literal["buy", "sell"]
Origin = Literal["stream", "backfill"]
Channel = Literal["trade", "ticker", "orderbook"]
FeedKind = Literal["connected", "disconnected", "stalled", "resumed", "degraded", "gap", "listed", "gone", "new_field"]
AlertState = Literal["open", "escalate", "resolve"]
Severity = Literal["notice", "warning", "danger"]
Direction = Literal["up", "down", "none"]
"""``none`` where the price did not move: a market stands still, or its exchange says something of it."""
DataQuality = Literal["ok", "stale", "gapped", "backfilled"]
InstrumentStatus = Literal["trading", "halted", "gone"]

CHANNELS: tuple[Channel, ...] = ("trade", "ticker", "orderbook")


class Trade(Struct, frozen=True, kw_only=True, gc=False):
    """One trade. `trade_id` is unique per symbol and not ordered on every exchange."""

    exchange: Name
    symbol: Name
    base: Name
    quote: Name
    trade_id: TradeId
    price: DecimalText
    quantity: DecimalText
    side: Side
    traded_at_us: Micros
    received_at_us: Micros
    origin: Origin = "stream"


class Ticker(Struct, frozen=True, kw_only=True, gc=False):
    """A day's statistics: of the UTC day (``utc_day``, Upbit) or the last 24 hours (``rolling_24h``, Binance).

    `volume_24h` is in the base currency and `turnover_24h` in the quote currency, both over the last 24 hours.
    """

    exchange: Name
    symbol: Name
    base: Name
    quote: Name
    price: DecimalText
    window: Literal["utc_day", "rolling_24h"]
    open: DecimalText
    high: DecimalText
    low: DecimalText
    volume_24h: DecimalText
    turnover_24h: DecimalText
    event_at_us: Micros
    received_at_us: Micros
    bid_price: DecimalText | None = None
    bid_quantity: DecimalText | None = None
    ask_price: DecimalText | None = None
    ask_quantity: DecimalText | None = None


Level = tuple[DecimalText, DecimalText]
"""(price, quantity) of one level of an order book."""


class OrderBook(Struct, frozen=True, kw_only=True, gc=False):
    """A whole order book, best level first, empty slots dropped. Binance gives a sequence, Upbit a time."""

    exchange: Name
    symbol: Name
    base: Name
    quote: Name
    bids: Annotated[list[Level], Meta(max_length=100)]
    asks: Annotated[list[Level], Meta(max_length=100)]
    received_at_us: Micros
    sequence: Count | None = None
    event_at_us: Micros | None = None


class FeedEvent(Struct, frozen=True, kw_only=True):
    """Something about a feed itself. `symbols` null means all symbols of that connection.

    A ``gap`` says: between `from_us` and `to_us` trades of these symbols may be missing. `to_us` null: not over yet.
    """

    kind: FeedKind
    exchange: Name
    reason: Text
    at_us: Micros
    channel: Channel | None = None
    symbols: list[Name] | None = None
    connection: Name | None = None
    from_us: Micros | None = None
    to_us: Micros | None = None
    first_missing_id: TradeId | None = None
    last_missing_id: TradeId | None = None


class Alert(Struct, frozen=True, kw_only=True):
    """One state change of an episode. Ids are deterministic: the same trades give the same ids.

    `suppressed_by` says why nobody is told of it, such as ``mute``; it is a record all the same. `changes` is what an
    exchange says anew of a market: ``listed``, ``gone``, ``halted``, ``resumed``, ``raised:WARNING``,
    ``lifted:PRICE_FLUCTUATIONS`` and the like.
    """

    alert_id: Name
    episode_id: Name
    state: AlertState
    kind: Name
    detectors: list[Name]
    scope: Literal["symbol", "market"]
    direction: Direction
    severity: Severity
    started_at_us: Micros
    decided_at_us: Micros
    rule_version: Name
    exchange: Name | None = None
    symbol: Name | None = None
    base: Name | None = None
    quote: Name | None = None
    event_at_us: Micros | None = None
    received_at_us: Micros | None = None
    price_before: DecimalText | None = None
    price_now: DecimalText | None = None
    price_extreme: DecimalText | None = None
    change_pct: SignedDecimalText | None = None
    window_s: Count | None = None
    sigma: SignedDecimalText | None = None
    volume_ratio: DecimalText | None = None
    divergence_pct: SignedDecimalText | None = None
    data_quality: DataQuality = "ok"
    suppressed_by: Name | None = None
    members: list[Name] = field(default_factory=list)
    changes: list[Name] = field(default_factory=list)


class Notification(Struct, frozen=True, kw_only=True):
    """How far the telling of one episode is, newest wins by key (episode id).

    ``intent`` is written before a message is sent and ``sent`` after it, so that a crash between the two is seen.
    `alert_id` is the newest alert that this step tells. `alert_ids` are those that the message at `channel`/`ts`
    tells for certain, oldest first, bounded by the notifier. Alerts before `settled_offset` of their topic, of
    whatever episode, needed nothing more when this was written. One message may tell of many episodes: then
    `episode_id` names the message and `episodes` are those. `file_id` is the chart that it shows. `heard_at_us`:
    when all of the channel heard of it last (answers in a thread call only who follows it); `heard_severity`: of what.
    `posted_at_us`: when a message of one episode, no answer, was posted last.
    One that tells of many takes in others of its `direction` from `begun_at_us` until `open_until_us`, our clock; it is
    `messages` by then.
    """

    episode_id: Name
    notifier: Name
    stage: Literal["intent", "sent", "refused"]
    alert_id: Name
    alert_ids: list[Name]
    at_us: Micros
    settled_offset: Count = 0
    channel: str | None = None
    ts: str | None = None
    reason: Text | None = None
    episodes: list[Name] = field(default_factory=list)
    file_id: str | None = None
    heard_at_us: Micros | None = None
    heard_severity: Severity | None = None
    direction: Direction | None = None
    begun_at_us: Micros | None = None
    open_until_us: Micros | None = None
    messages: Count = 0
    posted_at_us: Micros | None = None


class Instrument(Struct, frozen=True, kw_only=True):
    """What an exchange lists: names, whether it trades, and the exchange's own warning flags.

    `listed_at_us`: when it appeared on the exchange's list, our clock; null where it was there from the first look.
    """

    exchange: Name
    symbol: Name
    base: Name
    quote: Name
    status: InstrumentStatus
    updated_at_us: Micros
    korean_name: str | None = None
    english_name: str | None = None
    warning: bool = False
    cautions: list[Name] = field(default_factory=list)
    listed_at_us: Micros | None = None


class Candle(Struct, frozen=True, kw_only=True, gc=False):
    """One minute as the exchange itself tells it; `opened_at_us` is the minute's start."""

    exchange: Name
    symbol: Name
    base: Name
    quote: Name
    opened_at_us: Micros
    open: DecimalText
    high: DecimalText
    low: DecimalText
    close: DecimalText
    volume: DecimalText
    turnover: DecimalText
    received_at_us: Micros
    trades: Count | None = None


class DeadLetter(Struct, frozen=True, kw_only=True):
    """A frame or record that nobody could read, kept with where it came from.

    From a feed: `exchange`, `connection`, and `suppressed` (how many more were left out since the last one).
    From a reader of Kafka: `topic`, `partition`, `offset`, `reader`, which together are its identity.
    `payload` is base64 of at most the first 64 KiB; `payload_bytes` the whole length.
    """

    reason: Text
    at_us: Micros
    payload: str
    payload_bytes: Count
    reader: Name
    exchange: Name | None = None
    connection: Name | None = None
    suppressed: Count = 0
    topic: Name | None = None
    partition: Partition | None = None
    offset: Count | None = None
    schema: str | None = None


class Control(Struct, frozen=True, kw_only=True):
    """A wish from the command line, such as a mute; compacted by what it acts on."""

    action: Name
    target: Name
    at_us: Micros
    until_us: Micros | None = None
    reason: Text | None = None


class DetectorSnapshot(Struct, frozen=True, kw_only=True):
    """A symbol's detector state after the record at `next_offset` - 1 of its trades partition.

    One with the exchange ``-`` is the mark of a whole partition: reading its trades resumes at `next_offset`; or it is
    no market's but of all: ``watch``, ``notices``, and ``lease``, by which a worker claims to be in charge.
    `state` is opaque to everybody but the detectors of the same `rule_version`.
    """

    exchange: Name
    symbol: Name
    partition: Partition
    next_offset: Count
    rule_version: Name
    state: str
    at_us: Micros


MarketEvent = Trade | Ticker | OrderBook
Event = MarketEvent | FeedEvent | Alert | Notification | Instrument | Candle | DeadLetter | Control | DetectorSnapshot
