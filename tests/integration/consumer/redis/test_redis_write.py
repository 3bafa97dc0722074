"""What a batch leaves in Redis, whatever happens on the way."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from aiokafka.structs import TopicPartition
from structlog.testing import capture_logs

from services.consumer.batch import Batch, Slice
from services.consumer.sinks import redis_blob, redis_early
from services.consumer.sinks.base import PositionMoved, StoreFailed
from services.consumer.sinks.recent_trades import REMEMBERED
from services.consumer.sinks.redis_sink import RedisSink
from shared.events import OrderBook, Ticker, Trade
from shared.topics import ORDERBOOKS, TICKERS, TRADES

MakeBatch = Callable[..., Batch]
MakeTrade = Callable[..., Trade]


async def test_trades_are_entries_in_the_order_of_their_offsets(
    cache: Any, make_batch: MakeBatch, make_trade: MakeTrade
) -> None:
    sink = await cache.opened()

    written = await sink.write(make_batch([make_trade(8), make_trade(7, side="sell")], first=40))

    entries = await cache.client.xrange("trades:binance:BTCUSDT")
    assert [entry_id for entry_id, _ in entries] == [b"1-40", b"1-41"]
    assert list(entries[1][1].items()) == [
        (b"trade_id", b"7"),
        (b"price", b"60000.10"),
        (b"quantity", b"0.00100"),
        (b"side", b"sell"),
        (b"traded_at_us", b"1790000000000007"),
        (b"received_at_us", b"1790000000000012"),
    ]
    assert 0 < await cache.client.ttl("trades:binance:BTCUSDT") <= 7 * 24 * 3600
    assert await cache.position() == "42 1 first"
    assert written.new[TRADES.name] == 2


async def test_each_script_of_a_batch_counts_as_an_answer(
    cache: Any, make_batch: MakeBatch, make_trade: MakeTrade
) -> None:
    sink = await cache.opened()
    before = sink.answered
    await sink.write(make_batch([make_trade(1)], first=0))
    first = sink.answered
    await sink.write(make_batch([make_trade(2)], first=1))

    assert first - before > 1  # it asks what the symbol has before it writes
    assert sink.answered - first == 1


async def test_a_batch_follows_the_one_before(cache: Any, make_batch: MakeBatch, make_trade: MakeTrade) -> None:
    sink = await cache.opened()
    await sink.write(make_batch([make_trade(1)], first=0))
    await sink.write(make_batch([make_trade(2)], first=1))

    assert await cache.entry_ids() == ["1-0", "1-1"]
    assert await cache.position() == "2 1 first"


async def test_an_empty_batch_moves_the_position_alone(cache: Any) -> None:
    sink = await cache.opened()

    await sink.write(Batch("only unreadable ones", (Slice(TRADES.name, 0, 5, 9, [], []),)))

    assert await cache.position() == "9 1 first"
    assert await cache.trade_ids() == []


async def test_a_batch_that_was_written_before_changes_nothing(
    cache: Any, make_batch: MakeBatch, make_trade: MakeTrade
) -> None:
    batch = make_batch([make_trade(1), make_trade(2)])
    await (await cache.opened()).write(batch)
    before = await cache.everything()

    with pytest.raises(PositionMoved):
        await cache.sinks[0].write(batch)

    assert await cache.everything() == before


async def test_a_position_that_another_changed_refuses_the_whole_batch(
    cache: Any, make_batch: MakeBatch, make_trade: MakeTrade
) -> None:
    sink = await cache.opened(TopicPartition(TRADES.name, 0), TopicPartition(TRADES.name, 1))
    await cache.client.hset("position:tape.trades.v1", "1", "7 1 first somebody")
    before = await cache.everything()
    one, other = make_batch([make_trade(1)]), make_batch([make_trade(2, symbol="ETHUSDT")], partition=1)

    with pytest.raises(PositionMoved, match=r"position:tape\.trades\.v1 1 in Redis is '7 1 first somebody'"):
        await sink.write(Batch("both", one.slices + other.slices))

    assert await cache.everything() == before


async def test_a_redis_that_lost_everything_refuses_and_is_filled_from_the_start(
    cache: Any, make_batch: MakeBatch, make_trade: MakeTrade
) -> None:
    sink = await cache.opened()
    await sink.write(make_batch([make_trade(1)], first=0))
    await cache.client.flushall()

    with pytest.raises(PositionMoved, match="is 'gone'"):
        await sink.write(make_batch([make_trade(2)], first=1))
    assert await cache.everything() == {}

    successor = cache.sink()
    assert await successor.open({TopicPartition(TRADES.name, 0): "first"}) == {TopicPartition(TRADES.name, 0): None}
    await successor.write(make_batch([make_trade(1), make_trade(2)], first=0))
    assert await cache.entry_ids() == ["1-0", "1-1"]


async def test_a_redis_that_lost_its_last_second_refuses(
    cache: Any, make_batch: MakeBatch, make_trade: MakeTrade
) -> None:
    sink = await cache.opened()
    await sink.write(make_batch([make_trade(1)], first=0))
    earlier = await cache.client.hget("position:tape.trades.v1", "0")
    await sink.write(make_batch([make_trade(2)], first=1))
    await cache.client.hset("position:tape.trades.v1", "0", earlier)

    with pytest.raises(PositionMoved):
        await sink.write(make_batch([make_trade(3)], first=2))
    assert await cache.trade_ids() == [1, 2]


async def test_a_batch_cut_off_in_its_middle_is_completed_by_the_next_process(
    cache: Any, make_batch: MakeBatch, make_trade: MakeTrade
) -> None:
    sink = await cache.opened()
    await sink.write(make_batch([make_trade(1), make_trade(1, symbol="ETHUSDT")]))
    batch = make_batch([make_trade(2), make_trade(2, symbol="ETHUSDT"), make_trade(3)], first=2)
    await cache.client.rename("trades:binance:ETHUSDT", "aside")
    await cache.client.set("trades:binance:ETHUSDT", "in the way")
    with pytest.raises(StoreFailed, match="WRONGTYPE"):
        await sink.write(batch)
    assert await cache.trade_ids() == [1, 2, 3]
    assert await cache.position() == "2 1 first"
    await cache.client.rename("aside", "trades:binance:ETHUSDT")
    await sink.close()

    written = await (await cache.opened()).write(batch)

    assert await cache.entry_ids() == ["1-0", "1-2", "1-4"]
    assert await cache.entry_ids("ETHUSDT") == ["1-1", "1-3"]
    assert await cache.position() == "5 1 first"
    assert (written.new[TRADES.name], written.repeated[TRADES.name]) == (1, 2)


async def test_entries_that_are_there_already_are_passed_over(
    cache: Any, make_batch: MakeBatch, make_trade: MakeTrade
) -> None:
    await cache.client.xadd("trades:binance:BTCUSDT", {"trade_id": 1, **dict.fromkeys("abcde", 0)}, id="1-0")
    sink = await cache.opened()
    sink._recent["binance", "BTCUSDT"] = type(
        "Forgetful", (), {"admits": lambda _self, _trade: True, "left_behind": None}
    )()

    written = await sink.write(make_batch([make_trade(1), make_trade(2)]))

    assert await cache.entry_ids() == ["1-0", "1-1"]
    assert (written.new[TRADES.name], written.repeated[TRADES.name]) == (1, 1)


async def test_a_repeated_trade_id_is_dropped_even_by_the_next_process(
    cache: Any, make_batch: MakeBatch, make_trade: MakeTrade
) -> None:
    sink = await cache.opened()
    await sink.write(make_batch([make_trade(1), make_trade(2), make_trade(1)]))
    await sink.close()

    written = await (await cache.opened()).write(make_batch([make_trade(2), make_trade(3)], first=3))

    assert await cache.trade_ids() == [1, 2, 3]
    assert written.repeated[TRADES.name] == 1


async def test_backfill_older_than_the_newest_entry_is_not_added(
    cache: Any, make_batch: MakeBatch, make_trade: MakeTrade
) -> None:
    await (await cache.opened()).write(make_batch([make_trade(5)]))
    await cache.sinks[0].close()

    backfill = [make_trade(4, origin="backfill"), make_trade(6, origin="backfill")]
    await (await cache.opened()).write(make_batch(backfill, first=1))

    assert await cache.trade_ids() == [5, 6]


async def test_a_topic_made_anew_begins_a_generation_whose_entries_follow(
    cache: Any, make_batch: MakeBatch, make_trade: MakeTrade
) -> None:
    await (await cache.opened()).write(make_batch([make_trade(1), make_trade(2)], first=500))
    await cache.sinks[0].close()

    successor = cache.sink()
    assert await successor.open({TopicPartition(TRADES.name, 0): "second"}) == {TopicPartition(TRADES.name, 0): None}
    await successor.write(make_batch([make_trade(3)], first=0))

    assert await cache.entry_ids() == ["1-500", "1-501", "2-0"]
    assert await cache.position() == "1 2 second"


async def made_anew_early(cache: Any, make_batch: MakeBatch, make_trade: MakeTrade, early: Sequence[int]) -> RedisSink:
    """Old trades 1 and 2; the topic is made anew, and what reads on at offset 5 writes `early`; the next owner."""
    sink = await cache.opened()
    await sink.write(make_batch([make_trade(1), make_trade(2)], first=3))
    await sink.write(make_batch(list(map(make_trade, early)), first=5))
    await sink.close()
    return await cache.opened(topic_id="second")


async def test_what_was_written_early_of_a_topic_made_anew_moves_behind_what_came_first(
    cache: Any, make_batch: MakeBatch, make_trade: MakeTrade
) -> None:
    """Whatever the next owner has written when it is killed, the one after it goes on with the rest."""
    sink = await made_anew_early(cache, make_batch, make_trade, [7, 8])
    await sink.write(make_batch([make_trade(3), make_trade(4)], first=0))
    await sink.close()
    assert await cache.trade_ids() == [1, 2, 7, 8, 3, 4]

    sink = await cache.opened(topic_id="second")
    written = await sink.write(make_batch([make_trade(i) for i in (2, 5, 6, 7)], first=2))
    assert (written.new[TRADES.name], written.repeated[TRADES.name]) == (2, 2)
    await sink.close()
    sink = await cache.opened(topic_id="second")
    await sink.write(make_batch([make_trade(8), make_trade(9)], first=6))

    assert await cache.trade_ids() == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert (await cache.entry_ids())[:4] == ["1-3", "1-4", "2-0", "2-1"]


async def test_more_than_is_remembered_may_have_been_written_early(
    cache: Any, make_batch: MakeBatch, make_trade: MakeTrade
) -> None:
    sink = await made_anew_early(cache, make_batch, make_trade, range(8, 8 + REMEMBERED + 500))
    await sink.write(make_batch(list(map(make_trade, range(3, 600))), first=0))
    await sink.write(make_batch(list(map(make_trade, range(600, 2200))), first=597))

    assert (kept := await cache.trade_ids()) == list(range(kept[0], 2200))
    assert len(kept) >= 2000


async def test_what_was_written_early_is_asked_for_until_the_new_log_is_read_as_far(
    cache: Any, make_batch: MakeBatch, make_trade: MakeTrade
) -> None:
    sink = await made_anew_early(cache, make_batch, make_trade, [7, 8])
    assert sink.is_made_anew
    await sink.write(make_batch([make_trade(i) for i in (3, 4, 5)], first=0))
    assert sink.is_made_anew
    await sink.write(make_batch([make_trade(i) for i in (6, 0, 7, 8)], first=3))
    assert not sink.is_made_anew
    await sink.close()
    sink = await cache.opened(topic_id="second")

    assert not sink.is_made_anew
    assert await cache.client.hgetall("position:begun") == {b"tape.trades.v1/0": b"0 0"}
    assert await cache.trade_ids() == [1, 2, 3, 4, 5, 6, 0, 7, 8]


async def test_a_log_restored_as_another_topic_is_not_added_twice(
    cache: Any, make_batch: MakeBatch, make_trade: MakeTrade
) -> None:
    """Its offsets are others, and it is longer than what is remembered."""
    trades = list(map(make_trade, range(2 * REMEMBERED)))
    sink = await cache.opened(stream_cap=10_000)
    await sink.write(make_batch(trades, first=5000))
    await sink.close()
    sink = await cache.opened(topic_id="second", stream_cap=10_000)
    await sink.write(make_batch(trades[:500], first=0))
    await sink.close()
    sink = await cache.opened(topic_id="second", stream_cap=10_000)
    await sink.write(make_batch([*trades[500:], make_trade(2 * REMEMBERED)], first=500))

    assert await cache.trade_ids() == list(range(2 * REMEMBERED + 1))


async def test_only_so_many_entries_are_read_of_the_log_before(
    cache: Any, make_batch: MakeBatch, make_trade: MakeTrade, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (redis_blob, redis_early):
        monkeypatch.setattr(module, "MOST_EARLY", 300)
    monkeypatch.setattr(redis_early, "_PAGE", 100)
    trades = list(map(make_trade, range(2 * REMEMBERED)))
    sink = await cache.opened(stream_cap=10_000)
    await sink.write(make_batch(trades, first=0))
    await sink.close()
    sink = await cache.opened(topic_id="second", stream_cap=10_000)
    with capture_logs() as logs:
        await sink.write(make_batch([trades[0], make_trade(2 * REMEMBERED)], first=0))

    (said,) = [entry for entry in logs if "made anew" in entry["event"]]
    assert (said["symbols"], said["newest"]) == (["binance:BTCUSDT"], 300)
    assert await cache.trade_ids() == list(range(2 * REMEMBERED + 1))


async def test_a_log_read_again_after_kafka_lost_its_end_adds_only_what_is_new(
    cache: Any, make_batch: MakeBatch, make_trade: MakeTrade
) -> None:
    await (await cache.opened()).write(make_batch([make_trade(i) for i in range(1, 5)], first=10))
    await cache.sinks[0].close()
    sink = await cache.opened()

    await sink.write(Batch("back", (Slice(TRADES.name, 0, 14, 10, [], []),)))
    await sink.write(make_batch([make_trade(1), make_trade(2), make_trade(9)], first=10))

    assert await cache.trade_ids() == [1, 2, 3, 4, 9]
    assert await cache.entry_ids() == ["1-10", "1-11", "1-12", "1-13", "2-12"]


async def test_a_stream_keeps_its_newest_trades(cache: Any, make_batch: MakeBatch, make_trade: MakeTrade) -> None:
    sink = await cache.opened(stream_cap=200)
    for first in range(0, 2000, 100):
        await sink.write(make_batch([make_trade(first + i) for i in range(100)], first=first))

    kept = await cache.trade_ids()
    assert 200 <= len(kept) < 400  # whole nodes of a hundred entries or so go at a time
    assert kept == list(range(2000 - len(kept), 2000))


async def test_the_newest_ticker_wins_and_a_tie_replaces(
    cache: Any, make_batch: MakeBatch, make_ticker: Callable[..., Ticker]
) -> None:
    sink = await cache.opened(TopicPartition(TICKERS.name, 0))
    prices = []
    for offset, (price, event_at_us) in enumerate([("1", 100), ("2", 90), ("3", 100), ("4", 101)]):
        await sink.write(make_batch([make_ticker(price, event_at_us)], first=offset))
        prices.append((await cache.client.hget("ticker:binance:BTCUSDT", "price")).decode())

    assert prices == ["1", "1", "3", "4"]
    fields = await cache.client.hgetall("ticker:binance:BTCUSDT")
    assert (fields[b"event_at_us"], fields[b"window"], fields[b"bid_price"]) == (b"101", b"rolling_24h", b"")


async def test_books_are_ordered_by_time_then_sequence(
    cache: Any, make_batch: MakeBatch, make_book: Callable[..., OrderBook]
) -> None:
    sink = await cache.opened(TopicPartition(ORDERBOOKS.name, 0))
    sequences = []
    for offset, (sequence, received_at_us) in enumerate([(99, 10), (100, 10), (98, 10), (5, 11)]):
        await sink.write(make_batch([make_book(sequence, received_at_us)], first=offset))
        sequences.append(int(await cache.client.hget("orderbook:binance:BTCUSDT", "sequence")))

    assert sequences == [99, 100, 100, 5]
    assert json.loads(await cache.client.hget("orderbook:binance:BTCUSDT", "bids")) == [["1.0", "2"]]


async def test_every_changed_symbol_is_one_message(
    cache: Any, make_batch: MakeBatch, make_trade: MakeTrade, make_ticker: Callable[..., Ticker]
) -> None:
    sink = await cache.opened(TopicPartition(TRADES.name, 0), TopicPartition(TICKERS.name, 0))
    trades = make_batch([make_trade(1), make_trade(2), make_trade(1, symbol="ETH/USDT")])
    async with cache.client.pubsub() as listener:
        await listener.subscribe("updates:binance")
        await sink.write(Batch("both", trades.slices + make_batch([make_ticker("1", 100)]).slices))
        await sink.write(make_batch([make_trade(2), make_ticker("0", 90)][:1], first=3))  # a repeat: nothing changed
        await sink.write(make_batch([make_ticker("0", 90)], first=1))  # older: nothing changed
        await sink.write(make_batch([make_trade(3)], first=4))

        said = []
        while len(said) < 3:
            message = await listener.get_message(ignore_subscribe_messages=True, timeout=1)
            said += [json.loads(message["data"])] if message else []

    assert said == [
        {"symbol": "BTCUSDT", "changed": ["trade", "ticker"]},
        {"symbol": "ETH/USDT", "changed": ["trade"]},
        {"symbol": "BTCUSDT", "changed": ["trade"]},
    ]
