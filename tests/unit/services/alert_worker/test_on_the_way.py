"""What a partition with nothing to read is given before its clock runs on."""

from services.alert_worker.grid import GRID_US
from services.alert_worker.on_the_way import LEAST_US, MOST_US, OnTheWay
from services.alert_worker.watch import MOST_WAIT_TICKS

NOW_US = 1_700_000_000_000_000


def test_while_records_come_at_once_it_is_the_least() -> None:
    way = OnTheWay()
    assert way.longest_us(NOW_US) == LEAST_US
    way.note(NOW_US - 5_000, NOW_US)
    assert way.longest_us(NOW_US) == LEAST_US


def test_the_longest_way_counts_for_five_seconds_at_least_and_is_then_forgotten() -> None:
    way = OnTheWay()
    way.note(NOW_US - 300_000, NOW_US)
    for at_us in range(NOW_US, NOW_US + 5_000_000, 100_000):
        way.note(at_us - 5_000, at_us)
        assert way.longest_us(at_us) == 300_000
    for at_us in range(NOW_US + 5_000_000, NOW_US + 10_100_000, 100_000):
        way.note(at_us - 5_000, at_us)
    assert way.longest_us(at_us) == LEAST_US


def test_it_is_forgotten_also_when_nothing_comes_any_more() -> None:
    way = OnTheWay()
    way.note(NOW_US - 300_000, NOW_US)
    assert way.longest_us(NOW_US + 4_000_000) == 300_000
    assert way.longest_us(NOW_US + 20_000_000) == LEAST_US


def test_nobody_is_waited_for_without_end() -> None:
    way = OnTheWay()
    way.note(NOW_US - 3_600_000_000, NOW_US)
    assert way.longest_us(NOW_US) == MOST_US


def test_a_clock_ahead_of_ours_changes_nothing() -> None:
    way = OnTheWay()
    way.note(NOW_US + 3_000_000, NOW_US)
    assert way.longest_us(NOW_US) == LEAST_US


def test_an_idle_partition_of_an_exchange_that_is_half_a_second_slower_is_still_waited_for() -> None:
    assert MOST_US + 500_000 < MOST_WAIT_TICKS * GRID_US
