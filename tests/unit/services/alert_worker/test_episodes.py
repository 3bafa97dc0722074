"""How long an episode takes up what moves again."""

import pytest

from services.alert_worker.episodes import Episode

HOUR = 36_000
"""In ticks."""


def episode(opened_tick: int = 0) -> Episode:
    return Episode(
        episode_id="e", rule_version="moves/1", direction=-1, before=1_000, before_at_us=0, started_tick=opened_tick,
        kind="move_abs", now=980, extreme=980, calm_since=opened_tick, step=0, counted=0.02, opened_tick=opened_tick,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("over", "moves", "belongs"), [(1, 12.9, True), (1, 13.1, False), (40, 47.9, True), (47, 48.1, False)]
)
def test_what_moves_within_half_a_day_belongs_to_it_for_two_days(over, moves, belongs) -> None:
    assert episode().takes_up(over * HOUR, round(moves * HOUR)) is belongs


@pytest.mark.parametrize("pause_h", [1, 5, 11])
def test_a_market_that_never_rests_is_a_message_every_other_day(pause_h) -> None:
    opened, going = 1, episode()
    for tick in range(0, 10 * 24 * HOUR, pause_h * HOUR):
        if not going.takes_up(tick - HOUR // 2, tick):
            opened, going = opened + 1, episode(tick)
    assert opened <= 5
