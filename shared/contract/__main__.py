"""``python -m shared.contract docs/schemas`` writes the published contract there."""

import sys
from pathlib import Path

from shared.contract.documents import documents


def main(directory: Path) -> None:
    """Write every document into `directory`, and take away what is no longer part of the contract."""
    directory.mkdir(parents=True, exist_ok=True)
    files = documents()
    for old in directory.glob("*.json"):
        if old.name not in files:
            old.unlink()
    for name, text in files.items():
        (directory / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m shared.contract DIRECTORY")
    main(Path(sys.argv[1]))
