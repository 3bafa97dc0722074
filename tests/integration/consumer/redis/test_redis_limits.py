"""A Redis that refuses: full, another password, few rights, away, or holding what is none of ours."""

from collections.abc import Callable
from typing import Any

import pytest
from aiokafka.structs import TopicPartition
from pydantic import SecretStr

from benchmarks.redis_memory import BINANCE_MARKETS, UPBIT_MARKETS, measure
from services.consumer.batch import Batch
from services.consumer.sinks.base import StoreFailed
from services.consumer.sinks.redis_sink import RedisSink
from shared.errors import Unreachable, WrongUse
from shared.events import Trade
from shared.settings import RedisSettings, Settings, StartSettings
from shared.topics import TRADES

MakeBatch = Callable[..., Batch]
MakeTrade = Callable[..., Trade]


async def test_a_full_redis_ends_it_with_nothing_half_written(
    cache: Any, make_batch: MakeBatch, make_trade: MakeTrade
) -> None:
    sink = await cache.opened()
    await sink.write(make_batch([make_trade(1)]))
    before = await cache.everything()
    await cache.client.config_set("maxmemory", "1")
    try:
        with pytest.raises(StoreFailed, match=r"at its memory limit.*Raise maxmemory"):
            await sink.write(make_batch([make_trade(2), make_trade(3)], first=1))
    finally:
        await cache.client.config_set("maxmemory", "0")

    assert await cache.everything() == before
    await sink.write(make_batch([make_trade(2)], first=1))
    assert await cache.entry_ids() == ["1-0", "1-1"]


async def test_forgotten_scripts_are_loaded_again(cache: Any, make_batch: MakeBatch, make_trade: MakeTrade) -> None:
    sink = await cache.opened()
    await cache.client.execute_command("SCRIPT", "FLUSH")

    await sink.write(make_batch([make_trade(1)]))

    assert await cache.trade_ids() == [1]


async def test_a_wrong_password_is_wrong_use_in_one_line(cache: Any) -> None:
    wrong = SecretStr(cache.settings.redis.url.get_secret_value().replace("a_password", "guess"))

    with pytest.raises(WrongUse, match=r"TAPEWATCH_REDIS__URL: .* refuses user or password") as told:
        await cache.opened(url=wrong)
    assert "guess" not in str(told.value)


async def test_missing_rights_are_told(cache: Any) -> None:
    await cache.client.execute_command("ACL", "SETUSER", "a_writer", "-hset")

    with pytest.raises(StoreFailed, match=r"hset|can't run this command"):
        await cache.opened()


async def test_a_position_that_is_none_of_ours_is_told_with_its_key(cache: Any) -> None:
    await cache.client.hset("position:tape.trades.v1", "0", "17")

    with pytest.raises(StoreFailed, match=r"position:tape\.trades\.v1 0 holds no position: 17"):
        await cache.opened()


async def test_a_redis_that_is_away_is_waited_for_up_to_the_limit(unused_tcp_port: int) -> None:
    address = RedisSettings(url=SecretStr(f"redis://:word@127.0.0.1:{unused_tcp_port}/0"))
    sink = RedisSink(Settings(redis=address, start=StartSettings(wait_s=1)))

    with pytest.raises(Unreachable, match="did not answer within 1 s") as told:
        await sink.open({TopicPartition(TRADES.name, 0): "first"})
    assert "word" not in str(told.value)


async def test_every_market_of_both_exchanges_fits_into_400_mb(each_redis: RedisSettings) -> None:
    used_bytes, symbols = await measure(each_redis.url.get_secret_value(), share=0.01)

    assert symbols == 24
    assert used_bytes / symbols * (UPBIT_MARKETS + BINANCE_MARKETS) < 400e6
