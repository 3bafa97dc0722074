"""What grows in the calm is told from noise, and what only may grow is not called flat."""

from random import Random

import pytest

from tests.soak.calm_table import CALM, calm_part
from tests.soak.record import Calm, Look
from tests.soak.steadiness import trends
from tests.soak.table import page
from tests.soak.test_verdict import a_period, a_record
from tests.soak.verdict import OURS, broken_in_calm

LOOKS, MINUTES = 120, 10.0


def a_calm(mb_per_h: float = 0.0, scatter_mb: float = 0.0, files_per_h: float = 0.0, restarts: int = 0) -> Calm:
    """Every process of ours is still, but the alert worker."""
    random = Random(7)

    def look(hours: float) -> Look:
        still = dict.fromkeys(OURS, 70.0)
        size_mb = 80 + mb_per_h * hours + random.uniform(-scatter_mb, scatter_mb)
        files = dict.fromkeys(OURS, 10) | {"alert-worker": 10 + int(files_per_h * hours)}
        return Look(at_s=hours * 3_600, memory_mb=still | {"alert-worker": size_mb}, open_files=files)

    looks = [look(MINUTES / 60 * number / (LOOKS - 1)) for number in range(LOOKS)]
    return Calm(warm_up_s=180, seconds=MINUTES * 60, published=1_200_000, restarts=restarts, looks=looks)


@pytest.mark.parametrize(
    ("mb_per_h", "scatter_mb", "is_flat", "grows"),
    [
        (0.0, 0.0, True, False),
        (0.5, 0.01, True, False),
        (3.0, 0.01, False, True),
        (0.0, 0.3, False, False),
        (60.0, 0.3, False, True),
    ],
)
def test_a_slope_counts_where_it_is_more_than_noise(
    mb_per_h: float, scatter_mb: float, is_flat: bool, grows: bool
) -> None:
    (worker,) = [one for one in trends(a_calm(mb_per_h, scatter_mb)) if one.name == "alert-worker"]
    assert (worker.is_flat, worker.grows) == (is_flat, grows)
    assert abs(worker.mb_per_h - mb_per_h) <= worker.noise_mb_per_h + 1e-6


def test_what_breaks_the_calm_is_told() -> None:
    assert broken_in_calm(a_calm()) == []
    (grew,) = broken_in_calm(a_calm(mb_per_h=3.0))
    assert grew == "the memory of alert-worker grew by 3.0 MB an hour in the calm, give or take 0.0"
    (files,) = broken_in_calm(a_calm(files_per_h=60.0))
    assert files == "alert-worker had 59 files more open each hour"
    assert broken_in_calm(a_calm(restarts=2)) == ["services ended by themselves in the calm, 2 times"]


def test_a_process_that_was_not_there_all_the_time_is_told() -> None:
    calm = a_calm()
    del calm.looks[5].memory_mb["consumer-redis"]
    assert broken_in_calm(calm) == ["consumer-redis was not there all through the calm"]


def test_the_part_of_the_calm_says_how_long_and_what_is_proven() -> None:
    text = calm_part(a_calm(), "make soak KILLS=0")
    assert "after 3 minutes of warm-up, 10 minutes at\n2,000 messages a second" in text
    assert "**Result: nothing grew; 5 of 5 are proven flat.**" in text
    assert "| alert-worker | 80.0 | 80.0 | +0.00 | 0.00 | 10 | 10 | flat |" in text
    assert "4 of 5 are proven flat" in calm_part(a_calm(scatter_mb=0.3), "make soak KILLS=0")


def test_each_part_of_the_page_is_written_by_itself() -> None:
    blows, calm = a_record(a_period()), a_record()
    calm.calm = a_calm()
    first = page("", blows, "one")
    both = page(first, calm, "two")
    assert both.startswith(first.rstrip())
    assert both.count(CALM) == 1
    again = page(both, a_record(a_period(), a_period()), "three")
    assert "100 blows" in again
    assert again.partition(CALM)[2] == both.partition(CALM)[2]
