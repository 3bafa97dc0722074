"""Kills, outages and cuts: what may be missing lies in a gap, and nothing else is missing."""

import asyncio
import signal

import pytest

from devstack.kafka_server import Kafka
from devstack.server import Server
from shared.kafka import create_topics
from shared.settings import KafkaSettings
from shared.topics import FEED, TRADES


@pytest.mark.parametrize("exchange", ["upbit", "binance"])
async def test_a_killed_producer_leaves_nothing_missing_outside_a_gap(ground, compare, unexplained, end_of, exchange):
    market = await ground.market(rate=1500, expect=12, symbols=6)
    only_trades = {"UPBIT__CHANNELS": "trade", "BINANCE__CHANNELS": "trade"}
    other = await ground.producer("binance" if exchange == "upbit" else "upbit", **only_trades)
    for _ in range(3):
        producer = await ground.producer(exchange, **only_trades)
        await ground.until_more(100, exchange)
        assert await end_of(producer, signal.SIGKILL) == -signal.SIGKILL
    producer = await ground.producer(exchange, **only_trades)
    await ground.until_more(200, exchange)
    truth = await market.stop()
    assert [await end_of(process) for process in (producer, other)] == [0, 0]
    result = compare(truth, await ground.held(TRADES))
    feed = await ground.held(FEED)
    assert result.lost, "a producer that was killed three times missed something"
    assert unexplained(result.lost, feed) == []
    assert result.wrong == []
    assert result.out_of_order == []
    gaps = [one.event for one in feed if one.event.kind == "gap"]
    assert {gap.exchange for gap in gaps} == {exchange}
    # The gaps are about as long as the absences, not as long as the run.
    assert all(gap.to_us - gap.from_us < 15_000_000 for gap in gaps)


async def test_a_producer_on_a_fresh_kafka_writes_no_gap(ground, end_of):
    await ground.market(expect=0)
    producer = await ground.producer("upbit", UPBIT__CHANNELS="trade")
    await ground.until_more(50, "upbit")
    assert await end_of(producer) == 0
    assert [one for one in await ground.held(FEED) if one.event.kind == "gap"] == []


@pytest.mark.parametrize("exchange", ["upbit", "binance"])
async def test_a_cut_connection_is_a_gap_and_a_new_connection(ground, compare, unexplained, end_of, exchange):
    market = await ground.market(rate=1500)
    producers = [await ground.producer(name) for name in ("upbit", "binance")]
    await ground.until_more(150)
    for fault in ("reset", "close"):
        await market.control("fault", fault=fault, exchange=exchange)
        await ground.until_more(300)
    truth = await market.stop()
    assert [await end_of(producer) for producer in producers] == [0, 0]
    result = compare(truth, await ground.held(TRADES))
    feed = await ground.held(FEED)
    assert unexplained(result.lost, feed) == []
    assert result.out_of_order == []
    assert {one.event.exchange for one in feed if one.event.kind == "gap"} == {exchange}


async def test_a_planned_cut_loses_nothing_and_is_no_gap(ground, compare, end_of):
    market = await ground.market(rate=1500)
    producers = [await ground.producer(name) for name in ("upbit", "binance")]
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


@pytest.fixture
async def own_kafka(data_directory):
    server = Server(Kafka(data_directory / "kafka"))
    await asyncio.to_thread(server.start)
    settings = KafkaSettings(bootstrap_servers=server.address)
    await create_topics(settings)
    yield server, settings
    await asyncio.to_thread(server.stop)


@pytest.mark.servers
@pytest.mark.parametrize("way", ["stopped", "killed"])
async def test_kafka_away_for_seconds_loses_nothing(own_kafka, field_on, compare, end_of, way):
    server, settings = own_kafka
    ground = await field_on(settings)
    market = await ground.market(rate=1500)
    producers = [await ground.producer(name) for name in ("upbit", "binance")]
    await ground.until_more(250)
    if way == "stopped":
        server.kill(signal.SIGSTOP)
        await asyncio.sleep(4)
        server.kill(signal.SIGCONT)
    else:
        server.kill()
        await asyncio.sleep(1)
        await asyncio.to_thread(server.restart)
    await ground.until_more(500)
    truth = await market.stop()
    assert [await end_of(producer) for producer in producers] == [0, 0]
    result = compare(truth, await ground.held(TRADES))
    assert result.fine, (len(result.lost), result.wrong[:3], result.out_of_order)
    assert [one.event for one in await ground.held(FEED) if one.event.kind == "gap"] == []
