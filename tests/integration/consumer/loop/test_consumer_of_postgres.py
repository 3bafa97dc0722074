"""Kills of the consumer and of PostgreSQL itself under load: afterwards every trade is there once, candles exact."""

import asyncio
import random
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiokafka.structs import TopicPartition
from pydantic import SecretStr

from devstack.postgres_server import Postgres
from devstack.server import Server
from services.cli.demo.database import create_user
from services.consumer.gaps import LATE_US
from services.consumer.migrate import migrate
from services.reconcile.gaps import Gap, Gaps
from shared.partitioning import partition_of, symbol_key
from shared.settings import PostgresSettings
from shared.topics import FEED, TRADES

RECOMPUTED = """
SELECT instrument_id, date_trunc('minute', traded_at), (array_agg(price ORDER BY traded_at, trade_id))[1], max(price),
    min(price), (array_agg(price ORDER BY traded_at DESC, trade_id DESC))[1], sum(quantity), sum(price * quantity),
    count(*)
FROM trade GROUP BY 1, 2 ORDER BY 1, 2
"""
KEPT = """
SELECT instrument_id, opened_at, open, high, low, close, volume, turnover, trades FROM candle_1m ORDER BY 1, 2
"""

GAPS = """
SELECT exchange, symbols, (extract(epoch FROM from_at) * 1000000)::bigint, (extract(epoch FROM to_at) * 1000000)::bigint
FROM gap WHERE reason LIKE '%tape.trades.v1 was made anew%'
"""
TWO_POSITIONS = """
SELECT partition, next_offset FROM sink_position WHERE topic = 'tape.trades.v1' AND next_offset > 0 ORDER BY 1 LIMIT 2
"""
AT_US = 1_790_000_000_000_000


class Store:
    """A PostgreSQL of this test alone, which it may kill."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.settings = PostgresSettings(dsn=SecretStr(server.address))
        self.writer_dsn = ""

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        """The query's rows, in a session of its own."""
        session = await asyncpg.connect(self.server.address)
        try:
            return [tuple(row.values()) for row in await session.fetch(query)]
        finally:
            await session.close()

    async def held(self) -> dict[tuple[str, str], list[int]]:
        """Trade ids by symbol, as they rise."""
        found: dict[tuple[str, str], list[int]] = {}
        query = "SELECT exchange, symbol, trade_id::bigint FROM trade_tape ORDER BY 3"
        for exchange, symbol, trade_id in await self.rows(query):
            found.setdefault((exchange, symbol), []).append(trade_id)
        return found

    async def until_holding(self, expected: dict[tuple[str, str], list[int]]) -> None:
        """Return once as many trades are there as expected; the comparison of which is the test's."""
        wanted = sum(map(len, expected.values()))
        held = 0
        while held < wanted:
            await asyncio.sleep(0.05)
            ((held,),) = await self.rows("SELECT count(*) FROM trade")


@pytest.fixture
async def store(data_directory: Path) -> AsyncIterator[Store]:
    server = Server(Postgres(data_directory / "postgres"))
    await asyncio.to_thread(server.start)
    store = Store(server)
    await asyncio.to_thread(migrate, store.settings, 5)
    await create_user(store.settings, "writer", data_directory / "writer.dsn")
    store.writer_dsn = (data_directory / "writer.dsn").read_text(encoding="utf-8")
    yield store
    await asyncio.to_thread(server.stop)


@pytest.fixture
def start_postgres_consumer(start_consumer: Callable[..., Any], store: Store) -> Callable[[], Any]:
    def start() -> Any:
        return start_consumer(sink="postgres", POSTGRES__DSN=store.writer_dsn, START__WAIT_S="20")

    return start


class Supervised:
    """A consumer that is started again whenever it ends, as a supervisor would."""

    def __init__(self, start: Callable[[], Any]) -> None:
        self._start = start
        self.ends: list[int] = []

    async def __aenter__(self) -> "Supervised":
        self.process = self._start()
        self._task = asyncio.create_task(self._again())
        return self

    async def _again(self) -> None:
        while True:
            self.ends.append(await self.process.ended())
            self.process = self._start()

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])
        self.process.kill()
        await self.process.ended()


async def publish(tape: Any) -> None:
    while True:
        await tape.trades(40)
        await asyncio.sleep(0.01)


@pytest.mark.long
@pytest.mark.timeout(120)
async def test_killed_at_random_moments_nothing_is_lost_or_doubled(
    tape: Any, store: Store, start_postgres_consumer: Callable[[], Any]
) -> None:
    publishing = asyncio.create_task(publish(tape))
    kills = 6
    async with Supervised(start_postgres_consumer) as supervised:
        for turn in range(kills):
            await supervised.process.until_said("consuming")
            await asyncio.sleep(random.uniform(0, 0.6))
            if turn % 3 == 2:
                await asyncio.to_thread(store.server.kill, signal.SIGKILL)
                await asyncio.to_thread(store.server.restart)
            else:
                supervised.process.kill()
            await asyncio.sleep(0.1)
        publishing.cancel()
        await asyncio.wait([publishing])
        await tape.producer.flush()
        await store.until_holding(tape.published)

    assert len(supervised.ends) >= kills
    assert await store.held() == tape.published
    assert await store.rows(KEPT) == await store.rows(RECOMPUTED)


async def test_a_second_copy_takes_over_from_a_killed_one(
    tape: Any, store: Store, start_postgres_consumer: Callable[[], Any]
) -> None:
    first = start_postgres_consumer()
    await first.until_said("consuming")
    second = start_postgres_consumer()
    await second.until_said("standby: another copy owns partitions of this shard")
    await tape.trades(600)
    first.kill()
    await second.until_said("took over from the other copy")
    await tape.trades(600)
    await store.until_holding(tape.published)

    assert await store.held() == tape.published
    second.kill(signal.SIGTERM)
    assert await second.ended() == 0


@pytest.mark.timeout(120)
async def test_topics_made_anew_and_a_database_of_yesterday_are_a_gap_of_every_market(
    tape: Any, store: Store, start_postgres_consumer: Callable[[], Any]
) -> None:
    async def stored_and_stopped() -> dict[tuple[str, str], list[int]]:
        consumer = start_postgres_consumer()
        await tape.trades(600)
        await store.until_holding(tape.published)
        consumer.kill(signal.SIGTERM)
        assert await consumer.ended() == 0
        await asyncio.to_thread(store.server.stop)
        return {market: list(ids) for market, ids in tape.published.items()}

    data, back_up = store.server.recipe.root / "data", store.server.recipe.root / "back-up"
    yesterday = await stored_and_stopped()
    await asyncio.to_thread(subprocess.run, ["cp", "-a", data, back_up], check=True)
    await asyncio.to_thread(store.server.start)
    lost = {market: ids[len(yesterday[market]) :] for market, ids in (await stored_and_stopped()).items()}
    shutil.rmtree(data)
    back_up.rename(data)
    await asyncio.to_thread(store.server.start)
    await tape.make_anew()
    await tape.trades(600)
    consumer = start_postgres_consumer()
    held = {market: [i for i in ids if i not in lost[market]] for market, ids in tape.published.items()}
    await store.until_holding(held)

    assert await store.held() == held
    gaps = await store.rows(GAPS)
    spans = {(exchange, symbols[0]): (first, last) for exchange, symbols, first, last in gaps if symbols}
    assert spans == {
        market: (AT_US + yesterday[market][-1], AT_US + tape.published[market][len(yesterday[market] + ids)])
        for market, ids in lost.items()
    }
    ((_, _, first, last),) = [gap for gap in gaps if gap[0] == "*"]
    assert first <= AT_US + 600 < last
    assert (await consumer.until_said("gap: a topic was made anew"))["topic"] == TRADES.name


async def test_a_database_restored_from_a_back_up_is_told_and_has_all_in_the_end(
    tape: Any, store: Store, start_postgres_consumer: Callable[[], Any]
) -> None:
    async def stored_and_stopped() -> None:
        consumer = start_postgres_consumer()
        await tape.trades(600)
        await store.until_holding(tape.published)
        await tape.until_committed("tapewatch-postgres")
        consumer.kill(signal.SIGTERM)
        assert await consumer.ended() == 0
        await asyncio.to_thread(store.server.stop)

    data, back_up = store.server.recipe.root / "data", store.server.recipe.root / "back-up"
    await stored_and_stopped()
    await asyncio.to_thread(subprocess.run, ["cp", "-a", data, back_up], check=True)
    await asyncio.to_thread(store.server.start)
    await stored_and_stopped()
    shutil.rmtree(data)
    back_up.rename(data)
    await asyncio.to_thread(store.server.start)
    assert len(await store.rows("SELECT FROM trade")) == 600
    consumer = start_postgres_consumer()
    await store.until_holding(tape.published)

    assert await store.held() == tape.published
    assert await store.rows(KEPT) == await store.rows(RECOMPUTED)
    assert (await consumer.until_said("the store went back"))["level"] == "warning"
    told = [event for event in await tape.read(FEED) if event.kind == "degraded"]
    assert "records before what it had acknowledged" in told[0].reason
    assert len(told) == 1


async def first_ten_deleted(tape: Any, partitions: tuple[int, ...]) -> None:
    await tape.delete_before({TopicPartition(TRADES.name, number): 10 for number in partitions})


async def losses(store: Store, count: int) -> list[tuple[Any, ...]]:
    """The rows that tell of deleted records, once there are as many."""
    rows: list[tuple[Any, ...]] = []
    while len(rows) < count:
        await asyncio.sleep(0.05)
        rows = await store.rows("SELECT connection, channel, from_at, reason FROM gap ORDER BY 1")
    return rows


async def test_a_database_that_was_emptied_is_told_with_what_kafka_has_no_more(
    tape: Any, store: Store, start_postgres_consumer: Callable[[], Any]
) -> None:
    data, new = store.server.recipe.root / "data", store.server.recipe.root / "new"
    await asyncio.to_thread(store.server.stop)
    await asyncio.to_thread(subprocess.run, ["cp", "-a", data, new], check=True)
    await asyncio.to_thread(store.server.start)
    consumer = start_postgres_consumer()
    await tape.trades(240)
    await store.until_holding(tape.published)
    await tape.until_committed("tapewatch-postgres")
    consumer.kill(signal.SIGTERM)
    assert await consumer.ended() == 0
    reached = dict(await store.rows(TWO_POSITIONS))
    await first_ten_deleted(tape, tuple(reached))
    await asyncio.to_thread(store.server.stop)
    shutil.rmtree(data)
    new.rename(data)
    await asyncio.to_thread(store.server.start)
    consumer = start_postgres_consumer()
    await consumer.until_said("the store went back")

    for (number, offset), row in zip(reached.items(), await losses(store, 2), strict=True):
        assert row[:3] == (f"{TRADES.name}/{number}@{offset}", "trade", None)
        assert (
            f"partition {number}: the store remembers nothing, though its consumer had come to offset {offset};"
            in row[3]
        )
    (told,) = [event.reason for event in await tape.read(FEED) if event.kind == "degraded"]
    assert "it was emptied, restored from a back-up, or lost its last writes" in told


async def test_what_is_deleted_before_a_partition_has_its_first_record_in_the_store_is_a_row(
    tape: Any, store: Store, start_postgres_consumer: Callable[[], Any]
) -> None:
    consumer = start_postgres_consumer()
    await consumer.until_said("consuming")
    consumer.kill()
    await consumer.ended()
    await tape.trades(240)
    partition = partition_of(symbol_key("upbit", "S0"), TRADES.partitions)
    await first_ten_deleted(tape, (partition,))
    start_postgres_consumer()

    ((connection, channel, _, reason),) = await losses(store, 1)
    assert (connection, channel) == (f"{TRADES.name}/{partition}@0", "trade")
    assert f"partition {partition}: offsets 0 to 9 were deleted before they were read" in reason


async def test_a_new_database_beside_an_old_kafka_has_lost_nothing(
    tape: Any, store: Store, start_postgres_consumer: Callable[[], Any]
) -> None:
    await tape.trades(240)
    partition = partition_of(symbol_key("upbit", "S0"), TRADES.partitions)
    await first_ten_deleted(tape, (partition,))
    consumer = start_postgres_consumer()
    new = await consumer.until_said("the store is new, and lacks what Kafka had deleted before")
    await tape.until_committed("tapewatch-postgres")

    assert new["partitions"] == 1
    assert [event for event in await tape.read(FEED) if event.kind in ("gap", "degraded")] == []
    assert await store.rows("SELECT FROM gap") == []


async def test_what_kafka_deleted_unread_is_a_row_of_each_partition_and_excuses_nothing_before(
    tape: Any, store: Store, cache: Any, start_consumer: Callable[..., Any], start_postgres_consumer: Callable[[], Any]
) -> None:
    await tape.trades(120)
    consumers = [start_postgres_consumer(), start_consumer()]
    await store.until_holding(tape.published)
    await cache.until_holding(tape.published)
    for consumer in consumers:
        consumer.kill(signal.SIGTERM)
        assert await consumer.ended() == 0
    lost = dict(await store.rows(TWO_POSITIONS))
    await tape.trades(240)
    await tape.delete_before({TopicPartition(TRADES.name, number): offset + 10 for number, offset in lost.items()})
    for consumer in (start_consumer(), start_postgres_consumer()):  # the first one's words come before the other's
        await consumer.until_said("consuming")
        assert sum("gap" in line["event"] for line in consumer.said()) == 2
    rows: list[Any] = []
    while len(rows) < 2:
        rows = await store.rows("SELECT connection, channel, from_at, to_at, reason FROM gap ORDER BY 1")

    for (number, offset), (connection, channel, from_at, to_at, reason) in zip(lost.items(), rows, strict=True):
        assert (connection, channel) == (f"{TRADES.name}/{number}@{offset}", "trade")
        assert f"partition {number}: offsets {offset} to {offset + 9} were deleted" in reason
        markets = [key for key in tape.published if partition_of(symbol_key(*key), TRADES.partitions) == number]
        newest_us = AT_US + max(tape.published[key][9] for key in markets)
        gaps = Gaps([Gap("*", "trade", None, micros(from_at), micros(to_at))])
        assert micros(from_at) == newest_us - LATE_US
        assert gaps.explain("upbit", "trade", "S0", newest_us + 1)
        assert not gaps.explain("upbit", "trade", "S0", newest_us - LATE_US - 1)


def micros(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


async def test_told_to_stop_while_standing_by_it_ends_well(
    tape: Any, store: Store, start_postgres_consumer: Callable[[], Any]
) -> None:
    first = start_postgres_consumer()
    await first.until_said("consuming")
    second = start_postgres_consumer()
    await second.until_said("standby: another copy owns partitions of this shard")
    second.kill(signal.SIGTERM)
    assert await second.ended() == 0
    assert first.running
