"""Directories: where the XDG specification puts them, held by one stack at a time, removed when abandoned."""

import os
from pathlib import Path

import pytest

from devstack.places import (
    DataDirectory,
    cache_directory,
    remove_abandoned,
    searchable_by_others,
    state_directory,
    try_lock,
)
from shared.errors import WrongUse


def test_configured_directories_win_and_relative_ones_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    assert cache_directory({"XDG_CACHE_HOME": "/c"}) == Path("/c/tapewatch")
    assert cache_directory({"XDG_CACHE_HOME": "c"}) == Path("/home/somebody/.cache/tapewatch")
    assert state_directory({}) == Path("/home/somebody/.local/state/tapewatch")


def test_data_belong_to_one_stack_at_a_time(tmp_path: Path) -> None:
    first = DataDirectory(tmp_path / "data")
    with pytest.raises(WrongUse, match="in use by another stack"):
        DataDirectory(tmp_path / "data")
    first.close()
    DataDirectory(tmp_path / "data").close()
    assert (tmp_path / "data").exists()


def test_temporary_data_go_when_the_stack_does_unless_they_are_kept() -> None:
    gone, later, kept = DataDirectory(), DataDirectory(), DataDirectory()
    gone.close()
    later.close(keep=True)
    kept.close(for_good=True)
    assert [one.path.exists() for one in (gone, later, kept)] == [False, True, True]
    for one in (later, kept):
        os.utime(one.path, (0, 0))
    remove_abandoned(kept.path.parent)
    assert [one.path.exists() for one in (later, kept)] == [False, True]
    kept.path.rmdir()


def test_only_old_data_that_nobody_holds_count_as_abandoned(tmp_path: Path) -> None:
    old, held, young, other = (tmp_path / name for name in ("old", "held", "young", "other"))
    paths = [path.with_name(f"tapewatch-stack-{path.name}") for path in (old, held, young)]
    for path in (*paths, other):
        path.mkdir()
        (path / "data").write_text("x")
        (path / "lock").touch()
    lock = try_lock(paths[1] / "lock")
    assert lock is not None
    for path in (*paths[:2], other):
        os.utime(path, (0, 0))
    remove_abandoned(tmp_path)
    os.close(lock)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "other",
        "tapewatch-stack-held",
        "tapewatch-stack-young",
    ]


def test_a_private_directory_anywhere_above_keeps_others_out(tmp_path: Path) -> None:
    inner = tmp_path / "private" / "inner"
    inner.mkdir(parents=True)
    assert searchable_by_others(Path("/usr/bin"))
    (tmp_path / "private").chmod(0o700)
    assert not searchable_by_others(inner)
