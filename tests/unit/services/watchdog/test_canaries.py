"""Overdue is told once, and back once, whatever the worker does in between."""

from services.watchdog.canaries import look
from services.watchdog.looking import observe
from services.watchdog.memory import Memory, Sight
from services.watchdog.observation import Observation, Phase
from shared.canary import Sign

NOW_US = 1_700_000_000_000_000
S = 1_000_000


def worker(sign: Sign | None, phase: Phase = "up") -> Observation:
    return Observation("alert-worker", phase, "1", status="watching" if sign is None else f"watching, {sign}")


def test_overdue_is_told_once_and_back_when_it_returned_after_that() -> None:
    overdue: dict[str, int] = {}
    told = []
    looks = [
        (0, worker(Sign(NOW_US + 10 * S, NOW_US - S))),
        (11, worker(Sign(NOW_US + 10 * S, NOW_US - S))),
        (12, worker(Sign(NOW_US + 10 * S, NOW_US - S))),
        (13, worker(None, "starting")),
        (14, worker(Sign(NOW_US + 120 * S, NOW_US - S))),  # started anew: the time is set back, and nothing came back
        (30, worker(Sign(NOW_US + 140 * S, NOW_US + 29 * S))),
        (31, worker(Sign(NOW_US + 140 * S, NOW_US + 29 * S))),
    ]
    for at_s, seen in looks:
        overdue, changes = look(overdue, [seen], NOW_US + at_s * S)
        told += [(at_s, change.kind) for change in changes]
    assert told == [(11, "canary_overdue"), (30, "canary_back")]


def test_what_is_down_or_sends_none_round_is_not_asked() -> None:
    late = Sign(NOW_US - S)
    assert look({}, [worker(late, "down"), worker(None)], NOW_US) == ({}, [])


def test_it_is_remembered_across_looks_beside_what_parts_do() -> None:
    memory, told = Memory(), []
    for at_s in range(3):
        memory, changes = observe(memory, Sight([worker(Sign(NOW_US - S))], "boot"), NOW_US + at_s * S)
        told += [change.kind for change in changes]
    assert told == ["canary_overdue"]
