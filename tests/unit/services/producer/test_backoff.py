import random

from hypothesis import given
from hypothesis import strategies as st

from services.producer.backoff import HEALTHY_AFTER_S, LONGEST_S, Backoff, rotate_after_s
from services.producer.exchanges.binance import Binance


def _longest(_low, high):
    return high


def test_waits_double_up_to_a_limit():
    backoff = Backoff(_longest)
    assert [backoff.next_s(data_for_s=0) for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]


def test_an_exchange_that_accepts_and_hangs_up_is_not_called_faster():
    backoff = Backoff(_longest)
    waits = [backoff.next_s(data_for_s=HEALTHY_AFTER_S - 1) for _ in range(5)]
    assert waits == sorted(waits)
    assert waits[-1] == 8
    assert backoff.next_s(data_for_s=HEALTHY_AFTER_S) == 0.5


def test_what_would_be_refused_again_waits_longest():
    backoff = Backoff(_longest)
    assert backoff.next_s(data_for_s=100, permanent=True) == LONGEST_S


@given(st.lists(st.floats(0, 100), max_size=30), st.randoms(use_true_random=False))
def test_every_wait_is_within_bounds(healthy, rng):
    backoff = Backoff(rng.uniform)
    assert all(0 <= backoff.next_s(data_for_s=s) <= LONGEST_S for s in healthy)


def test_connections_are_replaced_at_different_times_and_all_before_the_exchange_would_cut_them():
    uniform = random.Random(1).uniform
    times_s = {rotate_after_s(Binance.conduct.rotate_s, uniform) for _ in range(1000)}
    assert len(times_s) == 1000
    assert 22.5 * 3600 < min(times_s) < 22.6 * 3600
    assert 23.4 * 3600 < max(times_s) < 23.5 * 3600
