import pytest

from services.producer.pace import QUIET_FACTOR, Pace

FLUSH_S = 0.005


def _settled(rate):
    """The wait after ten seconds at `rate` records a second."""
    pace, now_us, wait_s, left = Pace(FLUSH_S), 0, FLUSH_S, 0.0
    while now_us < 10_000_000:
        now_us += int(wait_s * 1e6)
        left += rate * wait_s
        wait_s = pace.wait_s(int(left), now_us)
        left -= int(left)
    return wait_s


@pytest.mark.parametrize(("rate", "factor"), [(10, QUIET_FACTOR), (500, QUIET_FACTOR), (1000, 1), (50_000, 1)])
def test_the_wait_follows_the_rate_and_not_its_own_choice(rate, factor):
    assert _settled(rate) == FLUSH_S * factor


def test_a_burst_ends_the_quiet_at_once_and_quiet_comes_back():
    pace = Pace(FLUSH_S)
    assert pace.wait_s(1, 0) == FLUSH_S * QUIET_FACTOR
    assert pace.wait_s(2000, 1000) == FLUSH_S
    assert pace.wait_s(1, 5_000_000) == FLUSH_S * QUIET_FACTOR


def test_a_clock_that_steps_back_does_no_harm():
    pace = Pace(FLUSH_S)
    pace.wait_s(10, 10_000_000)
    assert pace.wait_s(10, 0) == FLUSH_S * QUIET_FACTOR
