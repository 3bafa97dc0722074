"""Without a way to people the product starts all the same, and says so."""

from structlog.testing import capture_logs

from services.alert_worker import notifiers
from shared.settings import load_settings


def test_nobody_is_told_and_a_line_says_what_to_set() -> None:
    with capture_logs() as lines:
        chosen = notifiers.choose(load_settings({}))
    assert chosen.name == "log"
    [line] = lines
    assert line["log_level"] == "warning"
    assert "nobody is told" in line["event"]
    assert "TAPEWATCH_SLACK__BOT_TOKEN" in line["event"]
