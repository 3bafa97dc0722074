"""The record of a soak outlives its process, and what is no record is refused."""

from pathlib import Path

import pytest

from shared.errors import WrongUse
from tests.soak import __main__ as soak
from tests.soak.forget import forget_lines, lines_since
from tests.soak.record import load, save
from tests.soak.test_verdict import a_period, a_record


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    record = a_record(a_period(), a_period(caught_up_s=None, broken=["never caught up"]))
    save(record, tmp_path / "soak.json")
    assert load(tmp_path / "soak.json") == record
    assert [file.name for file in tmp_path.iterdir()] == ["soak.json"]


def test_without_a_record_there_is_none(tmp_path: Path) -> None:
    assert load(tmp_path / "soak.json") is None


def test_what_is_no_record_is_refused(tmp_path: Path) -> None:
    (tmp_path / "soak.json").write_text("{}")
    with pytest.raises(WrongUse, match="no record of a soak"):
        load(tmp_path / "soak.json")


def test_of_the_truth_the_end_stays_in_the_same_file(tmp_path: Path) -> None:
    truth = tmp_path / "truth.jsonl"
    lines = [b'{"channel":"trade","published_at_us":%d}\n' % at_us for at_us in (1, 2, 3, 4)]
    truth.write_bytes(b"".join(lines))
    with truth.open("ab") as writer:
        assert forget_lines(truth, 3) == 2
        writer.write(b"next\n")
    assert truth.read_bytes() == lines[2] + lines[3] + b"next\n"
    assert lines_since(lines, 5) == []


def test_a_record_of_another_seed_is_not_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "soak.json"
    save(a_record(a_period()), state)
    monkeypatch.setattr("sys.argv", ["soak", "--kills", "50", "--seed", "2", "--state", str(state)])

    assert soak.main() == WrongUse.exit_code
    (line,) = capsys.readouterr().err.splitlines()
    assert "a soak with seed 1, not 2" in line
    assert "ARGS=--fresh" in line

    monkeypatch.setattr(
        "sys.argv", ["soak", "--kills", "50", "--seed", "1", "--calm-minutes", "0", "--state", str(state)]
    )
    assert soak.main() == 0
