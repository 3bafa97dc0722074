"""The settings of somebody who looks at the demo from another shell: a file for ``TAPEWATCH_CONFIG``."""

import json
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path

from services.cli.demo.database import write_secret

_PREFIX, _FILE = "TAPEWATCH_", "_FILE"


def write_settings(path: Path, *environments: Mapping[str, str]) -> None:
    """Write what these environments set, a later one before an earlier, with the secrets that they name by a file."""
    found: dict[str, str] = {}
    for environment in environments:
        for name, value in environment.items():
            if name.startswith(_PREFIX) and "__" in name:
                is_file = name.endswith(_FILE)
                found[name.removesuffix(_FILE) if is_file else name] = Path(value).read_text() if is_file else value
    write_secret(path, as_toml(found))


def as_toml(environment: Mapping[str, str]) -> str:
    """``TAPEWATCH_KAFKA__FLUSH_MS`` is ``flush_ms`` of ``[kafka]``."""
    keys = sorted((*name.removeprefix(_PREFIX).lower().split("__", 1), value) for name, value in environment.items())
    sections = groupby(keys, key=lambda one: one[0])
    return "".join(
        f"[{section}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for _, key, value in rows)
        for section, rows in sections
    )
