"""What waits for Kafka arrives, in order, whatever happens to the client or to Kafka on the way."""

import asyncio
from base64 import b64decode
from contextlib import asynccontextmanager
from secrets import token_hex

import msgspec
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import MessageSizeTooLargeError, OutOfOrderSequenceNumber, TopicAuthorizationFailedError

from services.producer.lanes import Lanes
from services.producer.publisher import Publisher
from services.producer.refused import LEAST_PAYLOAD_BYTES
from services.producer.rejects import dead_letter
from shared import metrics, wire
from shared.clock import now_us
from shared.events import FeedEvent, OrderBook, Trade
from shared.kafka import client_options, make_producer
from shared.topics import DEAD_LETTERS, FEED, ORDERBOOKS, TRADES

SYMBOLS = ("KRW-BTC", "KRW-ETH", "KRW-XRP")


def _trade(number):
    return Trade(
        exchange="upbit",
        symbol=SYMBOLS[number % 3],
        base="B",
        quote="KRW",
        trade_id=str(number),
        price="1",
        quantity="1",
        side="buy",
        traded_at_us=now_us(),
        received_at_us=now_us(),
    )


def _book(number):
    return OrderBook(
        exchange="upbit", symbol=SYMBOLS[number % 3], base="B", quote="KRW", bids=[], asks=[], received_at_us=number
    )


@asynccontextmanager
async def _publishing(kafka, lanes=None):
    """A publisher that runs, and every client that it made."""
    clients = []

    def make():
        clients.append(make_producer(kafka, "test", request_timeout_ms=3000, compression_type="snappy"))
        return clients[-1]

    publisher = Publisher(make, "upbit", 1, now_us, lanes)
    running = asyncio.create_task(publisher.run())
    try:
        yield publisher, clients, running
    finally:
        running.cancel()
        await asyncio.wait({running})


def _first_ids(held):
    """Trade ids by symbol in order of first occurrence."""
    found = {}
    for one in held:
        found.setdefault(one.event.symbol, dict[int, None]())[int(one.event.trade_id)] = None
    return {symbol: list(numbers) for symbol, numbers in found.items()}


async def test_cancelled_while_it_connects_it_leaves_nothing_open(ground):
    async with _publishing(ground.kafka) as (_, clients, _):
        await asyncio.sleep(0)  # it runs as far as to what it waits for first: that Kafka takes a connection
    assert [client._closed for client in clients] == [True]


async def test_a_client_that_fails_is_replaced_and_nothing_is_lost_or_out_of_order(ground):
    async with _publishing(ground.kafka) as (publisher, clients, _):
        for number in range(3000):
            publisher.publish([_trade(number)])
            if number % 500 == 250:
                await asyncio.sleep(0.05)
                publisher.publish([_trade(number)])  # so that something is on its way just now
                await asyncio.sleep(0.002)
                clients[-1]._message_accumulator.fail_all(OutOfOrderSequenceNumber())
            if number % 10 == 0:
                await asyncio.sleep(0)
        assert await publisher.drain(20)
    assert len(clients) > 1
    ids = _first_ids(await ground.held(TRADES))
    assert ids == {symbol: list(range(index, 3000, 3)) for index, symbol in enumerate(SYMBOLS)}


async def test_a_client_is_given_up_whose_batches_hang_before_a_kafka_that_stands_still(ground, kafka_frozen):
    async with _publishing(ground.kafka) as (publisher, clients, _):
        publisher.publish([_trade(number) for number in range(3)])
        assert await publisher.drain(10)
        with kafka_frozen():
            publisher.publish([_trade(number) for number in range(3, 30_000)])  # more than sockets take
            await asyncio.sleep(0.5)
            assert publisher.on_the_way
            publisher.give_up_client("nothing is acknowledged")
            while not publisher.is_away:  # noqa: ASYNC110  # the test's timeout is the limit
                await asyncio.sleep(0.05)
        assert await publisher.drain(30)
    assert len(clients) > 1
    ids = _first_ids(await ground.held(TRADES))
    assert ids == {symbol: list(range(index, 30_000, 3)) for index, symbol in enumerate(SYMBOLS)}


async def test_what_no_new_client_can_mend_ends_it(ground):
    async with _publishing(ground.kafka) as (publisher, clients, running):
        publisher.publish([_trade(1)])
        assert await publisher.drain(10)
        publisher.publish([_trade(2)])
        clients[-1]._message_accumulator.fail_all(TopicAuthorizationFailedError(TRADES.name))
        publisher.publish([_trade(3)])
        with pytest.raises(TopicAuthorizationFailedError):
            await asyncio.wait_for(running, 10)


async def test_what_kafka_calls_too_large_goes_in_halves_and_nothing_is_lost_or_out_of_order(ground):
    async with _publishing(ground.kafka) as (publisher, clients, _):
        publisher.publish([_trade(number) for number in range(3)])
        assert await publisher.drain(10)
        publisher.publish([_trade(number) for number in range(3, 3000)])
        while not publisher.on_the_way:  # noqa: ASYNC110  the test's timeout is the limit
            await asyncio.sleep(0)
        clients[-1]._message_accumulator.fail_all(MessageSizeTooLargeError())
        assert await publisher.drain(20)
    assert len(clients) > 1
    ids = _first_ids(await ground.held(TRADES))
    assert ids == {symbol: list(range(index, 3000, 3)) for index, symbol in enumerate(SYMBOLS)}


async def test_a_record_too_large_alone_is_a_dead_letter_and_a_gap_and_costs_no_other(ground):
    large = msgspec.structs.replace(_trade(3), base=token_hex(32), quote=token_hex(32))
    small = [_trade(number) for number in range(90) if number != 3]
    async with _publishing(ground.kafka) as (publisher, _, _), _longest(ground.kafka, len(wire.encode(large)) + 40):
        publisher.publish([*small[:3], large, *small[3:]])
        assert await publisher.drain(40)
    assert [int(one.event.trade_id) for one in await ground.held(TRADES) if one.event.symbol == "KRW-BTC"] == [
        number for number in range(0, 90, 3) if number != 3
    ]
    (letter,) = [one.event for one in await ground.held(DEAD_LETTERS)]
    assert wire.decode(Trade, b64decode(letter.payload)) == large
    assert (letter.topic, letter.schema) == (TRADES.name, "trade/1")  # what a replay reads it by
    (gap,) = [one.event for one in await ground.held(FEED)]
    assert (gap.kind, gap.symbols) == ("gap", ["KRW-BTC"])
    assert gap.from_us <= large.traded_at_us <= gap.to_us


@pytest.mark.parametrize(("most_bytes", "kept_bytes"), [(4_000, LEAST_PAYLOAD_BYTES), (200, None)])
async def test_a_dead_letter_too_large_is_cut_or_counted_and_ends_nobody(ground, most_bytes, kept_bytes):
    frame, refused = token_hex(20_000), metrics.RECORDS_REFUSED.labels(DEAD_LETTERS.name)
    letter = dead_letter(frame, "no JSON", exchange="upbit", connection="upbit/1", suppressed=0, at_us=now_us())
    before = refused._value.get()
    async with _publishing(ground.kafka) as (publisher, _, running), _longest(ground.kafka, most_bytes, DEAD_LETTERS):
        publisher.put(DEAD_LETTERS, "upbit", letter)
        publisher.publish([_trade(1)])
        assert await publisher.drain(40)
        assert not running.done()
    assert len(await ground.held(TRADES)) == 1
    letters = [one.event for one in await ground.held(DEAD_LETTERS)]
    assert [(len(b64decode(one.payload)), one.payload_bytes) for one in letters] == (
        [(kept_bytes, 40_000)] if kept_bytes else []
    )
    assert refused._value.get() - before == (kept_bytes is None)
    (gap,) = [one.event for one in await ground.held(FEED)]
    assert (gap.kind, gap.symbols, gap.connection) == ("gap", None, "upbit/1")
    assert gap.from_us < letter.at_us < gap.to_us


@asynccontextmanager
async def _longest(kafka, size_bytes, topic=TRADES):
    """Kafka takes no longer batch of a topic."""
    admin = AIOKafkaAdminClient(**client_options(kafka, "test"))
    await admin.start()

    async def configure(**config):
        wanted = topic.config() | config
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic.name, wanted)])
        while not config.items() <= (await _config_of(admin, topic)).items():  # noqa: ASYNC110  no Kafka tells of it
            await asyncio.sleep(0.02)

    try:
        longest = {"max.message.bytes": str(size_bytes)}
        await configure(**longest)
        # A broker shows a setting a moment before it obeys it, and one after the other.
        await configure(**longest, **{"segment.ms": "86400000"})
        yield
        await configure()
    finally:
        await admin.close()


async def _config_of(admin, topic):
    (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic.name)])
    ((_, _, _, _, entries),) = answer.resources
    return {name: value for name, value, *_ in entries}


def _recorded(client, steps):
    """Write down when batches are handed over and when they are acknowledged."""
    send_batch = client.send_batch

    async def recording(batch, topic, *, partition):
        steps.append(("sent", topic))
        sent = await send_batch(batch, topic, partition=partition)
        sent.add_done_callback(lambda _: steps.append(("acknowledged", topic)))
        return sent

    client.send_batch = recording


async def test_news_of_a_feed_is_acknowledged_before_later_trades_are_sent(ground):
    steps = []
    async with _publishing(ground.kafka) as (publisher, clients, _):
        publisher.publish([_trade(0)])
        assert await publisher.drain(10)
        _recorded(clients[-1], steps)
        for number in range(1, 600):
            if number % 20 == 0:
                publisher.announce(FeedEvent(kind="gap", exchange="upbit", reason=str(number), at_us=now_us()))
            publisher.publish([_trade(number)])
            await asyncio.sleep(0.001)
        assert await publisher.drain(20)
    held_back = False
    for what, topic in steps:
        if topic == FEED.name:
            held_back = what == "sent"
        assert not (held_back and (what, topic) == ("sent", TRADES.name))
    assert steps.count(("acknowledged", FEED.name)) > 10
    assert len(await ground.held(FEED)) == 29
    assert len(await ground.held(TRADES)) == 600


async def test_news_of_a_feed_goes_first_also_when_it_comes_while_trades_are_handed_over(ground):
    steps = []
    async with _publishing(ground.kafka) as (publisher, clients, _):
        publisher.announce(FeedEvent(kind="connected", exchange="upbit", reason="", at_us=now_us()))
        publisher.publish([_trade(0), _trade(1), _trade(2)])
        assert await publisher.drain(10)
        send_batch = clients[-1].send_batch

        async def interrupted(*arguments, **options):
            if steps == [("sent", TRADES.name)]:
                publisher.announce(FeedEvent(kind="gap", exchange="upbit", reason="", at_us=now_us()))
                publisher.publish([_trade(4), _trade(5)])
            return await send_batch(*arguments, **options)

        clients[-1].send_batch = interrupted
        _recorded(clients[-1], steps)
        publisher.publish([_trade(3)])
        assert await publisher.drain(10)
    after = steps.index(("acknowledged", FEED.name))
    assert ("sent", FEED.name) in steps[:after]
    assert steps[:after].count(("sent", TRADES.name)) == 1
    assert steps[after:].count(("sent", TRADES.name)) == 2


async def test_at_its_bounds_trades_end_in_a_gap_and_books_in_their_newest(ground, kafka_frozen):
    lanes = Lanes(max_trade_bytes=100_000, max_newest_bytes=20_000)
    async with _publishing(ground.kafka, lanes) as (publisher, _, _):
        publisher.publish([_trade(0), _trade(1), _trade(2), _book(0), _book(1), _book(2)])
        assert await publisher.drain(10)
        with kafka_frozen():
            before_us = now_us()
            for number in range(3, 3000):
                publisher.publish([_trade(number), _book(number)])
                if number % 100 == 0:
                    await asyncio.sleep(0.001)
            after_us = now_us()
            assert sum(len(lane.waiting) for lane in lanes.of(Trade)) < 600
        assert await publisher.drain(30)
        await asyncio.sleep(0.1)
        publisher.publish([_trade(number) for number in (3000, 3001, 3002)])
        assert await publisher.drain(30)
    ids = _first_ids(await ground.held(TRADES))
    (gap,) = [one.event for one in await ground.held(FEED)]
    assert (gap.kind, gap.exchange, gap.symbols) == ("gap", "upbit", sorted(SYMBOLS))
    assert before_us - 3_000_000 <= gap.from_us <= after_us
    assert gap.to_us <= after_us
    kept = {number for numbers in ids.values() for number in numbers}
    assert set(range(300)) | {3000, 3001, 3002} <= kept
    assert len(kept) < 2000
    newest = {one.event.symbol: one.event.received_at_us for one in await ground.held(ORDERBOOKS)}
    assert newest == {SYMBOLS[number % 3]: number for number in (2997, 2998, 2999)}
