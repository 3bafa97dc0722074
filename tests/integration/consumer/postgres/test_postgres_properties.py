"""Candles are exact whatever order trades come in; whatever a valid event holds, it is stored or refused beforehand."""

import itertools
import json
from decimal import Context, Decimal

import msgspec
import pytest
from aiokafka.structs import TopicPartition
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.events import Alert, DeadLetter, FeedEvent, Instrument, Ticker, Trade
from shared.topics import TOPIC_OF_EVENT, TRADES
from shared.wire import InvalidRecord, decode

NEW_YEAR_US = 1_767_225_600_000_000
MINUTE_US = 60_000_000
ABOUT = {"exchange": "upbit", "symbol": "KRW-BTC", "base": "BTC", "quote": "KRW"}
SAMPLES = (
    Trade(
        **ABOUT, trade_id="1", price="1", quantity="1", side="buy", traded_at_us=NEW_YEAR_US, received_at_us=NEW_YEAR_US
    ),
    Ticker(
        **ABOUT,
        **dict.fromkeys(("price", "open", "high", "low", "volume_24h", "turnover_24h", "bid_price", "ask_price"), "1"),
        window="utc_day",
        event_at_us=NEW_YEAR_US,
        received_at_us=NEW_YEAR_US,
    ),
    FeedEvent(kind="gap", exchange="upbit", reason="", at_us=NEW_YEAR_US, symbols=["KRW-BTC"], from_us=NEW_YEAR_US),
    Alert(
        **ABOUT,
        **dict.fromkeys(("alert_id", "episode_id", "kind", "rule_version"), "1"),
        **dict.fromkeys(("price_before", "price_now", "change_pct", "sigma", "volume_ratio"), "1"),
        state="open",
        detectors=[],
        scope="symbol",
        direction="up",
        severity="notice",
        started_at_us=NEW_YEAR_US,
        decided_at_us=NEW_YEAR_US,
    ),
    DeadLetter(
        reason="", at_us=0, payload="", payload_bytes=0, reader="r", topic="t", partition=0, offset=0, schema="trade/1"
    ),
    Instrument(**ABOUT, status="trading", updated_at_us=NEW_YEAR_US, korean_name="", english_name=""),
)
EXACT = Context(prec=200)
on_one_database = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)

numbers = st.decimals("0.00000001", "99999999", places=8).map(lambda number: format(number, "f"))
# Few ids, minutes and times, so that repeats, ties and late trades are the rule.
tapes = st.dictionaries(
    st.integers(0, 40),
    st.tuples(st.sampled_from([0, 1, 59_999_999, MINUTE_US, MINUTE_US + 1, 3 * MINUTE_US]), numbers, numbers),
    min_size=1,
)


@st.composite
def deliveries(draw):
    """(what the exchange traded, batches of trade ids that hold each of them at least once)."""
    tape = draw(tapes)
    once = draw(st.permutations(list(tape)))
    again = draw(st.lists(st.sampled_from(list(tape)), max_size=20))
    order = draw(st.permutations(once + again))
    cuts = sorted(draw(st.sets(st.integers(1, len(order)), max_size=5)))
    return tape, [order[a:b] for a, b in itertools.pairwise([0, *cuts, len(order)]) if a < b]


def candles_of(tape):
    """What the candles of a tape must be, from all of its trades at once."""
    minutes = {}
    for trade_id, (after_us, price, quantity) in tape.items():
        minutes.setdefault(after_us // MINUTE_US, []).append((after_us, trade_id, Decimal(price), Decimal(quantity)))
    return {
        minute: (
            min(trades)[2],
            max(price for _, _, price, _ in trades),
            min(price for _, _, price, _ in trades),
            max(trades)[2],
            sum(quantity for *_, quantity in trades),
            exact_sum(EXACT.multiply(price, quantity) for _, _, price, quantity in trades),
            len(trades),
        )
        for minute, trades in minutes.items()
    }


def exact_sum(terms):
    total = Decimal(0)
    for term in terms:
        total = EXACT.add(total, term)
    return total


class Feed:
    """A sink that owns one partition of every topic, written to one batch after another."""

    def __init__(self, sink):
        self.sink = sink
        self.positions = {}
        self.symbols = itertools.count()

    async def write(self, batch, events, at):
        """Store the events after those before them."""
        position = self.positions.get(at, 0)
        written = await self.sink.write(batch(events, position, at))
        self.positions[at] = position + len(events)
        return written


@pytest.fixture
async def feed(record):
    return Feed(await record.opened(*(TopicPartition(TOPIC_OF_EVENT[event].name, 0) for event in map(type, SAMPLES))))


@on_one_database
@given(delivery=deliveries())
async def test_candles_are_those_of_all_trades_whatever_their_order_and_repeats(record, feed, trade, batch, delivery):
    tape, batches = delivery
    symbol = f"KRW-{next(feed.symbols)}"

    def event(number):
        after_us, price, quantity = tape[number]
        return trade(number, NEW_YEAR_US + after_us, symbol, price=price, quantity=quantity)

    for ids in batches:
        await feed.write(batch, [event(number) for number in ids], TopicPartition(TRADES.name, 0))
    found = await record.owner.fetch(
        "SELECT (extract(epoch FROM opened_at)::bigint - $2) / 60, open, high, low, close, volume, turnover, trades"
        " FROM candle_1m c JOIN instrument i ON i.id = c.instrument_id WHERE symbol = $1",
        symbol,
        NEW_YEAR_US // 1_000_000,
    )
    assert {row[0]: tuple(row)[1:] for row in found} == candles_of(tape)


decimals = st.one_of(numbers, st.sampled_from(["NaN", "-1.5", "1e400", "Infinity", "1_0", "٣", "0." + "0" * 50]))
texts = st.one_of(st.sampled_from(["", "\0", "a\0b", "비트", "💥", "'; --"]), st.text(max_size=8), decimals)
integers = st.one_of(st.integers(0, 9), st.integers(-(1 << 70), 1 << 70), st.just(9_000_000_000_000_000))
wild_values = {
    str: texts,
    int: integers,
    bool: st.booleans(),
    list: st.lists(texts, max_size=3),
    type(None): st.one_of(texts, integers, st.lists(texts, max_size=3)),
}


@st.composite
def objects(draw, sample):
    """A JSON object like `sample`, one or two fields of which are wild."""
    fields = msgspec.structs.asdict(sample)
    for name in draw(st.sets(st.sampled_from(sorted(fields)), min_size=1, max_size=2)):
        fields[name] = draw(wild_values[type(fields[name])])
    return fields


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: type(sample).__name__)
@on_one_database
@given(data=st.data())
async def test_every_valid_event_is_stored_or_refused_beforehand(feed, batch, sample, data):
    value = json.dumps(data.draw(objects(sample))).encode()
    try:
        event = decode(type(sample), value)
    except InvalidRecord:
        return
    if feed.sink.refuses(event) is None:
        await feed.write(batch, [event], TopicPartition(TOPIC_OF_EVENT[type(sample)].name, 0))
