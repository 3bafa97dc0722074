"""What the tests of `devstack` share."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest


def _gone(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return status.rpartition(")")[2].split()[0] == "Z"  # nobody may be there to collect its status


@pytest.fixture
def wait_until_gone() -> Callable[[list[int]], list[int]]:
    """Wait until no such process runs; those that still do after ten seconds."""

    def wait(pids: list[int]) -> list[int]:
        deadline = time.monotonic() + 10
        while (left := [pid for pid in pids if not _gone(pid)]) and time.monotonic() < deadline:
            time.sleep(0.02)
        return left

    return wait


@pytest.fixture
def is_gone() -> Callable[[int], bool]:
    """Whether no such process runs now."""
    return _gone
