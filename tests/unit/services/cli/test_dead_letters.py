"""Which letters are meant, and what a letter gives when it is read again."""

from base64 import b64encode
from typing import Any, cast

import pytest
from msgspec.structs import replace

from benchmarks.frames import FRAMES, LISTINGS
from services.cli.dead_letters.again import NotReplayable, StillUnreadable, key_of, read_again
from services.cli.dead_letters.choice import Choice, Kept, since_us
from services.consumer.sinks.postgres_rows import unstorable
from services.producer.exchanges import ADAPTERS
from services.producer.exchanges.base import AdapterOptions, ExchangeAdapter
from shared.events import DeadLetter, Event, FeedEvent, MarketEvent, Notification, Trade
from shared.topics import TOPIC_OF_EVENT, TRADES
from shared.wire import encode

NOW_US = 1_790_000_000_000_000
TRADE = Trade(
    exchange="upbit",
    symbol="KRW-BTC",
    base="BTC",
    quote="KRW",
    trade_id="7",
    price="1",
    quantity="2",
    side="buy",
    traded_at_us=NOW_US,
    received_at_us=NOW_US,
)


def letter(payload: bytes, **fields: Any) -> DeadLetter:
    defaults = {"reason": "x", "at_us": NOW_US, "reader": "producer-upbit", "payload_bytes": len(payload)}
    return DeadLetter(payload=b64encode(payload).decode(), **defaults | fields)


def record(payload: bytes, topic: str = TRADES.name, schema: str | None = "trade/1", **fields: Any) -> DeadLetter:
    where = {"topic": topic, "partition": 3, "offset": 4, "schema": schema, "reader": "consumer-postgres"}
    return letter(payload, **where | fields)


def adapter_of(exchange: str, connection: str | None) -> ExchangeAdapter | None:
    if exchange not in ADAPTERS:
        return None
    stream = "aggTrade" if (connection or "").startswith("binance_agg") else "trade"
    return ADAPTERS[exchange](AdapterOptions("", LISTINGS[exchange], trade_stream=stream))


def refuses(reader: str, event: Event) -> str | None:
    return unstorable(event) if reader == "consumer-postgres" else None


@pytest.mark.parametrize(
    ("text", "expected_us"),
    [
        ("90s", NOW_US - 90_000_000),
        ("15m", NOW_US - 900_000_000),
        ("2h", NOW_US - 7_200_000_000),
        ("3d", NOW_US - 3 * 86_400_000_000),
        ("2026-01-31T09:00", 1_769_850_000_000_000),
        ("2026-01-31T10:00+01:00", 1_769_850_000_000_000),
    ],
)
def test_since_is_a_time_ago_or_a_time(text: str, expected_us: int) -> None:
    assert since_us(text, NOW_US) == expected_us


@pytest.mark.parametrize("text", ["", "15", "m", "yesterday", "-1h", "1w"])
def test_a_since_that_is_neither_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="neither like 15m"):
        since_us(text, NOW_US)


def test_every_filter_must_hold() -> None:
    of_frame, of_record = letter(b"x", exchange="upbit"), record(b"x", at_us=NOW_US + 5)
    assert Choice().holds(Kept(1, of_frame))
    assert Choice(exchange="upbit", reader="producer-upbit").holds(Kept(1, of_frame))
    assert Choice(topic=TRADES.name, since_us=NOW_US + 5, numbers=frozenset({2})).holds(Kept(2, of_record))
    for other in (Choice(topic=TRADES.name), Choice(exchange="binance"), Choice(since_us=NOW_US + 1)):
        assert not other.holds(Kept(1, of_frame))
    assert not Choice(numbers=frozenset({1})).holds(Kept(2, of_record))


@pytest.mark.parametrize(("exchange", "channel"), [(e, channel) for e, frames in FRAMES.items() for channel in frames])
def test_a_frame_becomes_the_records_that_the_producer_would_have_written(exchange: str, channel: str) -> None:
    travels_as = "binance_agg" if channel == "aggTrade" else exchange
    frame = FRAMES[exchange][channel]
    [event] = cast("list[MarketEvent]", adapter_of(exchange, travels_as).parse(frame, NOW_US))  # type: ignore[union-attr]
    kept = letter(frame, exchange=exchange, connection=f"{travels_as}-0-trades-1")
    [again] = read_again(kept, adapter_of, refuses)
    assert again.event == (replace(event, origin="backfill") if isinstance(event, Trade) else event)
    assert (again.topic, again.key) == (TOPIC_OF_EVENT[type(event)], f"{travels_as}:{event.symbol}")


def test_a_record_is_decoded_again_and_goes_where_it_belongs() -> None:
    [again] = read_again(record(encode(TRADE)), adapter_of, refuses)
    assert (again.topic, again.key) == (TRADES, "upbit:KRW-BTC")
    assert isinstance(again.event, Trade)
    assert again.event.origin == "backfill"


def test_records_about_feeds_and_alerts_keep_their_key() -> None:
    event = FeedEvent(kind="gap", exchange="upbit", reason="r", at_us=1)
    [again] = read_again(record(encode(event), "tape.feed.v1", "feed-event/1"), adapter_of, refuses)
    assert (again.key, again.event) == ("upbit", event)
    notification = Notification(
        episode_id="e", notifier="n", stage="sent", alert_id="a", alert_ids=[], at_us=1, settled_offset=0
    )
    with pytest.raises(NotReplayable, match="state of a service"):
        key_of(notification)


@pytest.mark.parametrize(
    ("kept", "why"),
    [
        (letter(b"{", exchange="upbit"), "truncated"),
        (letter(FRAMES["upbit"]["trade"].replace(b"trade_price", b"price"), exchange="upbit"), "trade_price"),
        (letter(FRAMES["upbit"]["trade"].replace(b"KRW-BTC", b"KRW-NEW"), exchange="upbit"), "not subscribed"),
        (record(b"{}"), "not a trade/1"),
        (record(b"", schema=None), "no schema header"),
        (record(encode(TRADE), schema="trade/2"), "found trade/2"),
        (record(encode(TRADE).replace(str(NOW_US).encode(), b"1", 1)), "before 2009"),
    ],
)
def test_what_is_still_unreadable_says_why(kept: DeadLetter, why: str) -> None:
    with pytest.raises(StillUnreadable, match=why):
        read_again(kept, adapter_of, refuses)


@pytest.mark.parametrize(
    ("kept", "why"),
    [
        (letter(b"x" * 10, exchange="upbit", payload_bytes=11), "only the first 10 bytes"),
        (letter(b"{}", exchange="kraken"), "no exchange is called 'kraken'"),
        (letter(b"{}"), "no exchange is called None"),
        (letter(b'{"status":"UP"}', exchange="upbit"), "holds no data"),
        (letter(b'{"error":{"name":"NO_CODES","message":"m"}}', exchange="upbit"), "NO_CODES"),
        (record(b"{}", "tape.trades.v0"), "no topic is called tape.trades.v0"),
        (record(b"{}", "tape.dead-letters.v1", "dead-letter/1"), "about a dead letter"),
    ],
)
def test_what_can_never_be_replayed_is_refused_clearly(kept: DeadLetter, why: str) -> None:
    with pytest.raises(NotReplayable, match=why):
        read_again(kept, adapter_of, refuses)
