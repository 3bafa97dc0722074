"""What waits for Kafka, by partition and in order, within bounds; what gives way at a bound, and how it is told. Pure.

Trades are kept until the bound, and then new ones are given up until half of it is free again: one gap tells of them.
Tickers and books give way to newer ones of their symbol. Candles are asked for only while few wait: whoever asks looks
at `candle_bytes`. What is about the feeds themselves is kept to a bound too, and
then gaps are put together into the one that tells of the trades. Dead letters have a bound of their own.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from services.producer.gaps import Dropped, Gap
from shared.events import Candle, DeadLetter, Event, FeedEvent, OrderBook, Ticker, Trade
from shared.partitioning import partition_of, symbol_key
from shared.topics import DEAD_LETTERS, TOPIC_OF_EVENT, Topic
from shared.wire import HEADERS_OF_EVENT, encode

RECORD_OVERHEAD_BYTES = 120
"""What Python adds to a record that waits: its bytes object and a place in a list."""
MAX_TRADE_BYTES = 128 << 20
MAX_NEWEST_BYTES = 16 << 20
MAX_DEAD_LETTER_BYTES = 16 << 20
MAX_FEED_BYTES = 16 << 20
"""Hours of connections that come and go while Kafka is away."""
MAX_RECORDS = 1 << 20
"""Of a batch, which other bounds end before."""
REFUSED_ALONE = 3
"""So often a record alone is called too large before that is believed."""

Record = tuple[bytes, bytes]
"""Key and value."""
Place = tuple[str, int]
"""Topic and partition."""


@dataclass
class Lane:
    """The records of one partition: `in_flight` were handed to Kafka and are not acknowledged, `waiting` come next."""

    topic: Topic
    partition: int
    waiting: list[Record] = field(default_factory=list)
    in_flight: list[Record] = field(default_factory=list)
    most: int = MAX_RECORDS
    """How many records go together: fewer after Kafka called a batch too large."""
    refused_alone: int = 0
    batches: int = 0
    """How many were on their way so far."""
    acknowledged: int = 0
    """How many records arrived so far."""

    @property
    def headers(self) -> list[tuple[str, bytes]]:
        """The headers of every record of this topic."""
        return HEADERS_OF_EVENT[self.topic.event]

    def take(self, count: int) -> None:
        """The first `count` that wait are on their way."""
        self.in_flight = self.waiting[:count]
        self.batches += 1
        del self.waiting[:count]

    def too_large(self) -> bool:
        """Kafka called what is on its way too large: next, half of it goes. True: it is one record, time and again."""
        is_alone = len(self.in_flight) == 1
        self.most = max(1, len(self.in_flight) // 2)
        self.refused_alone = self.refused_alone + 1 if is_alone else 0
        return self.refused_alone >= REFUSED_ALONE

    def give_back(self) -> None:
        """What was on its way comes first again."""
        self.waiting[:0] = self.in_flight
        self.in_flight = []


@dataclass(frozen=True, slots=True)
class _Slot:
    """Where the events of one symbol go."""

    lane: Lane
    key: bytes


class Lanes:
    """Everything that waits for Kafka."""

    def __init__(
        self,
        max_trade_bytes: int = MAX_TRADE_BYTES,
        max_newest_bytes: int = MAX_NEWEST_BYTES,
        max_feed_bytes: int = MAX_FEED_BYTES,
    ) -> None:
        self.lanes: dict[Place, Lane] = {}
        self.dropped = Dropped()
        self.conflated: Counter[str] = Counter()
        self.dropped_trades = 0
        self._max_trade_bytes = max_trade_bytes
        self._max_newest_bytes = max_newest_bytes
        self._conflate_at_bytes = max_newest_bytes
        self._max_feed_bytes = max_feed_bytes
        self._bytes: dict[type[Event], int] = dict.fromkeys(
            (Trade, Ticker, OrderBook, Candle, FeedEvent, DeadLetter), 0
        )
        self._slots: dict[type[Event], dict[str, _Slot]] = {Trade: {}, Ticker: {}, OrderBook: {}, Candle: {}}

    def put(self, event: Trade | Ticker | OrderBook) -> None:
        """Let one market event wait, or give something up when a bound is reached."""
        kind = type(event)
        slot = self._slots[kind].get(event.symbol) or self._new_slot(event)
        if kind is Trade and (self.dropped or self._bytes[Trade] >= self._max_trade_bytes):
            self.dropped.note(event)  # type: ignore[arg-type]
            self.dropped_trades += 1
            return
        value = encode(event)
        slot.lane.waiting.append((slot.key, value))
        self._bytes[kind] += len(value) + RECORD_OVERHEAD_BYTES
        if kind is not Trade and self._bytes[Ticker] + self._bytes[OrderBook] >= self._conflate_at_bytes:
            self._conflate_all()

    def put_candle(self, candle: Candle) -> None:
        """Let a candle wait."""
        slot = self._slots[Candle].get(candle.symbol) or self._new_slot(candle)
        value = encode(candle)
        slot.lane.waiting.append((slot.key, value))
        self._bytes[Candle] += len(value) + RECORD_OVERHEAD_BYTES

    @property
    def candle_bytes(self) -> int:
        """What candles take that are not acknowledged."""
        return self._bytes[Candle]

    def put_record(self, topic: Topic, key: str, event: Event) -> bool:
        """Let any other record wait. False: too many wait already. The caller counts a dead letter that is given up;
        of a gap that is, another one tells.
        """
        value = encode(event)
        size = len(value) + RECORD_OVERHEAD_BYTES
        if topic is DEAD_LETTERS:
            if self._bytes[DeadLetter] + size > MAX_DEAD_LETTER_BYTES:
                return False
            self._bytes[DeadLetter] += size
        if isinstance(event, FeedEvent):
            if self._bytes[FeedEvent] >= self._max_feed_bytes:
                self._give_up(event)
                return False
            self._bytes[FeedEvent] += size
        lane = self._lane(topic, partition_of(key, topic.partitions))
        lane.waiting.append((key.encode(), value))
        return True

    def end_of_dropping(self) -> Gap | None:
        """The gap of all that was given up, once there is room again; trades are kept from then on."""
        has_room = self._bytes[Trade] <= self._max_trade_bytes // 2 and self._bytes[FeedEvent] < self._max_feed_bytes
        if self.dropped and has_room:
            return self.dropped.gap()
        return None

    def of(self, *events: type[Event]) -> list[Lane]:
        """The lanes of these events' topics."""
        return [lane for lane in self.lanes.values() if lane.topic.event in events]

    def acknowledged(self, lane: Lane) -> int:
        """What was on its way has arrived; returns how many records that were."""
        lane.most, lane.refused_alone = min(2 * lane.most, MAX_RECORDS), 0
        count = len(lane.in_flight)
        self._forget(lane, lane.in_flight)
        lane.in_flight = []
        lane.acknowledged += count
        return count

    @property
    def trades_put(self) -> dict[Place, int]:
        """How many trades were put so far, by partition."""
        return {
            place: lane.acknowledged + len(lane.in_flight) + len(lane.waiting)
            for place, lane in self.lanes.items()
            if lane.topic.event is Trade
        }

    def holds(self, trades_put: Mapping[Place, int]) -> bool:
        """Whether so many have arrived of each partition, and none was given up whose gap is not told yet."""
        return not self.dropped and all(self.lanes[place].acknowledged >= put for place, put in trades_put.items())

    @property
    def unacknowledged(self) -> int:
        """How many records wait or are on their way."""
        return sum(len(lane.waiting) + len(lane.in_flight) for lane in self.lanes.values())

    @property
    def empty(self) -> bool:
        """Whether nothing waits and nothing is on its way."""
        return not any(lane.waiting or lane.in_flight for lane in self.lanes.values())

    def _give_up(self, event: FeedEvent) -> None:
        self.conflated["feed"] += 1
        if event.kind == "gap":
            self.dropped.note_gap(event)

    def _conflate_all(self) -> None:
        for lane in self.of(Ticker, OrderBook):
            self._conflate(lane)
        # When one of each symbol is all there is, nothing is won by trying again for every event.
        left = self._bytes[Ticker] + self._bytes[OrderBook]
        self._conflate_at_bytes = max(self._max_newest_bytes, 2 * left)

    def _conflate(self, lane: Lane) -> None:
        newest = dict(lane.waiting)  # a later one of the same key replaces the value and keeps the first one's place
        given_up = len(lane.waiting) - len(newest)
        if given_up:
            self._forget(lane, lane.waiting)
            lane.waiting = list(newest.items())
            self._bytes[lane.topic.event] += _size(lane.waiting)
            self.conflated["ticker" if lane.topic.event is Ticker else "orderbook"] += given_up

    def _forget(self, lane: Lane, records: Iterable[Record]) -> None:
        if lane.topic.event in self._bytes:
            self._bytes[lane.topic.event] -= _size(records)

    def _lane(self, topic: Topic, partition: int) -> Lane:
        return self.lanes.setdefault((topic.name, partition), Lane(topic, partition))

    def _new_slot(self, event: Trade | Ticker | OrderBook | Candle) -> _Slot:
        topic = TOPIC_OF_EVENT[type(event)]
        key = symbol_key(event.exchange, event.symbol)
        slot = _Slot(self._lane(topic, partition_of(key, topic.partitions)), key.encode())
        self._slots[type(event)][event.symbol] = slot
        return slot


def _size(records: Iterable[Record]) -> int:
    return sum(len(value) + RECORD_OVERHEAD_BYTES for _, value in records)
