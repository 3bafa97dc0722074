"""The settings of somebody who looks at the demo from another shell: a file for ``TAPEWATCH_CONFIG``."""

import json
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path

from services.cli.demo.database import write_secret

_PREFIX, _FILE = "TAPEWATCH_", "_FILE"
_SECTIONS = ("BINANCE", "KAFKA", "POSTGRES", "REDIS", "START", "UPBIT")
"""What looking needs; a person's own environment may hold secrets of other parts."""


def write_settings(path: Path, *environments: Mapping[str, str]) -> None:
    """Write what these set of looking, a later one before an earlier, with the secrets that they name by a file."""
    found: dict[str, str] = {}
    for environment in environments:
        for name, value in environment.items():
            if name.startswith(tuple(f"{_PREFIX}{section}__" for section in _SECTIONS)):
                is_file = name.endswith(_FILE)
                said = Path(value).read_text(encoding="utf-8").rstrip("\n") if is_file else value
                found[name.removesuffix(_FILE) if is_file else name] = said
    write_secret(path, as_toml(found))


def as_toml(environment: Mapping[str, str]) -> str:
    """``TAPEWATCH_KAFKA__FLUSH_MS`` is ``flush_ms`` of ``[kafka]``."""
    keys = sorted((*name.removeprefix(_PREFIX).lower().split("__", 1), value) for name, value in environment.items())
    sections = groupby(keys, key=lambda one: one[0])
    return "".join(
        f"[{section}]\n" + "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for _, key, value in rows)
        for section, rows in sections
    )
