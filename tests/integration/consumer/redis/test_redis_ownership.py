"""Two copies of the sink: one writes, the other stands by, and neither can harm what the other wrote."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from aiokafka.structs import TopicPartition

from services.consumer.batch import Batch
from services.consumer.sinks import redis_sink
from services.consumer.sinks.base import PositionMoved
from services.consumer.sinks.redis_connection import Connection, Script
from services.consumer.sinks.redis_sink import LEASE_MS
from shared.events import Trade
from shared.metrics import STANDBY
from shared.topics import TRADES

MakeBatch = Callable[..., Batch]
MakeTrade = Callable[..., Trade]
P0, P1 = TopicPartition(TRADES.name, 0), TopicPartition(TRADES.name, 1)


def is_standing_by() -> bool:
    return STANDBY.labels(reader="redis")._value.get() == 1


async def until_standing_by(opening: "asyncio.Task[Any]") -> None:
    while not is_standing_by():
        assert not opening.done()
        await asyncio.sleep(0.01)


async def owners(cache: Any) -> list[bytes]:
    return [key async for key in cache.client.scan_iter("position:owner:*")]


async def test_a_second_copy_stands_by_until_the_first_gives_up(
    cache: Any, make_batch: MakeBatch, make_trade: MakeTrade
) -> None:
    first = await cache.opened()
    await first.write(make_batch([make_trade(1)]))
    second = cache.sink()
    opening = asyncio.create_task(second.open({P0: "first"}))
    await until_standing_by(opening)

    await first.write(make_batch([make_trade(2)], first=1))
    assert not opening.done()
    await first.close()

    assert await opening == {P0: 2}
    assert not is_standing_by()
    await second.write(make_batch([make_trade(3)], first=2))
    assert await cache.trade_ids() == [1, 2, 3]


async def test_refreshing_keeps_an_idle_owner_alive_beyond_its_lease(cache: Any) -> None:
    first = await cache.opened()
    opening = asyncio.create_task(cache.sink().open({P0: "first"}))
    for _ in range(6):
        await asyncio.sleep(LEASE_MS / 4000)
        await first.refresh()

    assert is_standing_by()
    assert not opening.done()
    opening.cancel()


async def test_a_silent_owner_is_replaced_and_cannot_write_any_more(
    cache: Any, make_batch: MakeBatch, make_trade: MakeTrade
) -> None:
    silent = await cache.opened()
    await silent.write(make_batch([make_trade(1)]))

    second = await cache.opened()

    with pytest.raises(PositionMoved):
        await silent.write(make_batch([make_trade(2)], first=1))
    with pytest.raises(PositionMoved):
        await silent.refresh()
    await second.write(make_batch([make_trade(2)], first=1))
    assert await cache.trade_ids() == [1, 2]


async def test_a_silent_owner_that_nobody_replaced_goes_on(
    cache: Any, make_batch: MakeBatch, make_trade: MakeTrade
) -> None:
    sink = await cache.opened()
    await sink.write(make_batch([make_trade(1)]))
    while await owners(cache):  # noqa: ASYNC110  Redis tells nobody
        await asyncio.sleep(0.05)

    await sink.write(make_batch([make_trade(2)], first=1))

    assert await cache.trade_ids() == [1, 2]


async def test_an_owner_that_has_yet_to_begin_reading_is_kept_alive(cache: Any, make_batch: MakeBatch) -> None:
    sink = await cache.opened()
    await sink.write(make_batch([]))  # where the partition begins
    (owner,) = await owners(cache)
    taken_ms = left_ms = await cache.client.pttl(owner)
    while left_ms <= taken_ms:  # it only falls, unless somebody renews it
        await asyncio.sleep(0.01)
        taken_ms, left_ms = left_ms, await cache.client.pttl(owner)
        assert left_ms > 0, "the lease ended before the first record"


async def test_an_owner_that_hangs_before_it_begins_reading_is_replaced(
    cache: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_sink, "_MOST_RENEWALS", 0)
    await cache.opened()

    assert await cache.sink().open({P0: "first"}) == {P0: None}


async def test_an_owner_that_remembers_many_symbols_is_kept_alive_meanwhile(
    cache: Any, make_batch: MakeBatch, make_trade: MakeTrade, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink, lives = await cache.opened(), []
    run = Connection.run

    async def slow(self: Connection, script: Script, argument: Any) -> Any:
        if script is redis_sink._TAIL:  # as if reading them had taken longer than the lease lasts
            lives.append(len(await owners(cache)))
            await cache.client.delete(*await owners(cache))
        return await run(self, script, argument)

    monkeypatch.setattr(redis_sink, "_RENEW_S", 0)
    monkeypatch.setattr(Connection, "run", slow)
    await sink.write(make_batch([make_trade(i, symbol=f"S{i}") for i in range(20)]))

    assert lives == [1, 1, 1]


async def test_giving_up_frees_at_once_and_leaves_the_position(
    cache: Any, make_batch: MakeBatch, make_trade: MakeTrade
) -> None:
    sink = await cache.opened()
    await sink.write(make_batch([make_trade(1)]))
    await sink.close()

    assert await owners(cache) == []
    assert await cache.position() == "1 1 first"


async def test_copies_that_share_one_partition_take_all_of_theirs_or_none(cache: Any) -> None:
    first = await cache.opened(P0)
    opening = asyncio.create_task(cache.sink().open({P1: "first", P0: "first"}))
    await until_standing_by(opening)

    assert await cache.position(P1) == ""

    await first.close()
    assert await opening == {P1: None, P0: None}


async def test_shards_do_not_disturb_each_other(cache: Any, make_batch: MakeBatch, make_trade: MakeTrade) -> None:
    first, second = await cache.opened(P0), await cache.opened(P1)

    await first.write(make_batch([make_trade(1)]))
    await second.write(make_batch([make_trade(1, symbol="ETHUSDT")], partition=1))

    assert (await cache.trade_ids(), await cache.trade_ids("ETHUSDT")) == ([1], [1])
