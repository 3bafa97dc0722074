"""Starting processes that die with this one, from any thread, with an environment of their own."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from devstack import die_with_parent

# The kernel ties a child's life to the thread that started it; this one ends only with the process.
_spawner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawner")
_PASSED_ON = ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH")


def unprivileged_user() -> str | None:
    """The account for a server that refuses to run as root; None when we are not root."""
    return "nobody" if os.geteuid() == 0 else None


def server_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What a server inherits: no JAVA_… or PG… variable may change it, and no secret of ours is its business."""
    kept = {name: environ[name] for name in _PASSED_ON if name in environ}
    return kept | {"LANG": "C.UTF-8", "TZ": "UTC"}


def wrapped(argv: Sequence[str], *, user: str | None = None, death: signal.Signals = signal.SIGKILL) -> list[str]:
    """The command line that runs `argv` as `user` and ends it with this process."""
    # `-I -S`: nothing but the standard library is needed, and nothing of the caller's directory may be imported.
    launcher = [sys.executable, "-I", "-S", str(Path(die_with_parent.__file__).resolve())]
    who = ["--user", user] if user else []
    return [*launcher, "--parent", str(os.getpid()), "--signal", death.name.removeprefix("SIG"), *who, "--", *argv]


def spawn(
    argv: Sequence[str], *, log: Path, user: str | None = None, death: signal.Signals = signal.SIGKILL
) -> subprocess.Popen[bytes]:
    """Start a server in a session of its own, so that Ctrl-C in a terminal reaches only us; output goes to `log`."""
    return _spawner.submit(_popen, wrapped(argv, user=user, death=death), log).result()


def _popen(argv: list[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(
            argv,
            cwd="/",
            env=server_environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def run(argv: Sequence[str], *, user: str | None = None, stdin: str = "", timeout_s: float = 60) -> tuple[int, str]:
    """Run a short command to its end; its status and everything it said."""
    done = subprocess.run(
        wrapped(argv, user=user),
        cwd="/",
        env=server_environment(),
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=timeout_s,
        start_new_session=True,
        check=False,
    )
    return done.returncode, done.stdout
