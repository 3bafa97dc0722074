"""A trade was in a store when the first batch that covers its offset was acknowledged."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.reconcile.latency import JournalLine, WrittenAt, latencies_us, percentiles, read_journal
from shared.errors import WrongUse

PLACE = ("tape.trades.v1", 3)


def batch(done_at_us: int, first: int, upto: int, partition: int = 3) -> JournalLine:
    return JournalLine("redis", done_at_us, [("tape.trades.v1", partition, first, upto)])


def test_the_first_batch_that_covers_an_offset_counts() -> None:
    written = WrittenAt([batch(100, 0, 10), batch(200, 10, 20), batch(300, 5, 20), batch(400, 20, 30)])
    assert [written.at_us(PLACE, offset) for offset in (0, 9, 10, 19, 20, 29)] == [100, 100, 200, 200, 400, 400]
    assert written.at_us(PLACE, 30) is None
    assert written.at_us(("tape.trades.v1", 4), 0) is None


def test_a_batch_that_was_committed_and_not_journalled_is_unknown() -> None:
    written = WrittenAt([batch(100, 0, 10), batch(300, 15, 20)])
    assert written.at_us(PLACE, 12) is None
    assert written.at_us(PLACE, 15) == 300


def test_only_the_newest_batches_are_remembered_where_bounded() -> None:
    written = WrittenAt((batch(at, at, at + 1) for at in range(100)), most=10)
    assert written.at_us(PLACE, 99) == 99
    assert written.at_us(PLACE, 0) is None


def test_latency_counts_from_the_publication() -> None:
    written = {"redis": WrittenAt([batch(1_500, 0, 2)]), "postgres": WrittenAt([batch(2_500, 0, 1)])}
    published = [(1_000, PLACE, 0), (1_200, PLACE, 1)]
    assert latencies_us(published, written) == {"redis": [500, 300], "postgres": [1_500]}


def test_a_last_line_that_a_kill_cut_off_is_left_out() -> None:
    whole = json.dumps({"sink": "redis", "done_at_us": 1, "slices": [["tape.trades.v1", 3, 0, 1]]}).encode() + b"\n"
    assert [line.done_at_us for line in read_journal([whole, whole[:20]])["redis"]] == [1]
    with pytest.raises(WrongUse, match="line 1 of the batch journal"):
        read_journal([b"{}\n", whole])


def test_percentiles_are_values_that_occurred() -> None:
    figures = percentiles([1_000 * value for value in range(1, 201)])
    assert figures is not None
    assert figures == (100.0, 198.0, 200.0)
    assert percentiles([]) is None


@given(st.lists(st.integers(-(10**9), 10**9), min_size=1))
def test_percentiles_rise(values: list[int]) -> None:
    figures = percentiles(values)
    assert figures is not None
    assert figures.p50 <= figures.p99 <= figures.max == max(values) / 1000
