import pytest

from services.consumer.batch import Slice
from services.consumer.sinks.redis_positions import Position


@pytest.mark.parametrize("text", ["- 1 abc owner", "12345 7 abc owner"])
def test_a_position_is_spelled_as_it_is_read(text: str) -> None:
    assert str(Position.parse(text)) == text


def test_before_the_first_batch_there_is_no_offset() -> None:
    assert Position.parse("- 3 abc owner") == Position(None, 3, "abc", "owner")


@pytest.mark.parametrize("text", ["", "1 2 3", "x 1 abc owner", "1 x abc owner", "1 1 abc owner more"])
def test_anything_else_is_none_of_ours(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Position.parse(text)


def test_a_position_moves_forward_within_its_generation() -> None:
    moved = Position(5, 2, "abc", "owner").after(Slice("t", 0, 5, 9, [], []))

    assert moved == Position(9, 2, "abc", "owner")


def test_going_back_begins_a_generation_because_offsets_are_used_again() -> None:
    moved = Position(120, 2, "abc", "owner").after(Slice("t", 0, 120, 40, [], []))

    assert moved == Position(40, 3, "abc", "owner")
