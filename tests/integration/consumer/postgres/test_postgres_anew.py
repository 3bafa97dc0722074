"""A topic that was made anew: nobody knows how far its old log reached, and the gap rows say no less."""

from datetime import UTC, datetime, timedelta

from aiokafka.structs import TopicPartition

from services.reconcile.gaps import Gaps
from services.reconcile.postgres_reader import read_rows
from shared.partitioning import partition_of
from shared.topics import ALERTS, TRADES

AT_US = 1_767_225_600_000_000
MARKETS = (
    "SELECT symbols[1], from_at, to_at FROM gap WHERE channel = 'trade' AND symbols IS NOT NULL ORDER BY noticed_at, 1"
)
ENDED_WHEN_NOTICED = "SELECT symbols[1], to_at = noticed_at FROM gap WHERE symbols IS NOT NULL ORDER BY 1"
PLACES = [TopicPartition(TRADES.name, number) for number in range(TRADES.partitions)]


def at(second):
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=second)


def of(trade, *seconds, **fields):
    """Trades of one market, whose ids are the seconds in which they were traded."""
    return [trade(second, AT_US + second * 1_000_000, **fields) for second in seconds]


async def stored(record, batch, events, topic_id="first", first_offset=0):
    """What a process stores of the market's partition before it ends."""
    place = PLACES[partition_of("upbit:KRW-BTC", TRADES.partitions)]
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
    found = "SELECT channel, from_at, to_at = noticed_at, status FROM gap WHERE exchange = '*' AND reason LIKE '%{}%'"
    assert await record.rows(found.format(TRADES.name)) == [("trade", at(1), True, "open")]
    assert await record.rows(found.format(ALERTS.name)) == [("alerts", None, True, "open")]


async def test_alerts_made_anew_explain_no_trade_that_is_missing(record, trade, batch):
    await stored(record, batch, of(trade, 1))
    place = TopicPartition(ALERTS.name, 0)
    for topic_id in ("first", "second"):
        await (await record.opened(place, topic_id=topic_id)).close()

    gaps = Gaps((await read_rows(record.owner, 0, 0)).gaps)
    assert gaps.open == 1
    assert not any(gaps.explain("upbit", channel, "KRW-BTC", AT_US) for channel in ("trade", "ticker", "orderbook"))


async def test_backfill_ends_nothing(record, trade, batch):
    """A replayed dead letter of an hour ago may be the first that the new log holds."""
    await stored(record, batch, of(trade, 10, 50))
    await stored(record, batch, of(trade, 20, origin="backfill"), "second")
    assert await record.rows(MARKETS) == [("KRW-BTC", at(50), None)]
    await stored(record, batch, [*of(trade, 55, origin="backfill"), *of(trade, 60)], "second", 1)

    assert await record.rows(MARKETS) == [("KRW-BTC", at(50), at(60))]


async def test_a_trade_that_came_late_is_no_end(record, trade, batch):
    """Received after all that is stored, so none of that was read of the new log."""
    await stored(record, batch, of(trade, 10, 50))
    late = of(trade, 30, received_at_us=AT_US + 55_000_000)
    await stored(record, batch, [*late, *of(trade, 60)], "second")

    assert await record.rows(MARKETS) == [("KRW-BTC", at(50), at(60))]


async def test_of_a_market_that_is_gone_nothing_will_come(record, trade, batch):
    await stored(record, batch, of(trade, 1))
    await record.owner.execute("UPDATE instrument SET status = 'gone'")
    await stored(record, batch, [], "second")

    assert await record.rows(ENDED_WHEN_NOTICED) == [("KRW-BTC", True)]


async def test_a_quiet_market_ends_within_an_hour_of_trades(record, trade, batch):
    sink = await record.opened(*PLACES)
    await sink.write(batch([*of(trade, 1), *of(trade, 2, symbol="KRW-XRP")], 0, PLACES[0]))
    await sink.close()
    sink = await record.opened(*PLACES, topic_id="second")
    later_us = int((datetime.now(UTC) + timedelta(minutes=70)).timestamp() * 1_000_000)
    await sink.write(batch(of(trade, 5), 0, PLACES[0]))
    assert await record.rows(ENDED_WHEN_NOTICED) == [("KRW-BTC", False), ("KRW-XRP", None)]
    await sink.write(batch(of(trade, 6, received_at_us=later_us), 1, PLACES[0]))

    assert await record.rows(ENDED_WHEN_NOTICED) == [("KRW-BTC", False), ("KRW-XRP", True)]
    assert sink._writer._anew._open == {}


async def test_a_start_and_a_restart_are_none(record, trade, batch):
    for second in (1, 2):
        await stored(record, batch, of(trade, second), first_offset=second - 1)

    assert await record.rows("SELECT FROM gap") == []
