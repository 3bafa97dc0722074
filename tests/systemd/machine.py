"""A throw-away Debian with systemd as its first process, booted in a container that shares this machine's network.

Its root is made once by debootstrap and kept in the user's cache directory; each run boots a copy. Debian 12 has
systemd 252, Debian 13 (``TAPEWATCH_DRILLS_SUITE=trixie``) 257.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tapewatch" / "systemd"
PACKAGES = "systemd,systemd-sysv,dbus,python3,python3-venv,ca-certificates"
SUITE = os.environ.get("TAPEWATCH_DRILLS_SUITE", "bookworm")
VERSIONS = {"bookworm": 252, "trixie": 257}
"""Of systemd, by suite."""
_PYTHONS = {"bookworm": "3.11", "trixie": "3.13"}
# From 256 on, systemd refuses a machine with cgroups of version 1, unless its command line says this.
_ARGUMENTS = ["SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1"]
_REBOOT = 133  # how nspawn ends when the guest asked for a reboot
_BOOTS_WITHIN_S = 60.0


def base_root() -> Path:
    """The root that copies are made of; takes minutes the first time."""
    root = CACHE / SUITE
    if not (root / "etc" / "debian_version").exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        fresh = CACHE / f"{SUITE}.{os.getpid()}"
        subprocess.run(
            ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, str(fresh)],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        fresh.rename(root)
    return root


class Machine:
    """Boot it, act inside, power it off."""

    def __init__(self, directory: Path, binds: dict[Path, str]) -> None:
        self.root, self._log = directory / "root", directory / "console.log"
        self._binds = [f"--bind-ro={here}:{there}" for here, there in binds.items()]
        subprocess.run(["cp", "-a", "--reflink=auto", str(base_root()), str(self.root)], check=True)
        (self.root / "etc" / "hostname").write_text("vm1\n", encoding="ascii")
        self._keeper: subprocess.Popen[bytes] | None = None

    def boot(self) -> None:
        """Return once systemd takes orders."""
        command = ["systemd-nspawn", "-q", "-D", str(self.root), "--boot", f"--machine=tapewatch-{os.getpid()}"]
        command += ["--register=no", "--keep-unit", "--console=pipe", "--hostname=vm1", *self._binds, *_ARGUMENTS]
        again = f"while :; do {' '.join(command)}; code=$?; [ $code = {_REBOOT} ] || exit $code; done"
        with self._log.open("ab") as log:
            self._keeper = subprocess.Popen(
                ["bash", "-c", again], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self.until(lambda: self.ask("systemctl", "is-system-running") in ("running", "degraded"), "systemd to be up")

    def leader(self) -> int:
        """Process id, as seen from here, of the guest's systemd. Raises LookupError while there is none."""
        assert self._keeper is not None
        nspawn = _children(self._keeper.pid)
        leaders = [child for parent in nspawn for child in _children(parent)]
        if not leaders:
            raise LookupError(f"nothing is booted, see {self._log}")
        return leaders[0]

    def run(self, *command: str, within_s: float = 120.0, **environment: str) -> str:
        """Run a command inside; its output. Raises CalledProcessError, with what it said in a note."""
        enter = ["nsenter", "-t", str(self.leader()), "-m", "-u", "-i", "-p", "-C", "--"]
        clean = ["/usr/bin/env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "HOME=/root"]
        settings = [f"{name}={value}" for name, value in environment.items()]
        done = subprocess.run(
            [*enter, *clean, *settings, *command], check=False, capture_output=True, text=True, timeout=within_s
        )
        if done.returncode != 0:
            error = subprocess.CalledProcessError(done.returncode, command)
            error.add_note(done.stdout + done.stderr)
            raise error
        return done.stdout

    def ask(self, *command: str) -> str:
        """What a command prints, whatever its exit status; nothing while the machine is not there."""
        try:
            return self.run(*command).strip()
        except subprocess.CalledProcessError as error:
            return "".join(getattr(error, "__notes__", [])).strip()
        except LookupError:
            return ""

    def show(self, unit: str, what: str) -> str:
        """One property of a unit."""
        return self.ask("systemctl", "show", unit, f"--property={what}", "--value")

    def kill(self, unit: str, number: signal.Signals) -> int:
        """Send a signal to the unit's main process; its process id inside."""
        pid = int(self.show(unit, "MainPID"))
        self.run("/bin/sh", "-c", f"kill -{number.name.removeprefix('SIG')} {pid}")
        return pid

    @contextmanager
    def drop_in(self, unit: str, text: str) -> Iterator[None]:
        """Change a unit for a while."""
        directory = self.root / "etc/systemd/system" / f"{unit}.service.d"
        directory.mkdir(exist_ok=True)
        (directory / "test.conf").write_text(text, encoding="utf-8")
        self.run("systemctl", "daemon-reload")
        try:
            yield
        finally:
            (directory / "test.conf").unlink()
            self.run("systemctl", "daemon-reload")

    @contextmanager
    def memory_is_out(self, unit: str) -> Iterator[None]:
        """Meanwhile systemd reads of the unit's cgroup that the kernel ended a process of it for want of memory.

        Its main process is to be killed by the caller. Raises LookupError where the guest has cgroups of version 2
        only, whose files are the kernel's alone to write.
        """
        memory = "/sys/fs/cgroup/memory"
        if not self.ask("ls", "-d", memory) == memory:
            raise LookupError(f"the guest has no {memory}")
        group = self.show(unit, "ControlGroup")
        self.run("mount", "-t", "tmpfs", "tmpfs", memory)
        try:
            self.run("mkdir", "-p", f"{memory}{group}")
            self.run("/bin/sh", "-c", 'echo "oom_kill 1" > "$EVENTS"', EVENTS=f"{memory}{group}/memory.events")
            yield
        finally:
            self.run("umount", memory)

    def until(self, holds: Callable[[], bool], what: str, within_s: float = _BOOTS_WITHIN_S) -> float:
        """Wait for something to be so; how long it took. Raises AssertionError that names it."""
        began = monotonic()
        while not holds():
            assert monotonic() - began < within_s, f"no {what} within {within_s:.0f} s; see {self._log}"
            sleep(0.1)
        return monotonic() - began

    def reboot(self) -> None:
        """Return once the same root is up again."""
        before = self.leader()
        self.ask("systemctl", "reboot")
        self.until(lambda: self._is_another(before), "reboot")
        self.until(lambda: self.ask("systemctl", "is-system-running") in ("running", "degraded"), "systemd to be up")

    def _is_another(self, before: int) -> bool:
        try:
            return self.leader() != before
        except LookupError:
            return False

    def close(self) -> None:
        """Power off, and remove the root."""
        if self._keeper is not None:
            self.ask("systemctl", "poweroff", "--force")
            try:
                self._keeper.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(self._keeper.pid, signal.SIGKILL)
                self._keeper.wait()
        shutil.rmtree(self.root, ignore_errors=True)


def _children(pid: int) -> list[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [int(child) for child in text.split()]


def build_wheels(repository: Path, directory: Path) -> Path:
    """The product's wheel and all that it needs, for the guest's Python, which has no network of its own to ask."""
    wheels = directory / "wheels"
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", str(wheels), str(repository)], check=True)
    wanted = ["--only-binary=:all:", "--python-version", _PYTHONS[SUITE], "--require-hashes", "-d", str(wheels)]
    subprocess.run([*pip, "download", *wanted, "-r", str(repository / "requirements" / "demo.txt")], check=True)
    return wheels


def refusal() -> str:
    """Why no systemd can be booted here, in a line; nothing when one can. Takes a second once the root is there."""
    missing = [name for name in ("systemd-nspawn", "debootstrap") if shutil.which(name) is None]
    if missing or os.geteuid() != 0:
        return f"it takes root and {' and '.join(missing) or 'nothing else'}"
    with TemporaryDirectory(prefix="tapewatch-systemd-") as directory:
        machine = Machine(Path(directory), {})
        try:
            machine.boot()
        except AssertionError as error:
            return f"{error}; its console ends with {(Path(directory) / 'console.log').read_text()[-300:]!r}"
        finally:
            machine.close()
    return ""


if __name__ == "__main__":
    sys.exit(refusal() or 0)
