"""The page of the drills: what was told in each, and how long after what happened, a section for each systemd."""

from collections.abc import Sequence

Figure = tuple[str, str, float]
"""A drill, the message that the ops channel of the simulated Slack got, and seconds."""

_ABOVE = """# Drills: what was told on a booted systemd, and how soon

`make test-systemd ARGS=--document` writes this page: the whole product, installed by its own installer on a systemd
that was booted for it, with simulated exchanges and a simulated Slack outside. Seconds are from what happened until
Slack had the message; what is down or back is told within 20.
"""


def with_section(page: str, heading: str, figures: Sequence[Figure]) -> str:
    """The page with this section instead of the one of the same heading; a section more where there is none."""
    rows = [f"| {drill} | {message} | {delay_s:.1f} |" for drill, message, delay_s in figures]
    section = "\n".join([f"## {heading}", "", "| drill | message | seconds |", "|---|---|---:|", *rows, ""])
    kept = [part for part in page.split("\n## ")[1:] if part.partition("\n")[0] != heading]
    return "\n".join([_ABOVE, *sorted([section, *(f"## {part.rstrip()}\n" for part in kept)])])
