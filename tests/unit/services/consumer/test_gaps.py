from services.consumer.gaps import gap_event, jump
from services.consumer.positions import Bounds, Outside

OUTSIDE = Outside("tape.trades.v1", 3, 25, Bounds(40, 90))


def test_a_gap_names_reader_topic_partition_and_offsets_and_is_over() -> None:
    event = gap_event(OUTSIDE, "consumer-redis", 17)

    assert (event.kind, event.exchange, event.at_us, event.from_us, event.to_us) == ("gap", "*", 17, None, 17)
    assert event.reason == (
        "consumer-redis: tape.trades.v1 partition 3: offsets 25 to 39 were deleted before they were read"
    )


def test_a_jump_moves_the_stored_position_to_the_logs_start_and_writes_nothing() -> None:
    (piece,) = jump(OUTSIDE).slices

    assert (piece.topic, piece.partition, piece.first_offset, piece.next_offset) == ("tape.trades.v1", 3, 25, 40)
    assert (piece.offsets, piece.events) == ([], [])
