"""Down is told within 20 s, also of a part that is alive and does not get on: what is set adds up to less.

A part that ends otherwise is seen at the next look. Who waits for Kafka or PostgreSQL is given longer; see
docs/OPERATING.md.
"""

import re
from pathlib import Path

import pytest

from services.watchdog import probed_host
from services.watchdog.app import LOOK_EVERY_S
from services.watchdog.changes import GRACE_US
from shared import heartbeat
from shared.settings import load_settings
from tests.unit.deploy.compose_file import REPOSITORY, parts

TOLD_WITHIN_S = 20.0
AFTER_S = GRACE_US / 1_000_000 + LOOK_EVERY_S
"""From its end, or from when it counts as gone, to the message."""
DIES_WITHIN_S = 1.0
"""SIGABRT, and where it hung in its log."""
UNITS = [
    unit for unit in sorted((REPOSITORY / "deploy/systemd").glob("*.service")) if "Type=notify" in unit.read_text()
]


@pytest.mark.parametrize("unit", UNITS, ids=[unit.name for unit in UNITS])
def test_under_systemd(unit: Path) -> None:
    text = unit.read_text(encoding="utf-8")
    [within_s] = re.findall(r"^Environment=.*\bTAPEWATCH_LIVENESS__WITHIN_S=(\d+)\b", text, re.MULTILINE)
    [loop_s] = re.findall(r"^WatchdogSec=(\d+)s$", text, re.MULTILINE)
    gets_on_no_more_s = float(within_s) + 2 * heartbeat._EVERY_S
    assert max(gets_on_no_more_s, float(loop_s)) + DIES_WITHIN_S + AFTER_S <= TOLD_WITHIN_S


@pytest.mark.parametrize("name", parts())
def test_in_containers(name: str) -> None:
    given = parts()[name]["environment"]
    within_s = load_settings({key: given[key] for key in ("TAPEWATCH_LIVENESS__WITHIN_S",)}).liveness.within_s
    assert within_s + probed_host._ANSWER_WITHIN_S + LOOK_EVERY_S + AFTER_S <= TOLD_WITHIN_S
