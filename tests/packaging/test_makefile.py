"""What `make` says on a machine that lacks something: one line that names it, and what to type."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.packaging.conftest import REPOSITORY

NOWHERE = "http://127.0.0.1:9/simple"  # the discard port: an index that nobody serves
OLD = '#!/bin/sh\n[ "$1" = -V ] && echo "Python 3.9.2" && exit\nexit 1\n'
WITHOUT_VENV = '#!/bin/sh\ncase "$2" in *venv*) exit 1;; esac\n'
HALF_WAY = """#!/bin/sh
[ "$2" = venv ] || exit 0
mkdir -p "$3/bin"; touch "$3/bin/python"
echo "No space left on device" >&2; exit 1
"""
Make = Callable[..., tuple[int, str]]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """``make("demo", PYTHON=…)`` in a bare copy of what it reads: exit status and everything said."""
    (tmp_path / "requirements").mkdir()
    for name in ("Makefile", "pyproject.toml", "requirements/demo.txt", "requirements/dev.txt"):
        shutil.copy(REPOSITORY / name, tmp_path / name)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "PIP_"))}

    def run(goal: str, python: str, **environment: str) -> tuple[int, str]:
        done = subprocess.run(
            ["make", goal, f"PYTHON={python}"],
            check=False,
            cwd=tmp_path,
            env=kept | environment,
            capture_output=True,
            text=True,
        )
        return done.returncode, done.stdout + done.stderr

    return run


def stub(directory: Path, script: str) -> str:
    path = directory / "python3.9"
    path.write_text(script)
    path.chmod(0o755)
    return str(path)


def test_no_python(make: Make) -> None:
    status, said = make("demo", "python3.99")
    assert status == 2
    assert "There is no python3.99. Type: sudo apt-get install python3.99 python3.99-venv\n" in said


def test_python_is_too_old(make: Make, tmp_path: Path) -> None:
    old = stub(tmp_path, OLD)
    status, said = make("demo", old)
    assert status == 2
    assert f"needs Python 3.11 or newer and {old} is Python 3.9.2. Type: make PYTHON=python3.11 demo\n" in said


def test_no_venv_module(make: Make, tmp_path: Path) -> None:
    python = stub(tmp_path, WITHOUT_VENV)
    status, said = make("test", python)
    assert status == 2
    assert f"{python} has no venv module. Type: sudo apt-get install python3.9-venv\n" in said


def test_a_venv_that_was_made_half_is_made_again(make: Make, tmp_path: Path) -> None:
    python = stub(tmp_path, HALF_WAY)
    for _ in range(2):
        status, said = make("demo", python)
        assert status == 2
        assert "No space left on device\n" in said
        assert "Preparing" not in said
        assert not (tmp_path / ".venv").exists()


@pytest.mark.long
@pytest.mark.timeout(120)
def test_a_refused_download_says_what_to_set_instead(make: Make) -> None:
    status, said = make("setup", sys.executable, PIP_INDEX_URL=NOWHERE, PIP_RETRIES="0", PIP_NO_CACHE_DIR="1")
    assert status == 2
    assert "point pip at your own index (PIP_INDEX_URL)" in said
    assert "TAPEWATCH_KAFKA__BOOTSTRAP_SERVERS=" in said
