"""What is to be typed where the parts run as units: their secrets are files that root alone reads. Pure.

A variable that names such a file is for the command alone: set for all it would end each unit, which may not read it.
"""

import re
from collections.abc import Collection
from dataclasses import replace

from services.cli.doctor.finding import Finding

_SECRET = re.compile(r"TAPEWATCH_([A-Z]+)__([A-Z_]+)_FILE")
_GIVEN_TO = {
    "kafka": ("tapewatch.target",),
    "slack": ("tapewatch-alert-worker", "tapewatch-watchdog", "tapewatch-deadman"),
    "watchdog": ("tapewatch-watchdog", "tapewatch-deadman"),
}
"""By directory of secrets, who reads what is in it; the target for all of its parts."""


def in_units(finding: Finding, enabled: Collection[str]) -> Finding:
    """The same finding, with the file of each secret that it says to set, and which of the `enabled` units need it."""
    sections = {secret[1].lower() for secret in _SECRET.finditer(finding.next)}
    if not sections:
        return finding
    written = re.sub("^set ", "write it into ", _SECRET.sub(_file, finding.next))
    units = [unit for section in sorted(sections) for unit in _GIVEN_TO[section] if unit in enabled]
    return replace(finding, next=f"{written}, then systemctl restart {' '.join(units)}" if units else written)


def _file(secret: re.Match[str]) -> str:
    return f"/etc/tapewatch/credentials/{secret[1].lower()}/{secret[2].lower()}"
