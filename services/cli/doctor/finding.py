"""What one check found, and what all of them make of the exit status. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["well", "warning", "wrong", "away"]
"""away: it could not be looked at."""


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, how it is, and the next command where there is something to do."""

    check: str
    verdict: Verdict
    told: str
    next: str = ""


def exit_code(findings: Iterable[Finding]) -> int:
    """0 well, 1 something is wrong, 3 nothing is known to be wrong and something could not be looked at."""
    verdicts = {finding.verdict for finding in findings}
    return 1 if "wrong" in verdicts else 3 if "away" in verdicts else 0


def line(finding: Finding) -> str:
    """For people and logs."""
    after = f" — next: {finding.next}" if finding.next else ""
    return f"{finding.verdict:8}{finding.check:12}{finding.told}{after}"
