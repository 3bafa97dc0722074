"""Every promise of a scenario can be broken, and is told when it is."""

from typing import Any

import msgspec
import pytest

from services.cli.demo.promises import broken_promises
from services.reconcile.episodes import Episode
from services.reconcile.report import Report

FALL = Episode(
    id="e",
    symbol="KRW-BTC",
    exchange="upbit",
    kind="move",
    severity="danger",
    opened_at_us=1,
    resolved_at_us=2,
)


def report(*alerts: Episode, seconds: float = 20.0, updates: int = 2) -> Report:
    return Report(
        seconds=seconds,
        published={"trade": 1},
        unheard={},
        conflated={},
        kafka={},
        redis={},
        postgres={},
        gaps={"open": 0, "closed": 0},
        alerts=list(alerts),
        slack={"messages": 2 * len(alerts), "updates": updates, "rejected": 0},
    )


def fall(**changes: Any) -> Episode:
    return msgspec.structs.replace(FALL, **changes)


def test_a_kept_promise_is_not_mentioned() -> None:
    assert broken_promises("flash-crash", report(FALL), 1) == []
    assert broken_promises("calm", report(updates=0), 0) == []
    assert broken_promises("market-crash", report(FALL), 1) == []
    assert broken_promises(None, report(), 0) == []


@pytest.mark.parametrize(
    ("scenario", "found", "parents"),
    [
        ("flash-crash", report(), 0),
        ("flash-crash", report(fall(symbol="KRW-ETH")), 1),
        ("flash-crash", report(FALL, fall(id="f")), 2),
        ("flash-crash", report(fall(resolved_at_us=None)), 1),
        ("flash-crash", report(FALL, updates=0), 1),
        ("flash-crash", report(FALL), 2),
        ("flash-crash", report(FALL), 0),
        ("calm", report(FALL), 1),
        ("calm", report(), 1),
        ("market-crash", report(), 0),
        ("upbit-crash", report(), 0),
    ],
)
def test_a_broken_promise_is_told(scenario: str, found: Report, parents: int) -> None:
    assert broken_promises(scenario, found, parents)


def test_a_short_run_promises_less() -> None:
    assert broken_promises("flash-crash", report(seconds=5), 0) == []
    assert broken_promises("flash-crash", report(fall(resolved_at_us=None), seconds=12), 1) == []
    assert broken_promises("flash-crash", report(seconds=12), 0)
