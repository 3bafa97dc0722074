import pytest

from services.consumer.positions import Bounds, starts, went_back

KEY = ("tape.trades.v1", 3)


@pytest.mark.parametrize(
    ("stored", "bounds", "start"),
    [
        pytest.param(None, Bounds(40, 90), 40, id="nothing stored: the log's start"),
        pytest.param(40, Bounds(40, 90), 40, id="at the log's start"),
        pytest.param(70, Bounds(40, 90), 70, id="within the log"),
        pytest.param(90, Bounds(40, 90), 90, id="at the log's end"),
        pytest.param(0, Bounds(0, 0), 0, id="an empty log"),
    ],
)
def test_a_position_that_the_log_reaches(stored: int | None, bounds: Bounds, start: int) -> None:
    found = starts({KEY: stored}, {KEY: bounds}, {}, {})

    assert found.offsets == {KEY: start}
    assert found.outside == ()


def test_records_deleted_unread_are_told_with_their_offsets() -> None:
    found = starts({KEY: 25}, {KEY: Bounds(40, 90)}, {}, {})

    assert found.offsets == {KEY: 40}
    (outside,) = found.outside
    assert outside.reason == "tape.trades.v1 partition 3: offsets 25 to 39 were deleted before they were read"


def test_a_log_that_lost_its_end_is_told_and_read_again() -> None:
    found = starts({KEY: 120}, {KEY: Bounds(40, 90)}, {}, {})

    assert found.offsets == {KEY: 40}
    assert "Kafka lost its log from offset 90 on, of which 120 had been read" in found.outside[0].reason


def test_a_refill_serves_only_partitions_without_a_position() -> None:
    other = ("tape.trades.v1", 4)

    found = starts({KEY: None, other: 50}, {KEY: Bounds(0, 90), other: Bounds(0, 90)}, {KEY: 80, other: 80}, {})

    assert found.offsets == {KEY: 80, other: 50}


def test_a_store_that_stands_before_what_was_committed_went_back() -> None:
    ahead, level, new, unknown = (("tape.trades.v1", partition) for partition in range(4, 8))
    stored = {KEY: 30, ahead: 90, level: 50, new: None, unknown: 7}

    advised = {KEY: 42, ahead: 80, level: 50, new: 60} | {("tape.trades.v1", 9): 5}
    assert went_back(stored, advised, {}) == {KEY: 12}


def test_a_record_that_was_emptied_went_back_to_where_it_begins_and_a_cache_did_not() -> None:
    assert went_back({KEY: None}, {KEY: 60}, {KEY: 40}) == {KEY: 20}
    assert went_back({KEY: None}, {}, {KEY: 40}) == {}
    assert went_back({KEY: None}, {KEY: 60}, {}) == {}


def test_a_position_that_is_gone_is_told_where_kafka_deleted_what_it_had_passed() -> None:
    found = starts({KEY: None}, {KEY: Bounds(5_000_000, 9_000_000)}, {}, {KEY: 8_999_000})

    assert found.offsets == {KEY: 5_000_000}
    (outside,) = found.outside
    assert outside.reason == (
        "tape.trades.v1 partition 3: the store remembers nothing, though its consumer had come to offset 8999000; "
        "Kafka no longer has what was before offset 5000000"
    )


def test_a_position_that_never_moved_is_told_where_kafka_deleted_what_came_since() -> None:
    assert [one.stored for one in starts({KEY: None}, {KEY: Bounds(40, 90)}, {}, {KEY: 0}).outside] == [0]


@pytest.mark.parametrize(
    ("bounds", "advised"),
    [
        pytest.param(Bounds(0, 0), {}, id="everything is new"),
        pytest.param(Bounds(0, 90), {}, id="the store is new, and Kafka deleted nothing"),
        pytest.param(Bounds(40, 90), {}, id="the store is new, and Kafka is old"),
        pytest.param(Bounds(40, 90), {KEY: 40}, id="it was about to begin, and nothing was deleted since"),
        pytest.param(Bounds(0, 90), {KEY: 60}, id="it was emptied, and Kafka has everything"),
    ],
)
def test_without_a_position_there_is_no_loss_where_nobody_missed_a_record(
    bounds: Bounds, advised: dict[tuple[str, int], int]
) -> None:
    assert starts({KEY: None}, {KEY: bounds}, {}, advised).outside == ()
