from base64 import b64decode

from hypothesis import given
from hypothesis import strategies as st

from services.producer.gaps import LATE_US
from services.producer.rejects import (
    EXAMPLES_AT_ONCE,
    FLOOD_AFTER_S,
    GAP_AHEAD_US,
    MAX_PAYLOAD_BYTES,
    TRADE_BYTES_A_SECOND,
    TRADE_BYTES_AT_ONCE,
    Flood,
    Rejects,
    Unkept,
    dead_letter,
)
from shared import wire
from shared.events import DeadLetter


def test_of_tickers_and_books_a_few_examples_are_kept():
    rejects = Rejects()
    kept = [s for s in range(20) for _ in range(100) if rejects.may_keep(b"{}", float(s), carries_trades=False)]
    assert kept == [0] * EXAMPLES_AT_ONCE + list(range(1, 20))


def test_a_minute_of_five_thousand_trades_a_second_is_kept_whole():
    rejects, frame = Rejects(), b"x" * 200
    assert all(rejects.may_keep(frame, s / 5000, carries_trades=True) for s in range(60 * 5000))


def test_what_a_flood_of_trades_may_take_in_a_day_is_bounded():
    rejects, frame = Rejects(), b"x" * (1 << 20)
    kept = sum(rejects.may_keep(frame, float(s), carries_trades=True) for s in range(86_400))
    assert kept == (TRADE_BYTES_AT_ONCE + 86_399 * TRADE_BYTES_A_SECOND) // len(frame)


def test_tickers_leave_the_budget_of_trades_alone():
    rejects = Rejects()
    for _ in range(1000):
        rejects.may_keep(b"x" * 100_000, 0.0, carries_trades=False)
    assert rejects.may_keep(b"x" * TRADE_BYTES_AT_ONCE, 0.0, carries_trades=True)


@given(st.lists(st.integers(0, 100_000_000), min_size=1, max_size=50), st.integers(0, 5_000_000))
def test_every_frame_that_was_not_kept_lies_in_a_gap_that_was_told_by_then(steps, offset_us):
    unkept, at_us, told = Unkept(), 1_800_000_000_000_000, {}
    for step in steps:
        at_us += step
        gap = unkept.note(at_us, offset_us)
        if gap is not None:
            told[gap[0]] = gap[1]
        assert any(begins + offset_us <= at_us - LATE_US and at_us + LATE_US <= ends for begins, ends in told.items())


def test_a_flood_is_one_gap_that_is_told_once_a_minute():
    unkept = Unkept()
    told = [gap for ms in range(300_000) if (gap := unkept.note(1_000_000_000_000 + ms * 1000, 0)) is not None]
    assert len(told) == 300_000_000 // GAP_AHEAD_US
    assert len({begins for begins, _ in told}) == 1
    assert unkept.note(2_000_000_000_000, 0) == (
        2_000_000_000_000 - LATE_US,
        2_000_000_000_000 + GAP_AHEAD_US + LATE_US,
    )


def test_a_flood_is_told_once_and_again_after_it_ended():
    flood, told, frames, invalid = Flood(), [], 0, 0
    for second in range(200):
        frames += 10
        invalid += 0 if 100 <= second < 110 else 10
        if flood.look(frames, invalid):
            told.append(second)
    assert told == [FLOOD_AFTER_S - 1, 110 + FLOOD_AFTER_S - 1]


def test_some_bad_frames_among_good_ones_are_no_flood():
    flood = Flood()
    assert not any(flood.look(second * 10, second * 8) for second in range(1, 300))


def test_a_frame_is_kept_as_it_came_up_to_a_bound():
    letter = dead_letter(b"\xff\x00" * 50_000, "a\nb\ud800", exchange="upbit", connection="c", suppressed=3, at_us=1)
    assert b64decode(letter.payload) == (b"\xff\x00" * 50_000)[:MAX_PAYLOAD_BYTES]
    assert (letter.payload_bytes, letter.reader, letter.suppressed) == (100_000, "producer-upbit", 3)
    assert wire.decode(DeadLetter, wire.encode(letter)) == letter
    assert dead_letter("\ud800", "x", exchange="u", connection="c", suppressed=0, at_us=1).payload
