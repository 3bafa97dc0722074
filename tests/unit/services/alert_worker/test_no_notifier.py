"""Without a way to people the product starts all the same, and says so."""

import pytest
from structlog.testing import capture_logs

from services.alert_worker import notifiers
from shared import logs
from shared.settings import LogSettings, load_settings


@pytest.mark.parametrize("times", ["at first", "again"])
def test_nobody_is_told_and_a_line_says_what_to_set(times) -> None:
    with capture_logs() as lines:
        chosen = notifiers.choose(load_settings({}))
    assert chosen.name == "log"
    [line] = lines
    assert line["log_level"] == "warning"
    assert "nobody is told" in line["event"]
    assert "TAPEWATCH_SLACK__BOT_TOKEN" in line["event"]
    logs.configure(LogSettings(level="error"), "a command that a test runs")  # must not silence the next test
