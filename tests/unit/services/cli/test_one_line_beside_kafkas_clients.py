"""Commands that tell in one line that Kafka is away show nothing of what its clients complain of meanwhile."""

import subprocess
import sys

import pytest

COMPLAINTS = """
import logging
from {module} import _settings
_settings()
for name in ("aiokafka", "asyncio"):
    logging.getLogger(name).error("a complaint", exc_info=ValueError("with a traceback"))
"""


@pytest.mark.parametrize("module", ["services.cli.dead_letters.command", "services.cli.alerts"])
def test_nothing_stands_beside_the_line_that_tells(module: str) -> None:
    said = subprocess.run(
        [sys.executable, "-c", COMPLAINTS.format(module=module)], capture_output=True, text=True, check=True
    )
    assert (said.stdout, said.stderr) == ("", "")
