"""Event time: what closes a tick, and what does not."""

from services.alert_worker.grid import AHEAD_US, BEHIND_US, ENOUGH_HEARD, GRID_US, LATENESS_US, Grid, tick_of

START_US = 1_700_000_000_000_000
DELAY_US = 50_000


def heard(seconds: float = 1.0) -> Grid[str]:
    grid: Grid[str] = Grid()
    for number in range(int(seconds * 20)):
        at_us = START_US + number * 50_000
        grid.hear(at_us, at_us + DELAY_US)
    return grid


def test_a_tick_holds_what_happened_up_to_it() -> None:
    assert tick_of(START_US) * GRID_US == START_US
    assert tick_of(START_US + 1) * GRID_US == START_US + GRID_US


def test_a_tick_closes_two_hundred_milliseconds_after_it() -> None:
    assert heard().closed * GRID_US == START_US + 950_000 - LATENESS_US - 50_000


def test_nothing_closes_before_the_delay_is_known() -> None:
    grid: Grid[str] = Grid()
    for number in range(ENOUGH_HEARD - 1):
        assert not grid.hear(START_US + number * 1_000_000, START_US + number * 1_000_000)
    assert not grid.run_on(START_US + 60_000_000)
    assert grid.closed == 0


def test_closed_ticks_come_out_once_and_in_order() -> None:
    grid = heard()
    now = grid.closed
    for tick, name in ((now + 5, "later"), (now, "second"), (now - 3, "first"), (now, "third")):
        grid.waiting_at.setdefault(tick, []).append(name)
    assert list(grid.take()) == [(now - 3, ["first"]), (now, ["second", "third"])]
    assert list(grid.take()) == []
    assert list(grid.waiting()) == ["later"]


def test_our_clock_runs_on_with_the_exchanges_delay() -> None:
    grid = heard()
    assert grid.run_on(START_US + 5_000_000 + DELAY_US)
    assert grid.closed * GRID_US == START_US + 5_000_000 - LATENESS_US
    assert not grid.run_on(START_US)


def test_a_stamp_far_ahead_moves_nothing() -> None:
    grid = heard()
    closed = grid.closed
    grid.hear(START_US + 950_000 + AHEAD_US * 2, START_US + 950_000 + DELAY_US)
    assert grid.closed == closed


def test_what_is_sane_follows_the_exchanges_own_clock() -> None:
    grid = heard()
    least_us, most_us = grid.least_delay_us, grid.most_delay_us
    assert least_us <= DELAY_US <= most_us
    assert least_us <= BEHIND_US <= most_us
    assert not least_us <= BEHIND_US + 1_000_000 <= most_us
    assert not least_us <= -AHEAD_US - 1_000_000 <= most_us


def test_a_clock_that_jumps_begins_a_new_era() -> None:
    grid = heard()
    year_us = 365 * 86_400_000_000
    for number in range(40):
        at_us = START_US - year_us + number * 50_000
        grid.hear(at_us, START_US + 1_000_000 + number * 50_000)
    assert grid.era == 1
    assert START_US - year_us < grid.closed * GRID_US < START_US - year_us + 2_000_000


def test_packing_and_unpacking_changes_nothing() -> None:
    grid, again = heard(), Grid[str]()
    again.unpack(grid.packed())
    for one in (grid, again):
        one.hear(START_US + 3_000_000, START_US + 3_000_000 + DELAY_US)
    assert again.packed() == grid.packed()
