"""A row a minute and market: the last ticker of the minute, or the last one before it where a market sent none."""

import random
from collections import defaultdict
from decimal import Decimal

import pytest
from aiokafka.structs import TopicPartition

from services.consumer.batch import Batch, Slice
from services.consumer.sinks.base import PositionMoved
from shared.events import Ticker
from shared.partitioning import partition_of, symbol_key
from shared.topics import TICKERS

MIDNIGHT_US = 1_767_225_600_000_000  # 2026-01-01T00:00:00Z
MINUTE_US = 60_000_000
MINUTES = 1_440
PARTITIONS = [TopicPartition(TICKERS.name, number) for number in range(TICKERS.partitions)]
ROWS = """
    SELECT exchange, symbol, (extract(epoch FROM opened_at) * 1000000)::bigint, price, bid_price, ask_price,
        (extract(epoch FROM event_at) * 1000000)::bigint
    FROM ticker_1m JOIN instrument i ON i.id = instrument_id
"""


def ticker(symbol, at_us, price, bid=None, exchange="upbit", received_at_us=None):
    return Ticker(
        exchange=exchange,
        symbol=symbol,
        base=symbol,
        quote="KRW",
        price=str(price),
        window="utc_day",
        open="1",
        high="1",
        low="1",
        volume_24h="1",
        turnover_24h="1",
        event_at_us=at_us,
        received_at_us=at_us + 20_000 if received_at_us is None else received_at_us,
        bid_price=None if bid is None else str(bid),
        ask_price=None if bid is None else str(bid + 1),
    )


class Feed:
    """Puts tickers into the partitions of their symbols, as batches that follow one another."""

    def __init__(self):
        self.next = dict.fromkeys(PARTITIONS, 0)

    def batch(self, tickers):
        by_partition = defaultdict(list)
        for one in tickers:
            number = partition_of(symbol_key(one.exchange, one.symbol), TICKERS.partitions)
            by_partition[PARTITIONS[number]].append(one)
        slices = []
        for place, events in sorted(by_partition.items()):
            first = self.next[place]
            self.next[place] = end = first + len(events)
            slices.append(Slice(place.topic, place.partition, first, end, list(range(first, end)), events))
        return Batch("tickers", tuple(slices))


async def rows(record):
    return {row[:3]: row[3:] for row in await record.rows(ROWS)}


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_a_day_of_two_hundred_markets_is_a_row_a_minute_and_market(record):
    chance = random.Random(5)
    markets = [("upbit", f"KRW-{n}") for n in range(120)] + [("binance", f"C{n}USDT") for n in range(80)]
    # Some markets speak every minute, some hardly ever: at midnight all of them do once.
    habit = {market: chance.choice([1.0, 0.9, 0.5, 0.02]) for market in markets}
    feed, sink = Feed(), await record.opened(*PARTITIONS)
    expected, latest = {}, {}
    for first in range(0, MINUTES, 10):
        tickers = []
        for minute in range(first, first + 10):
            spoken = []
            for market in markets:
                times = 1 if minute == 0 else 0 if chance.random() >= habit[market] else chance.randint(1, 2)
                for into_us in sorted(chance.randrange(MINUTE_US) for _ in range(times)):
                    price, bid = chance.randint(1, 10**9), chance.choice([None, chance.randint(1, 10**6)])
                    at_us = MIDNIGHT_US + minute * MINUTE_US + into_us
                    spoken.append(ticker(market[1], at_us, price, bid, market[0]))
            spoken.sort(key=lambda one: one.event_at_us)
            tickers += spoken
            for one in spoken:
                latest[one.exchange, one.symbol] = one
            for market, one in latest.items():
                bid = one.bid_price and Decimal(one.bid_price)
                ask = one.ask_price and Decimal(one.ask_price)
                row = Decimal(one.price), bid, ask, one.event_at_us
                expected[(*market, MIDNIGHT_US + minute * MINUTE_US)] = row
        await sink.write(feed.batch(tickers))
        if first == MINUTES // 2:
            await sink.close()
            sink = await record.opened(*PARTITIONS)
    # A minute is over when the next one begins: one ticker in each partition and exchange says so.
    following = {(m[0], partition_of(symbol_key(*m), TICKERS.partitions)): m for m in markets}.values()
    await sink.write(feed.batch([ticker(m[1], MIDNIGHT_US + MINUTES * MINUTE_US, 1, None, m[0]) for m in following]))
    found = {key: row for key, row in (await rows(record)).items() if key[2] < MIDNIGHT_US + MINUTES * MINUTE_US}
    assert len(found) == 200 * MINUTES == 288_000
    day = MIDNIGHT_US + MINUTES * MINUTE_US
    assert {key: row for key, row in found.items() if row != expected[key]} == {}
    assert found.keys() == {key for key in expected if key[2] < day}
    [[positions]] = await record.rows("SELECT sum(next_offset) FROM sink_position")
    assert positions == sum(feed.next.values())


async def test_a_late_ticker_corrects_the_minutes_that_were_carried_on(record):
    quiet, busy = (
        "KRW-0",
        next(
            f"KRW-{n}"
            for n in range(1, 99)
            if partition_of(f"upbit:KRW-{n}", TICKERS.partitions) == partition_of("upbit:KRW-0", TICKERS.partitions)
        ),
    )
    feed, sink = Feed(), await record.opened(*PARTITIONS)
    start = MIDNIGHT_US
    await sink.write(feed.batch([ticker(quiet, start, 10), ticker(busy, start, 1)]))
    await sink.write(feed.batch([ticker(quiet, start + 8 * MINUTE_US, 18), ticker(busy, start + 10 * MINUTE_US, 2)]))
    late = ticker(quiet, start + 5 * MINUTE_US + 1, 15), ticker(quiet, start + 3 * MINUTE_US, 13)
    await sink.write(feed.batch(late))
    prices = {key[2]: row[0] for key, row in (await rows(record)).items() if key[1] == quiet}
    assert [int(prices[start + minute * MINUTE_US]) for minute in range(10)] == [10, 10, 10, 13, 13, 15, 15, 15, 18, 18]


async def test_a_market_first_heard_by_an_old_ticker_is_carried_on_from_it(record):
    places = {n: partition_of(f"upbit:KRW-{n}", TICKERS.partitions) for n in range(50)}
    busy, quiet = [n for n, place in places.items() if place == places[0]][:2]
    feed, sink = Feed(), await record.opened(*PARTITIONS)
    await sink.write(feed.batch([ticker(f"KRW-{busy}", MIDNIGHT_US + 30 * MINUTE_US, 1)]))
    await sink.write(feed.batch([ticker(f"KRW-{quiet}", MIDNIGHT_US, 7)]))
    await sink.write(feed.batch([ticker(f"KRW-{busy}", MIDNIGHT_US + 31 * MINUTE_US, 1)]))
    minutes = sorted(key[2] for key in await rows(record) if key[1] == f"KRW-{quiet}")
    assert minutes == [MIDNIGHT_US + n * MINUTE_US for n in range(31)]


async def test_a_silence_is_carried_on_for_a_day_and_no_longer(record):
    feed, sink = Feed(), await record.opened(*PARTITIONS)
    for day in (0, 3):
        await sink.write(feed.batch([ticker("KRW-0", MIDNIGHT_US + day * MINUTES * MINUTE_US, day)]))
    found = sorted(key[2] for key in await rows(record))
    assert found == [MIDNIGHT_US, MIDNIGHT_US + 3 * MINUTES * MINUTE_US]


async def test_a_ticker_from_the_future_ends_no_minute(record):
    feed, sink = Feed(), await record.opened(*PARTITIONS)
    await sink.write(feed.batch([ticker("KRW-0", MIDNIGHT_US, 1)]))
    ahead = ticker("KRW-0", MIDNIGHT_US + 500 * MINUTE_US, 2, received_at_us=MIDNIGHT_US + MINUTE_US)
    await sink.write(feed.batch([ahead]))
    await sink.close()
    sink = await record.opened(*PARTITIONS)
    await sink.write(feed.batch([ticker("KRW-0", MIDNIGHT_US + 2 * MINUTE_US, 3)]))
    prices = {(key[2] - MIDNIGHT_US) // MINUTE_US: int(row[0]) for key, row in (await rows(record)).items()}
    assert prices == {0: 1, 1: 1, 2: 3, 500: 2}


async def test_the_store_counts_what_it_acknowledged_over_restarts(record):
    feed, sink = Feed(), await record.opened(*PARTITIONS)
    assert sink.tally.first_try is None
    for n in range(3):
        await sink.write(feed.batch([ticker(f"KRW-{m}", MIDNIGHT_US, n) for m in range(20)]))
    await sink.close()
    sink = await record.opened(*PARTITIONS)
    assert (sink.tally.acknowledged, sink.tally.unacknowledged) == (3, 0)
    wrong = Slice(TICKERS.name, 0, 999, 1_000, [], [])
    with pytest.raises(PositionMoved):
        await sink.write(Batch("wrong", (wrong,)))
    await sink.close()
    sink = await record.opened(*PARTITIONS)
    await sink.write(feed.batch([ticker("KRW-1", MIDNIGHT_US, 9)]))
    assert (sink.tally.acknowledged, sink.tally.unacknowledged) == (4, 1)
    assert sink.tally.first_try == 0.8
    assert await record.rows("SELECT sum(batches), sum(unacknowledged) FROM sink_position") == [(4, 1)]
