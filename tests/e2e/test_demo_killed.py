"""The demo while its parts are killed, and when it is killed itself."""

import json
import os
import signal
import urllib.request
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

pytestmark = [pytest.mark.long, pytest.mark.servers, pytest.mark.timeout(200)]
Demo = Any
StartDemo = Callable[..., Demo]


def kill_and_wait_for_the_next(demo: Demo, victim: str) -> None:
    before = demo.services()[victim]
    os.kill(before, signal.SIGKILL)
    demo.until(lambda: demo.services().get(victim, before) != before, f"restart of {victim}")


def said_in_slack(demo: Demo) -> list[str]:
    """The text of every message in the simulated Slack, replies in threads included."""
    [address] = [line.split()[-1] for line in demo.output.splitlines() if line.startswith("Slack channel: ")]
    with urllib.request.urlopen(address.removesuffix("/slack") + "/control/slack", timeout=30) as answer:
        channels = json.load(answer)["channels"]
    return [message["text"] for messages in channels.values() for message in messages]


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
    demo.until(lambda: any("RESOLVED" in text for text in said_in_slack(demo)), "end of the alert in Slack")
    said = said_in_slack(demo)
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
    assert len(said) == len(set(said)) == report["slack"]["messages"]
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
