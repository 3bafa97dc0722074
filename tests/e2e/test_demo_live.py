"""The demo on exchanges that other people run, here another simulator: judged by what came."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.conftest import assert_nothing_amiss

pytestmark = [pytest.mark.long, pytest.mark.servers, pytest.mark.timeout(200)]
StartDemo = Callable[..., Any]


def test_live_reads_the_exchanges_of_the_settings_and_compares_with_what_came(
    start_demo: StartDemo, other_exchanges: dict[str, str]
) -> None:
    demo = start_demo("--live", "--seconds", "10", **other_exchanges)
    assert demo.wait() == 0, demo.output
    report = demo.report()
    assert (report["ok"], report["truth"], report["scenario"]) == (True, "received", "live")
    assert_nothing_amiss(report)
    assert "received in" in demo.output
    assert report["memory_mb"].keys() >= {"producer-upbit", "producer-binance"}


def test_live_and_no_exchange_to_reach_is_told_in_one_line(start_demo: StartDemo) -> None:
    away = {f"TAPEWATCH_{name}__REST_URL": "http://127.0.0.1:9" for name in ("UPBIT", "BINANCE")}
    demo = start_demo("--live", "--seconds", "10", TAPEWATCH_START__WAIT_S="5", **away)
    assert demo.wait() == 3, demo.output
    assert "no exchange sent a trade within 5 s" in demo.output.splitlines()[-1]
