"""Which code a result is of."""

import subprocess

from tests.faults.record import UNKNOWN


def code_state() -> str:
    """The commit's short hash, with `-dirty` where files differ from it; `unknown` where there is no git."""
    try:
        told = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--exclude=*"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return UNKNOWN
    return told.stdout.strip()
