"""The demo's simulator, a process that runs in another directory than the person who started the demo."""

import os
from pathlib import Path

import pytest

from services.cli.demo.handing_on import handed_on
from services.cli.demo.options import DemoOptions
from services.cli.demo.simulated import Simulated


async def test_it_reads_a_settings_file_that_is_named_from_where_the_person_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.toml").write_text("[alerts]\nlanguage = 'ko'\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo").mkdir()
    simulated = Simulated(tmp_path / "demo", handed_on({**os.environ, "TAPEWATCH_CONFIG": "mine.toml"}))
    try:
        await simulated.start(DemoOptions())
        assert simulated.addresses
    finally:
        await simulated.close()
