"""What a start keeps of the records of all that was ever told."""

import pytest

from services.alert_worker.remembering import Remembered
from services.alert_worker.told import GOES_ON_US, OPEN_US
from shared.events import Notification

NOW = 1_700_000_007_000_000


def note(
    *told: str, ago_us: int, stage: str = "sent", episodes: tuple[str, ...] = (), **changes: object
) -> Notification:
    fields: dict[str, object] = {
        "episode_id": f"storm-{episodes[0]}" if episodes else told[-1].partition("-")[0], "notifier": "x",
        "stage": stage, "alert_id": told[-1], "alert_ids": list(told), "at_us": NOW - ago_us,
        "episodes": list(episodes),
    } | changes  # fmt: skip
    return Notification(**fields)  # type: ignore[arg-type]


def kept(*records: Notification) -> set[str]:
    remembered = Remembered(NOW)
    for record in records:
        remembered.take(record)
    return set(remembered.newest)


@pytest.mark.parametrize(("end", "us"), [("1-resolve", GOES_ON_US), ("notice", GOES_ON_US), ("2-escalate", OPEN_US)])
def test_what_is_over_is_kept_for_two_days_and_what_is_not_for_a_month(end, us) -> None:
    assert kept(note(f"a-{end}", ago_us=us), note(f"b-{end}", ago_us=us + 1)) == {"a"}


def test_an_end_that_may_not_have_been_told_is_none() -> None:
    assert kept(note("a-2-resolve", ago_us=GOES_ON_US + 1, stage="intent")) == {"a"}


@pytest.mark.parametrize(
    ("told", "is_kept"),
    [
        (["a-1-open", "a-2-resolve", "b-1-open", "b-2-resolve"], False),
        (["a-1-open", "a-2-resolve", "b-1-open"], True),
        (["a-1-open", "a-2-resolve", "a-3-escalate", "b-1-open", "b-2-resolve"], True),
        (["a-1-open", "a-2-resolve"], True),
        (["a-1-open", "a-with-c-7-open", "a-2-resolve", "b-2-resolve"], False),
    ],
    ids=["all-over", "one-goes-on", "one-goes-on-again", "of-one-nothing-is-told", "with-another-exchange"],
)
def test_a_message_of_several_is_over_when_all_of_them_are(told, is_kept) -> None:
    assert bool(kept(note(*told, ago_us=GOES_ON_US + 1, episodes=("a", "b")))) == is_kept


def test_the_newest_word_decides_whichever_it_is() -> None:
    over, opened = note("a-1-open", "a-2-resolve", ago_us=GOES_ON_US + 1), note("a-1-open", ago_us=GOES_ON_US + 9)
    assert kept(opened, over) == set()
    assert kept(opened, over, note("a-3-escalate", ago_us=5)) == {"a"}


def test_a_clock_that_was_ahead_makes_nothing_past() -> None:
    assert kept(note("a-2-resolve", ago_us=-OPEN_US)) == {"a"}


def test_after_years_little_is_kept_at_any_time_and_reading_resumes_where_it_was() -> None:
    remembered, most = Remembered(NOW), 0
    for number in range(5_000):
        ago_us = (5_000 - number) * 3_600_000_000
        ends = [f"{name}{number}-2-resolve" for name in "ab"]
        remembered.take(note(ends[0], ago_us=ago_us, settled_offset=number))
        remembered.take(note(*ends, ago_us=ago_us, settled_offset=number, episodes=(f"a{number}", f"b{number}")))
        most = max(most, len(remembered.newest))
    assert most <= 2 * 48
    assert remembered.resume == 4_999
    assert Remembered(NOW).resume is None
