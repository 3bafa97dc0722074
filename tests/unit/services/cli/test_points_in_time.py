"""Times as people type them."""

from datetime import UTC, datetime

import pytest

from services.cli.points_in_time import read_since, read_time
from shared.errors import WrongUse

NOON_US = int(datetime(2024, 11, 22, 12, 0, tzinfo=UTC).timestamp()) * 1_000_000  # 21:00 in Korea


def utc(day: int, hour: int, minute: int) -> int:
    return int(datetime(2024, 11, day, hour, minute, tzinfo=UTC).timestamp()) * 1_000_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20:30", utc(22, 11, 30)),
        ("22:27", utc(21, 13, 27)),
        ("11:59 UTC", utc(22, 11, 59)),
        ("12:01 utc", utc(21, 12, 1)),
        ("2024-11-22 22:27", utc(22, 13, 27)),
        ("2024-11-22 22:27 KST", utc(22, 13, 27)),
        ("2024-11-22T13:27Z", utc(22, 13, 27)),
        ("2024-11-22 13:27 UTC", utc(22, 13, 27)),
        ("2024-11-22T22:27+09:00", utc(22, 13, 27)),
    ],
)
def test_korean_time_unless_it_says_utc(text: str, expected: int) -> None:
    assert read_time(text, NOON_US) == expected


def test_how_long_ago() -> None:
    assert read_since("2h", NOON_US) == utc(22, 10, 0)
    assert read_since("20:30", NOON_US) == utc(22, 11, 30)


@pytest.mark.parametrize("text", ["", "25:00", "yesterday", "2024-13-01 10:00", "22.27"])
def test_what_is_no_time_is_said_in_one_line(text: str) -> None:
    with pytest.raises(WrongUse, match="is no time"):
        read_time(text, NOON_US)
