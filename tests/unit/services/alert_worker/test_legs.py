"""A leg begins with an opening, and whenever an episode's next word is of another start than its last one."""

import pytest

from services.alert_worker import legs
from services.alert_worker.legs import Legs


@pytest.fixture
def begins(make_alert):
    kept = Legs()

    def ask(state: str, started_at_us: int, episode_id: str = "e1") -> bool:
        nonlocal kept
        after = Legs()
        after.unpack(kept.packed())
        kept = after
        return kept.begins(make_alert(state, started_at_us=started_at_us, episode_id=episode_id))

    return ask


def test_an_opening_and_each_further_leg_begin_and_steps_do_not(begins) -> None:
    assert [begins("open", 10), begins("escalate", 10), begins("escalate", 20), begins("escalate", 20)] == [
        True, False, True, False,
    ]  # fmt: skip


def test_an_end_begins_nothing_and_what_follows_it_does(begins) -> None:
    assert [begins("open", 10), begins("resolve", 10), begins("escalate", 30)] == [True, False, True]


def test_episodes_are_told_apart(begins) -> None:
    assert begins("open", 10)
    assert begins("open", 10, "e2")
    assert not begins("escalate", 10)


def test_it_is_bounded(begins, monkeypatch) -> None:
    monkeypatch.setattr(legs, "MOST_EPISODES", 1)
    begins("open", 10)
    begins("open", 10, "e2")
    assert not begins("escalate", 10, "e2")
    assert begins("escalate", 10), "forgotten, as the oldest"
