"""The receiver of heartbeats in a container of its own: it tells that the watchdog, and with it a host, fell silent."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compose.deployment import Deployment, until

pytestmark = pytest.mark.timeout(1200)
SILENT = "🔴 HOST IS SILENT · no sign of life from compose for "
HEARD = "✅ HOST IS HEARD AGAIN · compose after "


@pytest.fixture
def receiver(deployed: Deployment, tmp_path: Path) -> Iterator[None]:
    """It runs, and the watchdog was told where; afterwards both are as before: the other drills count what runs."""
    url = tmp_path / "heartbeat_url"
    url.write_text("http://deadman:9470/heartbeat", encoding="ascii")
    url.chmod(0o644)
    up, beside = ("up", "--detach", "--wait"), ("--profile", "deadman")
    deployed.compose(*beside, *up, "deadman", TAPEWATCH_WATCHDOG__HOST="elsewhere")
    deployed.compose(*up, "watchdog", TAPEWATCH_WATCHDOG__HEARTBEAT_URL_FILE=str(url))
    yield
    deployed.compose(*up, "watchdog")
    deployed.compose(*beside, "rm", "--stop", "--force", "deadman")


@pytest.mark.usefixtures("receiver")
def test_a_watchdog_that_is_gone_is_told_from_elsewhere_and_heard_again_in_the_same_thread(
    deployed: Deployment, before: int
) -> None:
    def said() -> str:
        return deployed.compose("logs", "--no-color", "deadman")

    until(lambda: "heard of a host" in said(), 60, said)
    stopped_at = deployed.does("stop", "watchdog")
    [silent] = deployed.told(before, SILENT)
    assert "says elsewhere" in silent["text"]
    deployed.figures["watchdog stopped: a host's silence told after"] = f"{float(silent['ts']) - stopped_at:.1f} s"
    deployed.does("start", "watchdog")

    def heard_again() -> list[str]:  # beside what the watchdog itself says of its absence
        fresh = deployed.slack("tapewatch-ops")[before:]
        return [message["thread_ts"] for message in fresh if message["text"].startswith(HEARD)]

    until(lambda: bool(heard_again()), 60, said)
    assert heard_again() == [silent["ts"]]
