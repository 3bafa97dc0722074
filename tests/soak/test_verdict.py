"""What breaks a soak: each invariant by itself, and a trend over its periods that one outlier does not make."""

from typing import Any

import pytest

from tests.soak.record import Period, Record
from tests.soak.slope import slope
from tests.soak.table import document, verdict
from tests.soak.verdict import broken, broken_in, growth


def a_period(**changed: Any) -> Period:
    values: dict[str, Any] = {
        "world": 1,
        "blows": 50,
        "kills": {"redis": 30, "consumer-redis": 28, "producer-upbit": 2},
        "published": 200_000,
        "lost": 0,
        "doubled": 0,
        "out_of_order": 0,
        "wrong": 0,
        "in_gaps": 1_234,
        "gaps": 7,
        "caught_up_s": 2.5,
        "restarts": 40,
        "flowed_s": 100.0,
        "seconds": 120.0,
        "memory_mb": {"alert-worker": 60.0, "redis": 20.0},
        "open_files": {"alert-worker": 9, "redis": 15},
    }
    return Period(**(values | changed))


def a_record(*periods: Period) -> Record:
    return Record(seed=1, rate=2_000.0, worlds=1, periods=list(periods))


def with_memory(*sizes_mb: float) -> Record:
    return a_record(*(a_period(memory_mb={"alert-worker": size_mb, "redis": 2 * size_mb}) for size_mb in sizes_mb))


def test_a_good_period_breaks_nothing() -> None:
    assert list(broken_in(a_period())) == []


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"lost": 1}, "1 lost"),
        ({"doubled": 2}, "2 doubled"),
        ({"out_of_order": 3}, "3 out of order"),
        ({"wrong": 4}, "4 wrong"),
        ({"in_gaps": 16_001}, "16,001 in gaps, though killed producers can have missed 16,000 at most"),
        ({"kills": {"redis": 60}}, "1,234 in gaps, though killed producers can have missed 0 at most"),
        ({"caught_up_s": None}, "never caught up"),
        ({"published": 0, "in_gaps": 0}, "nothing was published, so nothing is proven"),
        ({"memory_mb": {"alert-worker": 301.0}}, "alert-worker took 301 MB"),
    ],
)
def test_each_invariant_is_noticed(changed: dict[str, Any], text: str) -> None:
    assert list(broken_in(a_period(**changed))) == [text]


def test_what_broke_in_one_period_is_told_of_the_whole() -> None:
    record = a_record(a_period(), a_period(lost=1, broken=["1 lost"]))
    assert broken(record) == ["period 2: 1 lost"]
    assert verdict(record) == "broken: period 2: 1 lost"


def test_the_slope_is_that_of_most_pairs() -> None:
    assert slope([(0, 1), (1, 2), (2, 3)]) == 1
    assert slope([(0, 5), (1, 5), (2, 500), (3, 5), (4, 5)]) == 0
    assert slope([(0, 5)]) == 0
    assert slope([]) == 0


def test_memory_that_grows_is_noticed_and_one_peak_is_none() -> None:
    assert broken(with_memory(*(60.0 + 3 * step for step in range(10)))) == [
        "the memory of alert-worker grew by 27.0 MB"
    ]
    assert broken(with_memory(60, 60, 60, 260, 60, 60, 60, 60, 60, 60)) == []


def test_files_that_are_left_open_are_noticed() -> None:
    record = a_record(*(a_period(open_files={"alert-worker": 9 + step}) for step in range(10)))
    assert broken(record) == ["the open files of alert-worker grew by 9"]


def test_periods_of_different_worlds_are_no_trend() -> None:
    sizes = [a_period(world=world, memory_mb={"alert-worker": 60.0 * world}) for world in (1, 2) for _ in range(8)]
    assert growth(sizes, "memory_mb") == {"alert-worker": 0.0}


def test_a_soak_that_was_interrupted_too_often_says_that_growth_was_not_judged() -> None:
    held = "nothing was lost outside a recorded gap, nothing doubled, nothing out of order"
    grows = [{"memory_mb": {"alert-worker": 60.0 + 9 * step}} for step in range(10)]
    interrupted = a_record(*(a_period(world=step // 5, **one) for step, one in enumerate(grows)))
    assert verdict(interrupted) == (
        f"{held}; whether memory or open files grew over the blows was not judged: "
        "that takes 8 periods without an interruption, and there were 5"
    )
    assert verdict(a_record(*(a_period() for _ in range(8)))) == held


def test_the_document_tells_every_period_the_sum_and_the_verdict() -> None:
    text = document(a_record(a_period(), a_period(published=1), a_period()))
    assert "100 blows" not in text
    assert "150 blows" in text
    assert "| all | 150 | 180 | 400,001 | 0 | 0 | 0 | 0 | 3,702 | 21 | 2.5 | 120 | 60 | 15 |" in text
    assert "nothing was lost outside a recorded gap" in text
    assert "This is a part: a full result has 1,000 blows." in text
    assert "This is a part" not in document(a_record(a_period(blows=1_000)))
    assert "| redis | 90 |" in text
    assert "| alert-worker | 60 | 60 | +0.0 | 9 | 9 | +0.0 |" in text
