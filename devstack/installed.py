"""Which PostgreSQL and Redis versions this machine has, so that a test can run against each of them."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from devstack.postgres_server import packaged_programs
from devstack.valkey_server import packaged_program


@dataclass(frozen=True)
class Installed:
    """One version: a short name such as ``postgresql-15``, and the directory of its programs or its program."""

    name: str
    path: Path


def postgres_servers() -> list[Installed]:
    """The packaged one first, then those of Debian's packages."""
    others = sorted(path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return [
        Installed(f"postgresql-{_major(path / 'postgres')}", path)
        for path in (packaged_programs(), *others)
        if (path / "postgres").exists()
    ]


def redis_servers() -> list[Installed]:
    """The packaged Valkey first, then the redis-server on the path."""
    redis = shutil.which("redis-server")
    servers = [Installed(f"valkey-{_major(packaged_program())}", packaged_program())]
    return [*servers, Installed(f"redis-{_major(Path(redis))}", Path(redis))] if redis else servers


@cache  # each test that runs on every version asks
def _major(program: Path) -> str:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True, timeout=10).stdout
    found = re.search(r"(?:PostgreSQL\)|v=)\s*(\d+)", said)
    return found[1] if found else "unknown"
