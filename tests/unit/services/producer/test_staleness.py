import random

from services.producer.staleness import FIRST_DATA_S, SHORTEST_S, Silence


def _seconds_until_stale(silence, frames):
    for second in range(1, 100_000):
        if silence.look(frames):
            return second
    return None


def test_a_busy_connection_may_be_silent_for_ten_seconds():
    silence = Silence()
    for second in range(1, 1201):
        assert not silence.look(second * 50)
    assert _seconds_until_stale(silence, 1200 * 50) == SHORTEST_S


def test_a_young_busy_connection_may_be_silent_somewhat_longer():
    silence = Silence()
    for second in range(1, 61):
        assert not silence.look(second * 50)
    assert SHORTEST_S < (_seconds_until_stale(silence, 3000) or 0) < FIRST_DATA_S


def test_before_any_data_it_takes_a_minute():
    assert _seconds_until_stale(Silence(), 0) == FIRST_DATA_S


def test_a_quiet_connection_is_left_alone():
    rng, silence, frames = random.Random(1), Silence(), 0
    for _ in range(20_000):
        frames += rng.random() < 1 / 30
        assert not silence.look(frames)
    assert silence.limit_s > 300


def test_a_burst_does_not_make_a_quiet_connection_look_busy():
    silence, frames = Silence(), 0
    for second in range(1200):
        frames += second % 40 == 0
        assert not silence.look(frames)
    frames += 10_000
    assert not silence.look(frames)
    taken = _seconds_until_stale(silence, frames)
    assert taken is not None
    assert taken > 200
