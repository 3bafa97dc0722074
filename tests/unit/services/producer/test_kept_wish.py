"""What an exchange asked for outlives the process, whatever became of clock and disk meanwhile."""

from pathlib import Path

import msgspec
import pytest

from services.producer.endings import LONGEST_BAN_S, LONGEST_WAIT_S
from services.producer.kept_wish import Wish, forget_wish, keep_wish, read_wish

S, ASKED_US = 1_000_000, 1_700_000_000_000_000
HOUR = Wish(ASKED_US, ASKED_US + 3_600 * S, "HTTP 418")


@pytest.mark.parametrize(("after_s", "left_s"), [
    (0, 3_600), (600, 3_000), (3_600, 0), (1e9, 0),
    (-60, 3_600), (-299, 3_600), (-301, LONGEST_WAIT_S), (-2e8, LONGEST_WAIT_S),
], ids=["at once", "later", "over", "set ahead", "set back", "by minutes", "by more", "not set yet"])  # fmt: skip
def test_it_is_waited_for_as_long_as_was_asked_and_never_longer(after_s: float, left_s: float) -> None:
    assert HOUR.left_s(ASKED_US + int(after_s * S)) == left_s


def test_nothing_is_believed_for_more_than_a_week() -> None:
    assert Wish(ASKED_US, ASKED_US + 10**18, "x").left_s(ASKED_US) == LONGEST_BAN_S


def test_it_comes_back_as_it_was_kept(tmp_path: Path) -> None:
    path = tmp_path / "state" / "quiet-binance.json"
    assert read_wish(path) is None
    keep_wish(path, HOUR)
    assert read_wish(path) == HOUR
    assert [one.name for one in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("content", [
    b"", b"{", b"[]", b'{"asked_at_us":"x"}', b"\xff", b'{"refusal":"\xff"}',
    b'{"x":' + b"[" * 100_000, msgspec.json.encode(Wish(0, 10**18, "x")),
])  # fmt: skip
def test_what_cannot_be_read_is_no_wish(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "quiet-binance.json"
    path.write_bytes(content)
    assert read_wish(path) is None


def test_a_disk_that_takes_nothing_costs_only_the_memory(tmp_path: Path) -> None:
    (tmp_path / "state").write_bytes(b"a file where the directory should be")
    path = tmp_path / "state" / "quiet-binance.json"
    keep_wish(path, HOUR)
    forget_wish(path)
    assert read_wish(path) is None


def test_what_is_over_is_removed_and_once_more_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "quiet-binance.json"
    keep_wish(path, HOUR)
    for _ in range(2):
        forget_wish(path)
        assert not path.exists()
