"""Kills, outages and cuts: what may be missing lies in a gap, and nothing else is missing."""

import asyncio
import signal
import time
from dataclasses import replace

import pytest

from devstack.kafka_server import Kafka
from devstack.server import Server
from services.producer import feed as feed_module
from services.producer import progress, stalls, standing, symbol_watch
from services.producer.app import produce
from services.producer.exchanges import ADAPTERS
from services.producer.gaps import LATE_US, STANDS
from shared.clock import now_us
from shared.kafka import create_topics
from shared.liveness import Liveness
from shared.partitioning import Shard
from shared.settings import KafkaSettings, load_settings
from shared.topics import FEED, TRADES

BOTH = ("upbit", "binance")


@pytest.mark.timeout(150)
async def test_killed_producers_leave_nothing_missing_outside_a_gap(ground, compare, unexplained, end_of):
    market = await ground.market(rate=1500, expect=12, symbols=6)
    only_trades = {"UPBIT__CHANNELS": "trade", "BINANCE__CHANNELS": "trade"}

    began_us = []

    async def start():
        began_us.append(now_us())
        return [await ground.producer(exchange, **only_trades) for exchange in BOTH]

    for _ in range(2):
        producers = await start()
        await ground.until_more(100)
        for producer in producers:
            assert await end_of(producer, signal.SIGKILL) == -signal.SIGKILL
    producers = await start()
    await ground.until_more(200)
    truth = await market.stop()
    assert [await end_of(producer) for producer in producers] == [0, 0]
    result = compare(truth, await ground.held(TRADES))
    feed = await ground.held(FEED)
    assert {trade["exchange"] for trade in result.lost} == set(BOTH), "both missed something when they were killed"
    assert unexplained(result.lost, feed) == []
    assert result.wrong == []
    assert result.out_of_order == []
    # What was heard before the last start but one is not doubted again.
    for gap in (one.event for one in feed if one.event.kind == "gap"):
        *_, before_last, _ = [us for us in began_us if us < gap.to_us - LATE_US]
        assert gap.from_us >= before_last - LATE_US


async def test_a_producer_on_a_fresh_kafka_writes_no_gap(ground, end_of):
    await ground.market(expect=0)
    producer = await ground.producer("upbit", UPBIT__CHANNELS="trade")
    await ground.until_more(50, "upbit")
    assert await end_of(producer) == 0
    assert [one for one in await ground.held(FEED) if one.event.kind == "gap"] == []


async def test_a_cut_connection_is_a_gap_and_a_new_connection(ground, compare, unexplained, end_of):
    market = await ground.market(rate=1500)
    producers = [await ground.producer(exchange) for exchange in BOTH]
    await ground.until_more(150)
    for fault in ("reset", "close"):
        for exchange in BOTH:
            await market.control("fault", fault=fault, exchange=exchange)
        await ground.until_more(300)
    truth = await market.stop()
    assert [await end_of(producer) for producer in producers] == [0, 0]
    result = compare(truth, await ground.held(TRADES))
    feed = await ground.held(FEED)
    assert unexplained(result.lost, feed) == []
    assert result.out_of_order == []
    assert {one.event.exchange for one in feed if one.event.kind == "gap"} == set(BOTH)


@pytest.mark.long
async def test_lines_that_drip_lose_nothing_while_they_stand_and_leave_a_gap_when_they_break(
    ground, compare, unexplained, end_of
):
    market = await ground.market(rate=1500)
    producers = [await ground.producer(exchange) for exchange in BOTH]
    await ground.until_more(150)
    for exchange in BOTH:
        await market.control("fault", fault="slow_drip", exchange=exchange, bytes_per_s=3000, seconds=2)
    await ground.until_more(1500)
    held = await ground.held(FEED)
    assert [one.event for one in held if one.event.kind == "gap"] == [], "the lines stood"
    for exchange in BOTH:
        await market.control("fault", fault="slow_drip", exchange=exchange, bytes_per_s=3000)
    await asyncio.sleep(2)
    for exchange in BOTH:
        await market.control("fault", fault="reset", exchange=exchange)
    await ground.until_more(300)
    truth = await market.stop()
    assert [await end_of(producer) for producer in producers] == [0, 0]
    result = compare(truth, await ground.held(TRADES))
    assert {trade["exchange"] for trade in result.lost} == set(BOTH), "what was still on its way is lost"
    assert unexplained(result.lost, await ground.held(FEED)) == []
    assert result.wrong == []
    assert result.out_of_order == []


@pytest.mark.long
@pytest.mark.parametrize("ahead_ms", [-90_000, 90_000])
async def test_a_gap_covers_what_was_missed_whatever_the_exchanges_clock_says(
    ground, compare, unexplained, end_of, ahead_ms
):
    market = await ground.market(rate=1500)
    producers = [await ground.producer(exchange) for exchange in BOTH]
    await ground.until_more(150)
    for exchange in BOTH:
        await market.control("fault", fault="clock_skew", exchange=exchange, ahead_ms=ahead_ms)
    await ground.until_more(300)
    for exchange in BOTH:
        await market.control("fault", fault="reset", exchange=exchange)
    await ground.until_more(300)
    truth = await market.stop()
    assert [await end_of(producer) for producer in producers] == [0, 0]
    result = compare(truth, await ground.held(TRADES))
    feed = await ground.held(FEED)
    assert unexplained(result.lost, feed) == []
    assert result.wrong == []
    assert result.out_of_order == []
    assert {one.event.exchange for one in feed if one.event.kind == "gap"} == set(BOTH)


@pytest.mark.long
async def test_a_symbol_that_is_listed_and_never_served_is_told(ground, end_of):
    await ground.market(expect=0)
    producer = await ground.producer("upbit", UPBIT__SYMBOLS="KRW-BTC,BTC-ETH", UPBIT__CHANNELS="trade")

    async def told():
        return any(one.event.kind == "degraded" for one in await ground.held(FEED))

    await ground.until(told)
    assert await end_of(producer) == 0
    [event] = [one.event for one in await ground.held(FEED) if one.event.kind == "degraded"]
    assert event.symbols == ["BTC-ETH"]
    assert event.reason == "nothing within 10 s of subscribing"


async def test_a_planned_cut_loses_nothing_and_is_no_gap(ground, compare, end_of):
    market = await ground.market(rate=1500)
    producers = [await ground.producer(name) for name in BOTH]
    await ground.until_more(150)
    await market.control("fault", fault="server_shutdown", seconds=6)
    connected = [one for one in await ground.held(FEED) if one.event.kind == "connected"]

    async def replaced():
        return len([one for one in await ground.held(FEED) if one.event.kind == "connected"]) >= len(connected) + 2

    await ground.until(replaced)
    await ground.until_more(200)
    truth = await market.stop()
    assert [await end_of(producer) for producer in producers] == [0, 0]
    result = compare(truth, await ground.held(TRADES))
    assert result.fine, (len(result.lost), result.wrong[:3], result.out_of_order)
    assert result.repeated > 0, "two connections overlapped"
    assert [one.event for one in await ground.held(FEED) if one.event.kind == "gap"] == []


@pytest.mark.long
@pytest.mark.parametrize("exchange", BOTH)
async def test_a_connection_is_replaced_before_the_exchange_would_cut_it(ground, compare, monkeypatch, exchange):
    adapter = ADAPTERS[exchange]
    monkeypatch.setattr(adapter, "conduct", replace(adapter.conduct, rotate_s=3.0))
    market = await ground.market(rate=1500, expect=18)
    chosen = {
        "TAPEWATCH_KAFKA__BOOTSTRAP_SERVERS": ground.kafka.bootstrap_servers,
        "TAPEWATCH_BINANCE__SYMBOLS": "quote:USDT",
        "TAPEWATCH_BINANCE__ORDERBOOK_SYMBOLS": "quote:USDT",
        "TAPEWATCH_UPBIT__ORDERBOOK_SYMBOLS": "quote:KRW",
    }
    settings, stop = load_settings(ground.environment | chosen), asyncio.Event()
    liveness = Liveness(time.monotonic, within_s=60, start_within_s=60)
    reading = asyncio.create_task(produce(exchange, Shard(), settings, stop, liveness))

    async def replaced_twice():
        if reading.done():
            reading.result()
        return len([one for one in await ground.held(FEED) if one.event.kind == "connected"]) >= 3 * 2

    await ground.until(replaced_twice)
    truth = [line for line in await market.stop() if line["exchange"] == exchange]
    stop.set()
    await reading
    result = compare(truth, await ground.held(TRADES))
    assert result.fine, (len(result.lost), result.wrong[:3], result.out_of_order)
    assert result.repeated > 0, "two connections overlapped"
    assert [one.event for one in await ground.held(FEED) if one.event.kind == "gap"] == []


async def test_a_producer_says_of_each_connection_of_trades_that_it_stands(ground, monkeypatch):
    monkeypatch.setattr(standing, "TELL_EVERY_S", 1.0)
    await ground.market(expect=0)
    chosen = {"TAPEWATCH_KAFKA__BOOTSTRAP_SERVERS": ground.kafka.bootstrap_servers}
    settings, stop = load_settings(ground.environment | chosen), asyncio.Event()
    liveness = Liveness(time.monotonic, within_s=60, start_within_s=60)
    reading = asyncio.create_task(produce("upbit", Shard(), settings, stop, liveness))

    async def said():
        if reading.done():
            reading.result()
        return [one.event for one in await ground.held(FEED) if one.event.reason == STANDS]

    await ground.until(said)
    stop.set()
    await reading
    first, *_ = await said()
    assert (first.kind, first.channel, first.connection) == ("connected", "trade", "upbit-0-trades-1")
    trades = [one.event for one in await ground.held(TRADES)]
    assert {trade.symbol for trade in trades} <= set(first.symbols)
    assert first.to_us <= max(trade.received_at_us for trade in trades)


@pytest.fixture
def impatient(monkeypatch):
    """Suspicions after seconds, and a question for each."""
    monkeypatch.setattr(stalls, "SHORTEST_S", 3.0)
    monkeypatch.setattr(stalls, "UNLIKELY", 5.0)
    monkeypatch.setattr(symbol_watch, "ASK_EVERY_S", 2.0)
    monkeypatch.setattr(symbol_watch, "SETTLE_S", 0.5)
    monkeypatch.setattr(feed_module, "_STALLS_AHEAD_US", 4_000_000)


QUIET = {"upbit": "KRW-XRP", "binance": "XRPUSDT"}
SILENT = {"upbit": "KRW-ETH", "binance": "ETHUSDT"}


@pytest.mark.long
@pytest.mark.parametrize("exchange", BOTH)
@pytest.mark.parametrize("fault", [{"fault": "stall_symbol"}, {"fault": "silence_symbol", "seconds": 15}])
@pytest.mark.usefixtures("impatient")
async def test_a_symbol_that_is_traded_and_not_heard_is_a_gap_and_a_new_connection_and_a_quiet_one_is_nothing(
    ground, compare, unexplained, exchange, fault
):
    market = await ground.market(rate=600, symbols=3, expect=3)
    chosen = {
        "TAPEWATCH_KAFKA__BOOTSTRAP_SERVERS": ground.kafka.bootstrap_servers,
        "TAPEWATCH_BINANCE__SYMBOLS": "quote:USDT",
        f"TAPEWATCH_{exchange.upper()}__CHANNELS": "trade",
    }
    settings, stop = load_settings(ground.environment | chosen), asyncio.Event()
    liveness = Liveness(time.monotonic, within_s=60, start_within_s=60)
    reading = asyncio.create_task(produce(exchange, Shard(), settings, stop, liveness))
    await ground.until_more(1_500, exchange)
    await market.control("list", exchange=exchange, symbol=QUIET[exchange], trading=False)
    await market.control("fault", exchange=exchange, symbol=SILENT[exchange], **fault)

    async def of_the_feed(kind):
        return [one.event for one in await ground.held(FEED) if one.event.kind == kind]

    async def is_heard_again():
        trades = [one.event for one in await ground.held(TRADES) if one.event.symbol == SILENT[exchange]]
        told = await of_the_feed("stalled")
        return bool(told) and max(trade.received_at_us for trade in trades) > told[-1].at_us + 6_000_000

    await ground.until(is_heard_again)
    truth = [line for line in await market.stop() if line["exchange"] == exchange]
    stop.set()
    await reading
    result = compare(truth, await ground.held(TRADES))
    assert {trade["symbol"] for trade in result.lost} == {SILENT[exchange]}
    assert unexplained(result.lost, await ground.held(FEED)) == []
    assert result.wrong == []
    assert result.out_of_order == []
    stalled, gaps = await of_the_feed("stalled"), await of_the_feed("gap")
    assert {tuple(event.symbols) for event in stalled} == {(SILENT[exchange],)}
    assert {tuple(gap.symbols) for gap in gaps} == {(SILENT[exchange],)}
    assert len(await of_the_feed("connected")) == 1 + len(stalled)


@pytest.mark.long
@pytest.mark.parametrize("exchange", BOTH)
@pytest.mark.usefixtures("impatient")
async def test_what_a_symbol_missed_before_its_connection_was_lost_is_a_gap_though_nobody_was_asked(
    ground, compare, unexplained, exchange, monkeypatch
):
    async def not_answered(*_):
        return False

    monkeypatch.setattr(symbol_watch, "ask", not_answered)
    market = await ground.market(rate=600, symbols=3, expect=3)
    chosen = {
        "TAPEWATCH_KAFKA__BOOTSTRAP_SERVERS": ground.kafka.bootstrap_servers,
        "TAPEWATCH_BINANCE__SYMBOLS": "quote:USDT",
        f"TAPEWATCH_{exchange.upper()}__CHANNELS": "trade",
    }
    settings, stop = load_settings(ground.environment | chosen), asyncio.Event()
    liveness = Liveness(time.monotonic, within_s=60, start_within_s=60)
    reading = asyncio.create_task(produce(exchange, Shard(), settings, stop, liveness))
    await ground.until_more(1_500, exchange)
    await market.control("fault", exchange=exchange, symbol=SILENT[exchange], fault="stall_symbol")
    await asyncio.sleep(10)  # long enough for the suspicion
    await market.control("fault", exchange=exchange, fault="reset")

    async def is_told():
        return any(one.event.reason == feed_module.SILENT_BEFORE for one in await ground.held(FEED))

    await ground.until(is_told)
    truth = [line for line in await market.stop() if line["exchange"] == exchange]
    stop.set()
    await reading
    result = compare(truth, await ground.held(TRADES))
    assert SILENT[exchange] in {trade["symbol"] for trade in result.lost}
    assert unexplained(result.lost, await ground.held(FEED)) == []


@pytest.fixture
async def own_kafka(data_directory):
    server = Server(Kafka(data_directory / "kafka"))
    await asyncio.to_thread(server.start)
    settings = KafkaSettings(bootstrap_servers=server.address)
    await create_topics(settings)
    yield server, settings
    await asyncio.to_thread(server.stop)


@pytest.mark.long
@pytest.mark.servers
@pytest.mark.timeout(120)
async def test_kafka_away_for_seconds_loses_nothing(own_kafka, field_on, compare, end_of):
    server, settings = own_kafka
    ground = await field_on(settings)
    market = await ground.market(rate=1500)
    producers = [await ground.producer(exchange) for exchange in BOTH]
    await ground.until_more(250)
    server.kill(signal.SIGSTOP)
    await asyncio.sleep(3)
    server.kill(signal.SIGCONT)
    await ground.until_more(250)
    server.kill()
    await asyncio.sleep(1)
    await asyncio.to_thread(server.restart)
    await ground.until_more(500)
    truth = await market.stop()
    assert [await end_of(producer) for producer in producers] == [0, 0]
    result = compare(truth, await ground.held(TRADES))
    assert result.fine, (len(result.lost), result.wrong[:3], result.out_of_order)
    assert [one.event for one in await ground.held(FEED) if one.event.kind == "gap"] == []


@pytest.mark.long
@pytest.mark.timeout(120)
async def test_kafka_away_for_longer_than_a_client_gets_loses_nothing(own_kafka, field_on, compare, monkeypatch):
    monkeypatch.setattr(progress, "_CLIENT_GETS_S", 3.0)
    server, settings = own_kafka
    ground = await field_on(settings)
    market = await ground.market(rate=300, expect=18)
    own = {
        "TAPEWATCH_KAFKA__BOOTSTRAP_SERVERS": settings.bootstrap_servers,
        "TAPEWATCH_UPBIT__ORDERBOOK_SYMBOLS": "quote:KRW",
    }
    chosen = load_settings(ground.environment | own)
    stop, liveness = asyncio.Event(), Liveness(time.monotonic, within_s=2, start_within_s=60)
    reading = asyncio.create_task(produce("upbit", Shard(), chosen, stop, liveness))
    await ground.until_more(100, "upbit")
    server.kill()
    await asyncio.to_thread(server.wait)
    while "Kafka is away, holding what comes" not in liveness.says:
        assert liveness.is_alive, liveness.says
        await asyncio.sleep(0.1)
    await asyncio.to_thread(server.start)
    await ground.until_more(100, "upbit")
    truth = [line for line in await market.stop() if line["exchange"] == "upbit"]
    stop.set()
    await reading
    result = compare(truth, await ground.held(TRADES))
    assert result.fine, (len(result.lost), result.wrong[:3], result.out_of_order)
    assert [one.event for one in await ground.held(FEED) if one.event.kind == "gap"] == []
