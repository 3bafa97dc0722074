"""Recorded frames through the whole product, byte for byte as they were sent: every set that can be played."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.long, pytest.mark.servers, pytest.mark.needs_recordings, pytest.mark.timeout(200)]
StartDemo = Callable[..., Any]


@pytest.fixture
def recordings() -> Path:
    """The folder of recordings: named by TAPEWATCH_RECORDINGS, or beside the checkout."""
    named = os.environ.get("TAPEWATCH_RECORDINGS")
    folder = Path(named) if named else Path(__file__).parents[3] / "shared" / "recordings"
    if not folder.is_dir():
        pytest.skip("needs_recordings")
    return folder / "ws"


def test_all_sets_at_once_are_stored_to_the_last_digit(start_demo: StartDemo, recordings: Path) -> None:
    sets = ("upbit/20210405_simple", "upbit/20250714_default", "binance_spot/20240808")
    prefixes = [word for name in sets for word in ("--recordings", str(recordings / name))]
    demo = start_demo(*prefixes, "--speed", "40", "--seconds", "60")
    assert demo.wait() == 0, demo.output
    report = demo.report()
    assert report["faults"] == []
    assert report["published"] == {"trade": 672 + 9757 + 6106, "ticker": 273, "orderbook": 1061}
    for channel, count in report["published"].items():
        assert report["kafka"][channel]["expected"] == count
    assert report["kafka"]["trade"]["found"] == report["postgres"]["trade"]["found"] == report["published"]["trade"]
    assert "depth_100ms" in demo.output


@pytest.mark.parametrize(
    ("name", "trades", "speed", "seconds"), [("20210405_10sym", 1240, "60", "60"), ("20210417_10sym", 24, "10", "20")]
)
def test_aggregated_trades_are_read_where_there_are_no_others(
    start_demo: StartDemo, recordings: Path, name: str, trades: int, speed: str, seconds: str
) -> None:
    prefix = recordings / "binance_spot" / name
    demo = start_demo("--recordings", str(prefix), "--speed", speed, "--seconds", seconds)
    assert demo.wait() == 0, demo.output
    assert demo.report()["published"]["trade"] == demo.report()["postgres"]["trade"]["found"] == trades
