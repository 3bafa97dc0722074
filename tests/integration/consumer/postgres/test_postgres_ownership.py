"""Two copies of a sink: one writes, one stands by, and neither harms what the other wrote."""

import asyncio

import asyncpg
import pytest
from aiokafka.structs import TopicPartition
from prometheus_client import REGISTRY

from services.consumer.sinks.base import PositionMoved
from shared.topics import TRADES

AT = TopicPartition(TRADES.name, 0)
OTHER = TopicPartition(TRADES.name, 1)
HANGS_S = 30
CUT = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, ConnectionError)
KILL = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1"


def standing_by():
    return REGISTRY.get_sample_value("tapewatch_standby", {"reader": "postgres"}) == 1


async def until(condition):
    for _ in range(100 * HANGS_S):
        if condition():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it did not come")


async def opening(record, *partitions):
    """A second copy, proven to stand by."""
    sink = record.sink()
    task = asyncio.create_task(sink.open(dict.fromkeys(partitions, "first")))
    await until(lambda: standing_by() or task.done())
    assert not task.done()
    return sink, task


async def test_a_second_copy_stands_by_and_goes_on_where_the_first_ended(record, trade, batch):
    first = await record.opened(AT)
    second, task = await opening(record, AT)
    await first.write(batch([trade(1)]))
    assert not task.done()
    await first.close()
    async with asyncio.timeout(HANGS_S):
        assert await task == {AT: 1}
    assert not standing_by()
    await second.write(batch([trade(2)], 1))
    assert await record.positions() == [(TRADES.name, 0, 2)]


async def test_a_copy_that_shares_one_partition_holds_none_while_it_waits(record, trade, batch):
    first = await record.opened(AT)
    _, task = await opening(record, AT, OTHER)
    third = await record.opened(OTHER)
    await third.write(batch([trade(1)], at=OTHER))
    await first.close()
    await asyncio.sleep(1.2)
    assert not task.done()
    await third.close()
    async with asyncio.timeout(HANGS_S):
        assert await task == {AT: None, OTHER: 1}


async def refreshed_until_it_ends(sink):
    async with asyncio.timeout(HANGS_S):
        while True:
            await sink.refresh()
            await asyncio.sleep(0.05)


async def test_a_lost_lock_session_ends_the_owner_and_the_other_takes_over(record, trade, batch):
    first = await record.opened(AT)
    second, task = await opening(record, AT)
    await record.owner.fetchval(
        "SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_database d ON d.oid = database"
        " WHERE locktype = 'advisory' AND granted AND d.datname = current_database()"
    )
    with pytest.raises(CUT):
        await refreshed_until_it_ends(first)
    with pytest.raises(CUT):
        await first.write(batch([trade(1)]))
    async with asyncio.timeout(HANGS_S):
        assert await task == {AT: None}
    await second.write(batch([trade(1)]))


async def test_an_owner_that_was_replaced_without_knowing_can_write_nothing(record, trade, batch):
    zombie = await record.opened(AT)
    await zombie.write(batch([trade(1)]))
    # What a partition of the network does: the server freed the locks, and this copy was not told.
    await zombie._ownership.release()
    zombie._ownership = None
    heir = await record.opened(AT)
    with pytest.raises(PositionMoved):
        await zombie.write(batch([trade(2)], 1))
    assert await record.positions() == [(TRADES.name, 0, 1)]
    await heir.write(batch([trade(3)], 1))
    assert await record.rows("SELECT trade_id FROM trade ORDER BY 1") == [(1,), (3,)]


async def test_taking_over_waits_for_what_the_last_owner_is_committing(record, trade, batch):
    dying = await record.opened(AT)
    await dying._ownership.release()
    dying._ownership = None
    transaction = dying._writer._session.transaction()
    await transaction.start()
    await dying.write(batch([trade(1)]))
    heir = record.sink()
    taking = asyncio.create_task(heir.open({AT: "first"}))
    await asyncio.sleep(0.5)
    assert not taking.done()
    await transaction.commit()
    assert await taking == {AT: 1}


async def test_a_topic_made_anew_starts_over_one_generation_later(record, trade, batch):
    sink = await record.opened(AT)
    await sink.write(batch([trade(1), trade(2)]))
    await sink.close()
    again = await record.opened(AT)
    assert again._writer._positions == {AT: 2}
    await again.close()
    anew = await record.opened(AT, topic_id="second")
    assert anew._writer._positions == {AT: None}
    await anew.write(batch([trade(2), trade(3)]))
    found = "SELECT next_offset, generation, topic_id FROM sink_position"
    assert await record.rows(found) == [(2, 2, "second")]
    assert await record.rows("SELECT trade_id FROM trade ORDER BY 1") == [(1,), (2,), (3,)]


async def test_a_cut_writing_session_ends_the_owner(record, trade, batch):
    sink = await record.opened(AT)
    await record.owner.fetchval(KILL, "tapewatch-consumer-postgres-writer")
    with pytest.raises(CUT):
        await sink.write(batch([trade(1)]))
    assert await record.positions() == [(TRADES.name, 0, None)]
