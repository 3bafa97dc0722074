"""A Redis that refuses: full, another password, few rights, away, or holding what is none of ours."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiokafka.structs import TopicPartition
from pydantic import SecretStr

from benchmarks.redis_memory import BINANCE_MARKETS, UPBIT_MARKETS, measure
from services.consumer.batch import Batch
from services.consumer.sinks.base import StoreFailed
from services.consumer.sinks.redis_sink import RedisSink
from shared.errors import Unreachable, WrongUse
from shared.events import OrderBook, Ticker, Trade
from shared.settings import RedisSettings, Settings, StartSettings
from shared.topics import ORDERBOOKS, TICKERS, TRADES

MakeBatch = Callable[..., Batch]
MakeTrade = Callable[..., Trade]
RIGHTS = (
    "resetkeys ~trades:* ~ticker:* ~orderbook:* ~position:* resetchannels &updates:* -@all +evalsha +script|load +ping "
    "+xadd +xrevrange +expire +hset +hget +publish +set +get +del"
)


@pytest.fixture
async def restricted(cache: Any) -> AsyncIterator[SecretStr]:
    """Address of the same Redis for a user who has no rights but those that the sink says it needs."""
    await cache.client.execute_command("ACL", "SETUSER", "sink", "on", ">word", *RIGHTS.split())
    yield SecretStr(cache.settings.redis.url.get_secret_value().replace("://", "://sink:word@"))
    await cache.client.execute_command("ACL", "DELUSER", "sink")


async def test_the_rights_that_it_says_it_needs_suffice(
    cache: Any,
    restricted: SecretStr,
    make_batch: MakeBatch,
    make_trade: MakeTrade,
    make_ticker: Callable[..., Ticker],
    make_book: Callable[..., OrderBook],
) -> None:
    await cache.client.execute_command("SCRIPT", "FLUSH")
    topics = (TRADES, TICKERS, ORDERBOOKS)
    sink = await cache.opened(*(TopicPartition(topic.name, 0) for topic in topics), url=restricted)

    slices = [make_batch([event]).slices[0] for event in (make_trade(1), make_ticker("1", 5), make_book(7))]
    written = await sink.write(Batch("one of each", tuple(slices)))
    await sink.refresh()
    await sink.close()

    assert written.new == dict.fromkeys((topic.name for topic in topics), 1)


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


async def test_a_wrong_password_is_wrong_use_in_one_line(cache: Any, restricted: SecretStr) -> None:
    wrong = SecretStr(restricted.get_secret_value().replace("word", "guess"))

    with pytest.raises(WrongUse, match=r"TAPEWATCH_REDIS__URL: .* refuses user or password") as told:
        await cache.opened(url=wrong)
    assert "guess" not in str(told.value)


async def test_missing_rights_are_told(cache: Any, restricted: SecretStr) -> None:
    await cache.client.execute_command("ACL", "SETUSER", "sink", "-hset")

    with pytest.raises(StoreFailed, match=r"hset|can't run this command"):
        await cache.opened(url=restricted)


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


async def test_every_market_of_both_exchanges_fits_into_400_mb(cache: Any) -> None:
    used_bytes, symbols = await measure(cache.settings.redis.url.get_secret_value(), share=0.01)

    assert symbols == 22
    assert used_bytes / symbols * (UPBIT_MARKETS + BINANCE_MARKETS) < 400e6
