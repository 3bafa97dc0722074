"""The consumer as people run it: a process between a real Kafka and a real Redis."""

import asyncio
import json
import re
import signal
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions
from aiokafka.structs import TopicPartition

from services.consumer.refill import LIVE_S
from shared.events import Ticker
from shared.partitioning import partition_of, symbol_key
from shared.topics import DEAD_LETTERS, FEED, TICKERS, TRADES
from tests.faults.tcp_proxy import TcpProxy, Weather

Start = Callable[..., Any]


async def test_it_writes_the_tape_and_ends_well_when_told_to(
    tape: Any, cache: Any, start_consumer: Start, tmp_path: Path
) -> None:
    await tape.trades(600)
    process = start_consumer()
    await cache.until_holding(tape.published)
    await tape.trades(600)
    await cache.until_holding(tape.published)
    process.kill(signal.SIGTERM)

    assert await process.ended() == 0
    assert await cache.held() == tape.published
    assert [key async for key in cache.client.scan_iter("position:owner:*")] == []
    assert journalled(tmp_path / "journal") == await positions(cache)


def journalled(path: Path) -> dict[int, int]:
    """Where the journal's slices of each trades partition end; each begins where the one before ended."""
    ends: dict[int, int] = {}
    for line in path.read_text().splitlines():
        for topic, partition, first, after in json.loads(line)["slices"]:
            assert topic == TRADES.name
            assert ends.get(partition, 0) == first
            ends[partition] = after
    return ends


async def positions(cache: Any) -> dict[int, int]:
    """Where each partition of trades stands that is beyond its log's start."""
    stored = await cache.client.hgetall(f"position:{TRADES.name}")
    return {int(number): int(text.split()[0]) for number, text in stored.items() if text.split()[0] not in (b"-", b"0")}


async def test_a_thousand_messages_are_a_few_lines_and_what_is_about_a_batch_names_it(
    tape: Any, cache: Any, start_consumer: Start
) -> None:
    process = start_consumer()
    await process.until_said("consuming")
    for _ in range(100):
        await tape.trades(10)
    offset = await tape.raw(b"{")
    await cache.until_holding(tape.published)
    kept = await process.until_said("kept as dead letter")
    process.kill(signal.SIGTERM)
    assert await process.ended() == 0

    said = process.said()
    assert len(said) <= 12, [line["event"] for line in said]
    topic, partition, first = re.fullmatch(r"(.+)-(\d+)@(\d+)", kept["batch"]).groups()  # type: ignore[union-attr]
    assert topic == TRADES.name
    assert (kept["partition"], kept["offset"]) == (0, offset)
    assert partition != "0" or int(first) <= offset


async def test_its_positions_are_committed_for_lag_monitors(tape: Any, cache: Any, start_consumer: Start) -> None:
    await tape.trades(120)
    start_consumer()
    await cache.until_holding(tape.published)
    admin = AIOKafkaAdminClient(bootstrap_servers=tape.kafka.bootstrap_servers)
    await admin.start()
    try:
        committed: dict[int, int] = {}
        while committed != await positions(cache):
            offsets = await admin.list_consumer_group_offsets("tapewatch-redis")
            committed = {p.partition: at.offset for p, at in offsets.items() if p.topic == TRADES.name and at.offset}
    finally:
        await admin.close()


async def test_the_unreadable_are_kept_as_dead_letters_and_the_rest_goes_on(
    tape: Any, cache: Any, start_consumer: Start
) -> None:
    await tape.trades(300)
    offsets = [await tape.raw(b"{"), await tape.raw(b"{}", schema=None)]
    await tape.trades(300)
    start_consumer()
    await cache.until_holding(tape.published)

    letters = await tape.read(DEAD_LETTERS)
    assert [(letter.topic, letter.partition, letter.offset, letter.reader) for letter in letters] == [
        (TRADES.name, 0, offset, "consumer-redis") for offset in offsets
    ]
    assert await cache.held() == tape.published


async def test_a_flood_of_unreadable_records_stops_it_with_one_line(
    tape: Any, cache: Any, start_consumer: Start
) -> None:
    for _ in range(501):
        await tape.producer.send(TRADES.name, b"{", partition=0, headers=[("schema", b"trade/1")])
    await tape.producer.flush()
    process = start_consumer()

    assert await process.ended() == 1
    assert process.said()[-1]["event"].startswith(
        f"tapewatch consumer-redis: more than half of the last thousand records of {TRADES.name} could not be read"
    )
    assert await positions(cache) == {}


async def test_a_newer_schema_stops_it_with_one_line(tape: Any, cache: Any, start_consumer: Start) -> None:
    await tape.raw(b"{}", schema=b"trade/2")
    process = start_consumer()

    assert await process.ended() == 1
    line = "tapewatch consumer-redis: this program reads trade/1 and found trade/2: upgrade it first"
    assert process.said()[-1]["event"] == line
    assert await positions(cache) == {}


async def test_a_position_that_the_log_left_behind_is_told_and_no_gap_of_trades(
    tape: Any, cache: Any, start_consumer: Start
) -> None:
    await tape.trades(120)
    first = start_consumer()
    await cache.until_holding(tape.published)
    first.kill(signal.SIGTERM)
    await first.ended()
    before, position = await cache.held(), (await positions(cache))[0]
    await tape.trades(240)
    await tape.delete_before({TopicPartition(TRADES.name, 0): position + 10})
    await tape.trades(240)

    start_consumer()
    while sum(map(len, (await cache.held()).values())) < 590:
        pass

    (loss,) = await tape.read(FEED)
    assert (loss.kind, loss.exchange, loss.connection) == ("degraded", "*", f"{TRADES.name}/0@{position}")
    assert loss.reason == (
        f"consumer-redis: {TRADES.name} partition 0: "
        f"offsets {position} to {position + 9} were deleted before they were read"
    )
    held = await cache.held()
    for key, published in tape.published.items():
        assert held[key] == before[key] + published[len(before[key]) + len(published) - len(held[key]) :]


async def test_a_redis_that_lost_everything_is_filled_again(tape: Any, cache: Any, start_consumer: Start) -> None:
    await tape.trades(600)
    process = start_consumer()
    await cache.until_holding(tape.published)
    await cache.client.flushall()

    assert await process.ended() == 1
    assert "is 'gone', which this process did not leave there" in process.said()[-1]["event"]
    successor = start_consumer()
    await cache.until_holding(tape.published)
    assert await cache.held() == tape.published
    assert (await successor.until_said("the store remembers nothing"))["refill_s"] == 900


async def test_an_empty_redis_is_live_first(tape: Any, cache: Any, start_consumer: Start) -> None:
    await tape.trades(120)
    process = start_consumer(REDIS__REFILL="0")
    await process.until_said("consuming")
    before = {key: len(ids) for key, ids in tape.published.items()}
    await tape.trades(120)

    await holds_alone(cache, {key: ids[before[key] :] for key, ids in tape.published.items()})


@pytest.mark.parametrize("arguments", [(), ("--group", "sharers")], ids=["alone", "in a group"])
async def test_killed_after_its_first_batch_it_goes_on_where_every_partition_began(
    tape: Any, cache: Any, start_consumer: Start, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    await tape.trades(120)
    before = {key: len(ids) for key, ids in tape.published.items()}
    monkeypatch.setenv("FAILPOINT", "stored")
    killed = start_consumer(*arguments, REDIS__REFILL="0")
    await killed.until_said("consuming")
    await tape.trades(1)
    assert await killed.ended() == -signal.SIGKILL
    monkeypatch.delenv("FAILPOINT")
    await tape.trades(240)
    start_consumer(*arguments, REDIS__REFILL="0")

    await holds_alone(cache, {key: ids[before[key] :] for key, ids in tape.published.items()})


async def test_members_that_share_an_empty_redis_out_anew_go_on_where_every_partition_began(
    tape: Any, cache: Any, start_consumer: Start
) -> None:
    await tape.trades(120)
    before = {key: len(ids) for key, ids in tape.published.items()}
    first = start_consumer("--group", "sharers", REDIS__REFILL="0")
    await first.until_said("consuming")
    await tape.trades(1)
    second = start_consumer("--group", "sharers", REDIS__REFILL="0")
    await second.until_said("consuming")
    await tape.trades(240)

    await holds_alone(cache, {key: ids[before[key] :] for key, ids in tape.published.items()})


async def test_a_partition_that_an_emptied_redis_was_not_given_yet_is_not_read_from_the_logs_start(
    tape: Any, cache: Any, start_consumer: Start
) -> None:
    """As when it was given some by another member of a group, and the one who was to begin the rest is gone."""
    await tape.trades(120)
    first = start_consumer()
    await cache.until_holding(tape.published)
    first.kill(signal.SIGTERM)
    assert await first.ended() == 0
    number = min(await positions(cache))
    forgotten = [key for key in tape.published if partition_of(symbol_key(*key), TRADES.partitions) == number]
    await cache.client.hdel(f"position:{TRADES.name}", str(number))
    await cache.client.delete(*("trades:{}:{}".format(*key) for key in forgotten))
    second = start_consumer(REDIS__REFILL="0")
    await second.until_said("consuming")
    await tape.trades(120)

    expected = {key: ids[10 if key in forgotten else 0 :] for key, ids in tape.published.items()}
    await holds_alone(cache, expected)


async def holds_alone(cache: Any, expected: Any) -> None:
    """Wait until these trades are there, by symbol, and see that no other is."""
    await cache.until_holding(expected)
    assert await cache.held() == expected


def ticker(symbol: str, event_at_us: int) -> Ticker:
    numbers = dict.fromkeys(("price", "open", "high", "low", "volume_24h", "turnover_24h"), "100.5")
    times = {"event_at_us": event_at_us, "received_at_us": event_at_us}
    return Ticker(exchange="upbit", symbol=symbol, base=symbol, quote="KRW", window="utc_day", **numbers, **times)


async def send_every_moment(tape: Any, symbol: str, moment_s: float = 0.3) -> None:
    for event_at_us in range(2, 10_000):
        await tape.send(ticker(symbol, event_at_us), TICKERS)
        await asyncio.sleep(moment_s)


@pytest.mark.timeout(120)
async def test_an_empty_redis_has_live_prices_before_its_trades_and_the_quiet_ones_in_the_end(
    tape: Any, cache: Any, start_consumer: Start, tmp_path: Path
) -> None:
    """A backlog of trades and one old ticker of a quiet market, while another market goes on."""
    await tape.trades(12_000)
    await tape.send(ticker("QUIET", 1), TICKERS)
    await tape.producer.flush()
    await asyncio.sleep(LIVE_S + 0.5)  # by then the broker's stamp is older than what is live
    living = asyncio.create_task(send_every_moment(tape, "LIVE"))
    await asyncio.sleep(0.5)
    start_consumer()
    await cache.until_holding(tape.published)
    await cache.until_there("ticker:upbit:QUIET", "ticker:upbit:LIVE")
    living.cancel()

    assert await cache.held() == tape.published
    slices = [json.loads(line)["slices"] for line in (tmp_path / "journal").read_text().splitlines()]
    trades = [n for n, of_batch in enumerate(slices) if any(topic == TRADES.name for topic, *_ in of_batch)]
    live = [
        n for n, of_batch in enumerate(slices) if any(topic == TICKERS.name and a < b for topic, _, a, b in of_batch)
    ]
    assert live[0] < trades[len(trades) // 2]
    stored = await cache.client.hgetall(f"position:{TICKERS.name}")
    assert stored[str(partition_of("upbit:QUIET", TICKERS.partitions)).encode()].split()[0] == b"1"


@pytest.mark.timeout(120)
async def test_an_empty_redis_stays_live_while_it_is_filled_again(
    tape: Any, cache: Any, start_consumer: Start, tmp_path: Path
) -> None:
    """Many old tickers are read beside the loop, and a market that goes on does not wait for all of them.

    Redis is some way off, so that the market goes on while anything is written.
    """
    for number in range(20_000):
        await tape.send(ticker(f"QUIET{number % 50}", 1 + number), TICKERS)
    await tape.producer.flush()
    await asyncio.sleep(LIVE_S + 0.5)
    living = asyncio.create_task(send_every_moment(tape, "LIVE", 0.01))
    near = urlsplit(cache.settings.url.get_secret_value())
    async with TcpProxy(near.port or 6379) as far:
        far.weather = Weather(latency_s=0.04)
        login = near.netloc.rpartition("@")[0]
        process = start_consumer(REDIS__URL=near._replace(netloc=f"{login}@{far.address}").geturl())
        newest = {f"ticker:upbit:QUIET{number % 50}": b"%d" % (1 + number) for number in range(19_950, 20_000)}
        await cache.until_newest(newest)
        living.cancel()
        process.kill(signal.SIGKILL)

    slices = [json.loads(line)["slices"] for line in (tmp_path / "journal").read_text().splitlines()]
    older = [n for n, of_batch in enumerate(slices) if all(a == b for *_, a, b in of_batch)]
    assert len(older) > 10
    assert len(set(range(older[0], older[-1])) - set(older)) > len(older) // 4


async def test_topics_made_anew_go_on_behind_the_old_entries(tape: Any, cache: Any, start_consumer: Start) -> None:
    await tape.trades(300)
    first = start_consumer()
    await cache.until_holding(tape.published)
    first.kill(signal.SIGTERM)
    await first.ended()
    await tape.make_anew()
    await tape.trades(60)

    start_consumer(REDIS__REFILL="0")  # the store is not empty: nothing of the new log is left out
    await cache.until_holding(tape.published)
    assert await cache.held() == tape.published


async def test_a_topic_made_anew_while_it_runs_is_noticed_and_read_from_its_start(
    tape: Any, cache: Any, start_consumer: Start
) -> None:
    """The new log is longer than the old one when it is noticed, so that the position alone says nothing."""
    await tape.trades(60)
    first = start_consumer()
    await cache.until_holding(tape.published)
    await tape.make_anew()
    await tape.trades(600)

    assert await first.ended() == 1
    assert first.said()[-1]["event"].endswith("a topic was deleted or made anew: starting over")
    second = start_consumer()
    await second.until_said("consuming")
    await tape.trades(60)
    await tape.until_committed("tapewatch-redis")
    assert await cache.held() == tape.published
    assert {text.split()[1] for text in (await cache.client.hgetall(f"position:{TRADES.name}")).values()} == {b"2"}


async def test_partitions_that_somebody_adds_end_it_before_order_breaks(
    tape: Any, cache: Any, start_consumer: Start
) -> None:
    process = start_consumer()
    await tape.trades(300)
    await cache.until_holding(tape.published)
    admin = AIOKafkaAdminClient(bootstrap_servers=tape.kafka.bootstrap_servers)
    await admin.start()
    await admin.create_partitions({TRADES.name: NewPartitions(TRADES.partitions + 4)})
    await admin.close()
    await tape.trades(300)

    refusal = "topic tape.trades.v1 has 12 partitions and must have 8: order would break"
    for one in (process, start_consumer()):
        assert await one.ended() == 2
        assert refusal in one.said()[-1]["event"]
    held = await cache.held()
    assert {key: ids[: len(held[key])] for key, ids in tape.published.items()} == held
    await tape.make_anew()  # partitions are never taken away again


async def test_what_is_away_at_the_start_is_told_in_one_line(
    tape: Any, cache: Any, start_consumer: Start, unused_tcp_port: int
) -> None:
    away = f"127.0.0.1:{unused_tcp_port}"
    without_kafka = start_consumer(KAFKA__BOOTSTRAP_SERVERS=away)
    without_redis = start_consumer(REDIS__URL=f"redis://{away}/0")

    assert (await without_kafka.ended(), await without_redis.ended()) == (3, 3)
    assert without_kafka.said()[-1]["event"].startswith("tapewatch consumer-redis: Kafka did not answer within 1 s")
    assert without_redis.said()[-1]["event"].startswith(f"tapewatch consumer-redis: Redis at redis://{away}/0 did not")


async def test_missing_topics_are_told_with_the_remedy(tape: Any, cache: Any, start_consumer: Start) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=tape.kafka.bootstrap_servers)
    await admin.start()
    await admin.delete_topics([TRADES.name])
    await admin.close()
    process = start_consumer()

    assert await process.ended() == 3
    assert process.said()[-1]["event"].endswith("tape.trades.v1 is not there after 1 s: run `tapewatch topics create`")


@pytest.mark.long
@pytest.mark.timeout(120)
async def test_a_kafka_that_is_silent_for_as_long_as_a_restart_takes_ends_nobody(
    tape: Any, cache: Any, start_consumer: Start, kafka_frozen: Callable[[], AbstractContextManager[None]],
    kafka_listed: Callable[[], Awaitable[None]],
) -> None:  # fmt: skip
    process = start_consumer(LIVENESS__WITHIN_S="10")
    await tape.trades(60)
    await cache.until_holding(tape.published)
    with kafka_frozen():
        await asyncio.sleep(18)
        assert process.running
    await kafka_listed()
    await tape.trades(60)
    await cache.until_holding(tape.published)
    assert process.running
