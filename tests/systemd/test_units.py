"""The unit files themselves, checked by systemd's own tools."""

import re
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.core
UNITS = sorted((Path(__file__).parents[2] / "deploy" / "systemd").glob("*.service"))


@pytest.mark.parametrize("unit", UNITS, ids=[unit.name for unit in UNITS])
def test_the_sandbox_is_tight(unit: Path) -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=15", str(unit)],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-300:]
    assert done.stderr == ""


def test_there_are_units_to_check() -> None:
    assert len(UNITS) == 6


def test_nobody_but_who_needs_the_tables_waits_until_they_are_made() -> None:
    files = (*UNITS, *UNITS[0].parent.glob("*.d/*.conf"))
    after_setup = [
        file for file in files if re.search(r"^(After|Requires|Wants)=.*tapewatch-setup", file.read_text(), re.M)
    ]
    assert [file.parent.name for file in after_setup] == ["tapewatch-consumer@postgres.service.d"]


@pytest.mark.parametrize("unit", UNITS, ids=[unit.name for unit in UNITS])
def test_every_credential_that_a_unit_loads_has_a_directory_of_its_own(unit: Path) -> None:
    made = {line.split()[1] for line in (unit.parent / "tapewatch.tmpfiles").read_text().splitlines() if line[0] == "d"}
    lines = unit.read_text().splitlines()
    loaded = {line.partition(":")[2] for line in lines if line.startswith("LoadCredential=")}
    assert loaded <= made
