from hypothesis import given
from hypothesis import strategies as st

from shared.waiting import Wait, read

NAMES = st.sampled_from(["Kafka", "upbit", "postgres"])
REASONS = st.text(st.characters(exclude_characters=";", exclude_categories=["C", "Z"]), min_size=1)


@given(st.builds(Wait, NAMES, st.integers(0, 10**6), REASONS, st.booleans()), st.text())
def test_what_is_written_is_read_again_whatever_is_said_after_it(wait: Wait, more: str) -> None:
    assert read(f"{wait}; {more}") == wait
    assert read(str(wait)) == wait


def test_who_gets_on_or_stands_still_waits_for_nothing() -> None:
    for status in ("", "12 records/s, 0 behind", "no progress for 30 s: waiting for Kafka for 40 s: away", "waiting"):
        assert read(status) is None
