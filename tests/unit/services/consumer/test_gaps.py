from dataclasses import replace

from services.consumer.gaps import LATE_US, gap_event, jump
from services.consumer.positions import Bounds, Outside
from services.consumer.sinks.base import Kept
from services.consumer.sinks.postgres_rows import gap_id

OUTSIDE = Outside("tape.trades.v1", 3, 25, Bounds(40, 90))
NOW_US = 1_790_000_000_000_000
KEPT = Kept("trade", NOW_US - 5)


def test_a_gap_names_reader_topic_partition_and_offsets_and_is_over() -> None:
    event = gap_event(OUTSIDE, "consumer-postgres", KEPT, NOW_US)

    assert (event.kind, event.exchange, event.channel, event.at_us) == ("gap", "*", "trade", NOW_US)
    assert event.reason == (
        "consumer-postgres: tape.trades.v1 partition 3: offsets 25 to 39 were deleted before they were read"
    )


def test_a_gap_begins_shortly_before_the_newest_event_that_the_store_has_and_ends_now() -> None:
    event = gap_event(OUTSIDE, "consumer-postgres", KEPT, NOW_US)
    of_nothing_stored = gap_event(OUTSIDE, "consumer-postgres", Kept("ticker", None), NOW_US)
    of_a_clock_ahead = gap_event(OUTSIDE, "consumer-postgres", Kept("trade", NOW_US + LATE_US), NOW_US)

    assert (event.from_us, event.to_us) == (NOW_US - 5 - LATE_US, NOW_US)
    assert (of_nothing_stored.channel, of_nothing_stored.from_us) == ("ticker", None)
    assert of_a_clock_ahead.from_us == NOW_US - LATE_US


def test_what_a_cache_lost_is_told_and_is_no_gap() -> None:
    event = gap_event(OUTSIDE, "consumer-redis", None, NOW_US)

    assert (event.kind, event.exchange, event.channel, event.from_us, event.to_us) == (
        "degraded",
        "*",
        None,
        None,
        None,
    )
    assert "offsets 25 to 39 were deleted" in event.reason


def test_each_partition_and_each_loss_is_a_gap_of_its_own_and_one_that_is_told_again_is_none() -> None:
    later = replace(OUTSIDE, stored=45, bounds=Bounds(60, 90))
    places = [OUTSIDE, replace(OUTSIDE, partition=4), replace(OUTSIDE, topic="tape.tickers.v1"), later]

    assert len({gap_id(gap_event(one, "consumer-postgres", KEPT, NOW_US)) for one in places}) == 4
    assert len({gap_id(gap_event(OUTSIDE, "consumer-postgres", KEPT, NOW_US + i)) for i in range(3)}) == 1


def test_a_jump_moves_the_stored_position_to_the_logs_start_and_writes_nothing() -> None:
    (piece,) = jump(OUTSIDE).slices

    assert (piece.topic, piece.partition, piece.first_offset, piece.next_offset) == ("tape.trades.v1", 3, 25, 40)
    assert (piece.offsets, piece.events) == ([], [])
