"""A topic that was made anew: nobody knows how far its old log reached, and the gap rows say no less."""

from datetime import UTC, datetime, timedelta

from aiokafka.structs import TopicPartition

from shared.partitioning import partition_of
from shared.topics import ALERTS, TRADES

AT_US = 1_767_225_600_000_000
MARKETS = "SELECT symbols[1], from_at, to_at FROM gap WHERE channel = 'trade' ORDER BY noticed_at, 1"
PLACES = [TopicPartition(TRADES.name, number) for number in range(TRADES.partitions)]


def at(second):
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=second)


def of(trade, *seconds):
    """Trades of one market, whose ids are the seconds in which they were traded."""
    return [trade(second, AT_US + second * 1_000_000) for second in seconds]


async def stored(record, batch, events, topic_id="first", first_offset=0):
    """What a process stores of the market's partition before it ends."""
    (place,) = {PLACES[partition_of(f"{e.exchange}:{e.symbol}", TRADES.partitions)] for e in events}
    sink = await record.opened(place, topic_id=topic_id)
    await sink.write(batch(events, first_offset, place))
    await sink.close()


async def test_of_each_market_from_its_newest_trade_to_the_new_logs_first(record, trade, batch):
    await stored(record, batch, of(trade, 1, 90))
    await stored(record, batch, of(trade, 200, 201), "second")
    await stored(record, batch, of(trade, 300), "second", 2)

    assert await record.rows(MARKETS) == [("KRW-BTC", at(90), at(200))]


async def test_before_the_first_one_comes_it_has_no_end_and_other_markets_have_none_ever(record, trade, batch):
    await stored(record, batch, of(trade, 1))
    place = PLACES[partition_of("upbit:KRW-BTC", TRADES.partitions)]
    await (await record.opened(*(p for p in PLACES if p != place), topic_id="second")).close()
    assert await record.rows(MARKETS) == []

    await (await record.opened(place, topic_id="second")).close()
    await (await record.opened(place, topic_id="second")).close()
    assert await record.rows(MARKETS) == [("KRW-BTC", at(1), None)]
    await stored(record, batch, of(trade, 7), "second")
    assert await record.rows(MARKETS) == [("KRW-BTC", at(1), at(7))]


async def test_what_was_read_of_the_new_log_before_that_was_known_hides_no_gap(record, trade, batch):
    await stored(record, batch, of(trade, 10, 50, 51))  # 50 and 51 lie in the new log already, behind 30
    await stored(record, batch, of(trade, 30, 50, 51, 52), "second")

    assert await record.rows(MARKETS) == [("KRW-BTC", at(10), at(30))]


async def test_repeats_do_not_end_it_whenever_they_come(record, trade, batch):
    """They may be the new log's first, or the old one's last that were sent again: the wider span counts."""
    await stored(record, batch, of(trade, 10, 50, 51))
    await stored(record, batch, of(trade, 50), "second")
    assert await record.rows(MARKETS) == [("KRW-BTC", at(10), None)]
    await stored(record, batch, of(trade, 51), "second", 1)
    await stored(record, batch, of(trade, 51, 52, 53), "second", 2)

    assert await record.rows(MARKETS) == [("KRW-BTC", at(10), at(52))]


async def test_every_time_it_is_made_anew_is_a_gap_of_its_own(record, trade, batch):
    await stored(record, batch, of(trade, 1))
    for topic_id, second in (("second", 5), ("third", 9)):
        await stored(record, batch, of(trade, second), topic_id)

    assert await record.rows(MARKETS) == [("KRW-BTC", at(1), at(5)), ("KRW-BTC", at(5), at(9))]


async def test_each_topic_has_a_row_for_markets_that_the_store_never_saw(record, trade, batch):
    await stored(record, batch, of(trade, 1))
    everything = [*PLACES, TopicPartition(ALERTS.name, 0)]
    await (await record.opened(*everything)).close()
    assert await record.rows("SELECT FROM gap") == []

    await (await record.opened(*everything, topic_id="second")).close()
    found = "SELECT from_at, to_at = noticed_at, status FROM gap WHERE exchange = '*' AND reason LIKE '%{}%'"
    assert await record.rows(found.format(TRADES.name)) == [(at(1), True, "open")]
    assert await record.rows(found.format(ALERTS.name)) == [(None, True, "open")]


async def test_a_start_and_a_restart_are_none(record, trade, batch):
    for second in (1, 2):
        await stored(record, batch, of(trade, second), first_offset=second - 1)

    assert await record.rows("SELECT FROM gap") == []
