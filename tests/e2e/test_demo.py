"""The whole product, end to end: real servers, every service a process of its own, judged by what was published."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

pytestmark = [pytest.mark.servers, pytest.mark.timeout(200)]
Demo = Any
StartDemo = Callable[..., Demo]


def assert_nothing_amiss(report: dict[str, Any]) -> None:
    """Every count that a sound run has, said once more without the product's own verdict."""
    published = report["published"]
    for channel in ("trade", "ticker", "orderbook"):
        assert report["kafka"][channel]["expected"] == published[channel] > 0
    for store in ("kafka", "redis", "postgres"):
        trades = report[store]["trade"]
        assert trades["found"] == trades["expected"]
        assert trades["lost"] == trades["wrong"] == trades.get("out_of_order", 0) == 0
    assert report["redis"]["trade"]["duplicated"] == report["postgres"]["trade"]["duplicated"] == 0
    assert report["postgres"]["trade"]["expected"] == published["trade"]
    for channel in ("ticker", "orderbook"):
        assert report["redis"][channel]["expected"] > 0
        assert report["redis"][channel]["stale"] == report["redis"][channel]["wrong"] == 0
    assert report["postgres"]["candle_1m"]["expected"] > 0
    assert report["postgres"]["candle_1m"]["wrong"] == 0
    assert report["faults"] == []


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


def test_a_calm_market_says_nothing_and_control_c_reckons(start_demo: StartDemo) -> None:
    demo = start_demo("--scenario", "calm", "--seed", "7")
    demo.until(lambda: demo.output.count(" market open: ") >= 2, "open market")
    demo.process.send_signal(signal.SIGINT)
    assert demo.wait() == 0, demo.output
    report = demo.report()
    assert_nothing_amiss(report)
    assert report["alerts"] == []
    assert report["slack"] == {"messages": 0, "updates": 0, "rejected": 0}


def kill_and_wait_for_the_next(demo: Demo, victim: str) -> None:
    before = demo.services()[victim]
    os.kill(before, signal.SIGKILL)
    demo.until(lambda: demo.services().get(victim, before) != before, f"restart of {victim}")


def test_every_service_may_be_killed(start_demo: StartDemo) -> None:
    demo = start_demo("--seconds", "30", "--scenario", "flash-crash")
    demo.until(demo.market_is_open, "open market")
    for victim, after in (
        ("consumer redis", "market open"),
        ("consumer postgres", "market open"),
        ("alert-worker", "alert open"),
        ("producer upbit", "alert resolve"),
        ("producer binance", "alert resolve"),
    ):
        demo.until(lambda text=after: text in demo.output, after)
        kill_and_wait_for_the_next(demo, victim)
    assert demo.wait() == 0, demo.output
    report = demo.report()
    assert report["restarts"] == dict.fromkeys(report["restarts"], 1)
    for store in ("kafka", "redis", "postgres"):
        trades = report[store]["trade"]
        assert trades["lost"] == trades["wrong"] == trades.get("out_of_order", 0) == 0
    assert report["redis"]["trade"]["duplicated"] == report["postgres"]["trade"]["duplicated"] == 0
    missed = report["published"]["trade"] - report["kafka"]["trade"]["found"]
    assert missed == report["unheard"]["trade"] > 0
    assert report["gaps"]["open"] >= 2
    assert len(report["alerts"]) == 1
    assert report["faults"] == []


def test_a_producer_killed_as_the_market_stops_still_tells_what_it_missed(start_demo: StartDemo) -> None:
    demo = start_demo("--scenario", "calm", "--rate", "600")
    demo.until(lambda: demo.output.count(" market open: ") >= 2, "open market")
    for victim in ("producer upbit", "producer binance"):
        os.kill(demo.services()[victim], signal.SIGSTOP)  # what comes from now on is missed
    sleep(1)
    for victim in ("producer upbit", "producer binance"):
        os.kill(demo.services()[victim], signal.SIGKILL)
    demo.process.send_signal(signal.SIGINT)
    assert demo.wait() == 0, demo.output
    report = demo.report()
    assert report["unheard"]["trade"] > 0
    assert report["gaps"]["open"] >= 2
    assert report["kafka"]["trade"]["lost"] == 0


def test_nothing_outlives_a_killed_demo(start_demo: StartDemo) -> None:
    demo = start_demo("--scenario", "calm")
    demo.until(demo.market_is_open, "open market")
    family = demo.family()
    assert len(family) >= len(demo.services()) + len(("simulator", "supervisor", "Kafka", "PostgreSQL", "Valkey"))
    demo.process.kill()
    demo.process.wait()
    deadline = monotonic() + 10
    while left := [pid for pid in family if Path(f"/proc/{pid}").exists()]:
        assert monotonic() < deadline, f"still there: {left}"
        sleep(0.05)


def test_control_c_before_the_market_opens_leaves_nothing_behind(start_demo: StartDemo) -> None:
    demo = start_demo()
    demo.until(lambda: "starting the services" in demo.output, "start of the services")
    family = demo.family()
    demo.process.send_signal(signal.SIGINT)
    assert demo.wait() == 130
    assert [pid for pid in family if Path(f"/proc/{pid}").exists()] == []
    assert "Traceback" not in demo.output


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
    demo = start_demo("--live", "--seconds", "10", **away)
    assert demo.wait() == 3, demo.output
    assert "no exchange sent a trade within 60 s" in demo.output.splitlines()[-1]
