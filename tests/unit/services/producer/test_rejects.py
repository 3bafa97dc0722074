from base64 import b64decode

from services.producer.rejects import FLOOD_AFTER_S, KEPT_AT_ONCE, MAX_PAYLOAD_BYTES, Allowance, Flood, dead_letter
from shared import wire
from shared.events import DeadLetter


def test_ten_at_once_then_one_a_second_and_the_rest_is_counted():
    allowance = Allowance()
    kept = [second for second in range(20) for _ in range(100) if allowance.take(float(second))]
    assert kept == [0] * KEPT_AT_ONCE + list(range(1, 20))
    assert allowance.suppressed == 20 * 100 - len(kept)


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
