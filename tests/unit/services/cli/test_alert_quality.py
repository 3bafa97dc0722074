"""The histories that the document names are those that are there: a name without a file would drop out unseen."""

import os
from pathlib import Path

import pytest

from services.cli.alert_quality import HELD_OUT_BITCOIN, PICTURES, QUIET, TUNED

HISTORIES = Path(os.environ.get("TAPEWATCH_RECORDINGS") or Path(__file__).parents[5] / "shared/recordings") / "history"


@pytest.mark.needs_recordings
def test_every_history_that_is_named_is_there() -> None:
    if not HISTORIES.is_dir():
        pytest.skip("needs_recordings")
    there = {file.name.split(".")[0] for file in HISTORIES.iterdir()}
    assert {*TUNED, *HELD_OUT_BITCOIN, *PICTURES, QUIET} <= there


def test_what_was_tuned_on_is_not_held_out() -> None:
    assert not set(TUNED) & set(HELD_OUT_BITCOIN)
