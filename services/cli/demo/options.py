"""What a person can ask of the demo."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class DemoOptions:
    """`seconds` None means until Ctrl-C. `recordings` replace the synthetic market, and with it the scenario; so does
    `live`, by the exchanges of the settings.
    """

    seconds: float | None = None
    scenario: str = "flash-crash"
    recordings: tuple[Path, ...] = ()
    live: bool = False
    speed: float = 1.0
    rate: float = 500.0
    symbols: int = 10
    seed: int | None = None
    report: Path | None = None
    keep: bool = False
    screenshot: Path | None = None
