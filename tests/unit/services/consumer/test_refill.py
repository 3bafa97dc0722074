from aiokafka.structs import TopicPartition

from services.consumer.batch import Batch, Slice
from services.consumer.refill import Refill, beginning, in_place, left_out, within

TRADES, TICKERS, QUIET = (TopicPartition(name, 0) for name in ("trades", "tickers", "quiet"))


def batch(first: int, *offsets: int) -> Batch:
    piece = Slice(TICKERS.topic, 0, first, offsets[-1] + 1, list(offsets), [f"event {at}" for at in offsets])  # type: ignore[misc]
    return Batch("tickers-0@5", (piece,))


def test_where_partitions_begin_is_one_batch_without_events() -> None:
    pieces = beginning({TRADES: 7, TICKERS: 9}).slices

    assert [(one.topic, one.first_offset, one.next_offset) for one in pieces] == [("tickers", 9, 9), ("trades", 7, 7)]
    assert not any(one.events for one in pieces)


def test_what_lies_between_the_two_starts_is_read_beside() -> None:
    assert left_out({TICKERS: 5, QUIET: 7, TRADES: 1}, {TICKERS: 9, QUIET: 7}) == {TICKERS: range(5, 9)}


def test_what_the_loop_reads_itself_is_left_to_it() -> None:
    (piece,) = within(batch(5, 6, 8, 9, 11), {TICKERS: range(5, 9)}).slices

    assert piece.offsets == [6, 8]
    assert piece.events == ["event 6", "event 8"]


def test_older_records_move_no_position() -> None:
    (piece,) = in_place(batch(5, 6, 8), {TICKERS: 40}).slices

    assert (piece.first_offset, piece.next_offset, piece.offsets) == (40, 40, [6, 8])


def test_those_that_are_live_come_first_until_all_are_level() -> None:
    refill = Refill([TICKERS], level_at={TRADES: 100})

    refill.see({TRADES: 99, TICKERS: 3})
    assert refill.first == (TICKERS,)
    refill.see({TRADES: 100, TICKERS: 3})
    assert refill.first == ()
