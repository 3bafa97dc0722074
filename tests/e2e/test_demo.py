"""The whole product, end to end: real servers, every service a process of its own, judged by what was published."""

import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from redis import Redis

from tests.e2e.conftest import assert_nothing_amiss

pytestmark = [pytest.mark.servers, pytest.mark.timeout(200)]
Demo = Any
StartDemo = Callable[..., Demo]


def test_a_flash_crash_is_told_and_nothing_is_lost(start_demo: StartDemo) -> None:
    demo = start_demo("--seconds", "20", "--scenario", "flash-crash")
    assert demo.wait() == 0, demo.output
    report = demo.report()
    assert report["ok"] is True
    assert report["scenario"] == "flash-crash"
    assert report["truth"] == "published"
    assert 19 <= report["seconds"] <= 22
    assert_nothing_amiss(report)
    assert report["unheard"]["trade"] == 0
    assert report["gaps"] == {"open": 0, "closed": 0}
    assert report["restarts"] == dict.fromkeys(report["restarts"], 0)
    assert set(report["memory_mb"]) == set(report["restarts"])
    assert min(report["memory_mb"].values()) > 10
    for sink in ("redis", "postgres"):
        latency = report["latency_ms"][sink]
        assert 0 < latency["p50"] <= latency["p99"] <= latency["max"]
    [alert] = report["alerts"]
    assert (alert["exchange"], alert["symbol"]) == ("upbit", "KRW-BTC")
    assert alert["opened_at_us"] < alert["resolved_at_us"]
    assert alert["decision_ms"] > 0
    assert alert["slack_ms"] > 0
    assert report["slack"]["messages"] >= 1
    assert report["slack"]["updates"] >= 1
    assert report["slack"]["rejected"] == 0


@pytest.mark.long
@pytest.mark.parametrize("scenario", ["market-crash", "upbit-crash"])
def test_a_fall_of_many_markets_is_told_in_a_handful_of_messages(start_demo: StartDemo, scenario: str) -> None:
    demo = start_demo("--seconds", "20", "--scenario", scenario)
    assert demo.wait() == 0, demo.output
    report = demo.report()
    assert_nothing_amiss(report)
    assert len(report["alerts"]) >= 10
    assert 1 <= report["slack"]["messages"] <= 5
    assert report["slack"]["rejected"] == 0


@pytest.mark.long
def test_a_calm_market_says_nothing_and_control_c_reckons(start_demo: StartDemo) -> None:
    demo = start_demo("--scenario", "calm", "--seed", "7")
    demo.until(lambda: demo.output.count(" market open: ") >= 2, "open market")
    success = demo.status()["success"]
    assert {one["store"] for one in success} == {"redis", "postgres"}
    assert [one["percent"] for one in success] == [100.0, 100.0], "in calm each batch is acknowledged at the first try"
    assert min(one["batches"] for one in success) > 0
    demo.process.send_signal(signal.SIGINT)
    assert demo.wait() == 0, demo.output
    report = demo.report()
    assert_nothing_amiss(report)
    assert report["alerts"] == []
    assert report["slack"] == {"messages": 0, "updates": 0, "rejected": 0}


@pytest.mark.long
def test_a_trade_that_a_store_lost_is_told_and_ends_it_with_1(start_demo: StartDemo) -> None:
    demo = start_demo("--scenario", "calm")
    demo.until(lambda: demo.output.count(" market open: ") >= 2, "open market")
    [directory] = re.findall(r"TAPEWATCH_CONFIG=(\S+)/look\.toml", demo.output)
    port = urlsplit((Path(directory) / "redis-writer.url").read_text(encoding="ascii")).port
    with Redis(port=port or 0) as redis:
        [(entry, _)] = redis.xrange("trades:upbit:KRW-BTC", count=1)
        assert redis.xdel("trades:upbit:KRW-BTC", entry) == 1
    demo.process.send_signal(signal.SIGINT)
    assert demo.wait() == 1, demo.output
    report = demo.report()
    assert report["ok"] is False
    assert report["redis"]["trade"]["lost"] == 1
    assert report["postgres"]["trade"]["lost"] == report["kafka"]["trade"]["lost"] == 0
    assert "not ok" in demo.output


@pytest.mark.long
def test_control_c_before_the_market_opens_leaves_nothing_behind(start_demo: StartDemo) -> None:
    demo = start_demo()
    demo.until(lambda: "starting the services" in demo.output, "start of the services")
    family = demo.family()
    demo.process.send_signal(signal.SIGINT)
    assert demo.wait() == 130
    assert [pid for pid in family if Path(f"/proc/{pid}").exists()] == []
    assert "Traceback" not in demo.output
