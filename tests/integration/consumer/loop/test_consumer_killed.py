"""Kills, freezes and second copies under load: afterwards Redis holds every trade once and in order."""

import asyncio
import random
import signal
from collections.abc import Callable
from typing import Any

import pytest

Start = Callable[..., Any]


@pytest.fixture
async def load(tape: Any) -> Any:
    """``async with load:`` publishes trades all the while."""

    class Load:
        async def __aenter__(self) -> None:
            self._task = asyncio.create_task(self._publish())

        async def _publish(self) -> None:
            while True:
                await tape.trades(40)
                await asyncio.sleep(0.01)

        async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
            self._task.cancel()
            await asyncio.wait([self._task])
            if kind is None:
                await tape.producer.flush()

    return Load()


@pytest.mark.long
async def test_killed_at_random_moments_nothing_is_lost_or_doubled(
    tape: Any, cache: Any, start_consumer: Start, load: Any
) -> None:
    async with load:
        for _ in range(5):
            process = start_consumer(REDIS__STREAM_CAP="1000000")
            await process.until_said("consuming")
            await asyncio.sleep(random.uniform(0, 0.5))
            process.kill()
            await process.ended()
    start_consumer(REDIS__STREAM_CAP="1000000")
    await cache.until_holding(tape.published)

    assert await cache.held() == tape.published


async def test_a_second_copy_takes_over_from_a_killed_one(
    tape: Any, cache: Any, start_consumer: Start, load: Any
) -> None:
    first = start_consumer(REDIS__STREAM_CAP="1000000")
    await first.until_said("consuming")
    second = start_consumer(REDIS__STREAM_CAP="1000000")
    await second.until_said("standby: another copy owns partitions of this shard")
    async with load:
        await asyncio.sleep(0.3)
        first.kill()
        await second.until_said("took over from the other copy")
    await cache.until_holding(tape.published)

    assert await cache.held() == tape.published


async def test_a_frozen_copy_is_replaced_and_ends_when_it_thaws(
    tape: Any, cache: Any, start_consumer: Start, load: Any
) -> None:
    first = start_consumer(REDIS__STREAM_CAP="1000000")
    await first.until_said("consuming")
    second = start_consumer(REDIS__STREAM_CAP="1000000")
    await second.until_said("standby: another copy owns partitions of this shard")
    async with load:
        await asyncio.sleep(0.3)
        first.kill(signal.SIGSTOP)
        await second.until_said("took over from the other copy")
        first.kill(signal.SIGCONT)
        assert await first.ended() == 1
    await cache.until_holding(tape.published)

    assert await cache.held() == tape.published
    assert "which this process did not leave there: another copy took over" in first.said()[-1]["event"]


async def test_two_shards_share_the_work(tape: Any, cache: Any, start_consumer: Start) -> None:
    shards = [start_consumer("--shard", f"{k}/2") for k in range(2)]
    await tape.trades(600)
    await cache.until_holding(tape.published)

    assert [(await shard.until_said("consuming"))["partitions"] for shard in shards] == [12, 12]
    assert await cache.held() == tape.published


async def test_members_of_a_group_share_the_work_and_take_over_what_one_leaves(
    tape: Any, cache: Any, start_consumer: Start, load: Any
) -> None:
    first = start_consumer("--group", "sharers", REDIS__STREAM_CAP="1000000")
    await first.until_said("consuming")
    async with load:
        second = start_consumer("--group", "sharers", REDIS__STREAM_CAP="1000000")
        await second.until_said("consuming")
        await asyncio.sleep(0.3)
        first.kill(signal.SIGTERM)
        assert await first.ended() == 0
        await second.until_said("consuming", times=2)
    await cache.until_holding(tape.published)

    assert await cache.held() == tape.published
    owned = [line["partitions"] for line in second.said() if line["event"] == "consuming"]
    assert owned[0] == 12
    assert owned[-1] == 24


async def test_a_group_that_lag_monitors_look_at_is_refused(start_consumer: Start) -> None:
    process = start_consumer("--group", "tapewatch-redis")

    assert await process.ended() == 2
    assert "take another name" in process.said()[-1]["event"]
