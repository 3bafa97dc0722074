import pytest

from shared.figures import figures

NOON_US = 1_700_000_000_000_000


@pytest.mark.parametrize(
    ("age_s", "says"),
    [
        (-2, "newest trade 0 s old"),
        (0.9, "newest trade 0 s old"),
        (119, "newest trade 119 s old"),
        (240, "newest trade 4 min old"),
        (7_199, "newest trade 119 min old"),
        (90_000, "newest trade 25 h old"),
    ],
)
def test_rate_lag_and_age_stand_in_one_line(age_s: float, says: str) -> None:
    line = figures("1,200 records/s", "0 behind", NOON_US - int(age_s * 1_000_000), NOON_US)
    assert line == f"1,200 records/s, 0 behind, {says}"


def test_before_the_first_trade_there_is_no_age() -> None:
    assert figures("0 records/s", "0 behind", 0, NOON_US) == "0 records/s, 0 behind, no trade since the start"
