"""Where things lie on this machine: downloads, the state of a running stack, and the servers' data."""

import fcntl
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from shared.errors import WrongUse

_TEMPORARY_PREFIX = "tapewatch-stack-"
_LOCK = "lock"
_ABANDONED_AFTER_S = 60.0  # a directory younger than this may be about to be locked by its owner


def cache_directory(environ: Mapping[str, str] = os.environ) -> Path:
    """What can be downloaded again: ``$XDG_CACHE_HOME/tapewatch``, by default below ``~/.cache``."""
    return _xdg(environ, "XDG_CACHE_HOME", ".cache")


def state_directory(environ: Mapping[str, str] = os.environ) -> Path:
    """What a running stack tells others about itself: ``$XDG_STATE_HOME/tapewatch``, by default ``~/.local/state``."""
    return _xdg(environ, "XDG_STATE_HOME", ".local/state")


def _xdg(environ: Mapping[str, str], key: str, default: str) -> Path:
    # The XDG Base Directory Specification: relative paths in these variables are to be ignored.
    configured = Path(environ.get(key, ""))
    return (configured if configured.is_absolute() else Path.home() / default) / "tapewatch"


def try_lock(path: Path) -> int | None:
    """Hold an exclusive lock on a file until the returned descriptor is closed; None when somebody else holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


class DataDirectory:
    """The directory of one stack's data, held by one stack at a time; a temporary one is removed by `close`."""

    def __init__(self, path: Path | None = None) -> None:
        self.temporary = path is None
        self.path = _temporary() if path is None else path.absolute()
        self.path.mkdir(parents=True, exist_ok=True)
        self._lock = try_lock(self.path / _LOCK)
        if self._lock is None:
            raise WrongUse(f"{self.path} is in use by another stack: stop that one or choose another directory")

    def close(self, *, keep: bool = False, for_good: bool = False) -> None:
        """Let go of it. A temporary one is removed; `keep` leaves that to the next stack, `for_good` to nobody."""
        if self._lock is None:
            return
        if self.temporary and for_good:
            (self.path / _LOCK).unlink(missing_ok=True)  # what has no lock counts as abandoned by no one
        elif self.temporary and not keep:
            shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)
        self._lock = None


def _temporary() -> Path:
    base = _temporary_base()
    remove_abandoned(base)
    path = Path(tempfile.mkdtemp(prefix=_TEMPORARY_PREFIX, dir=base))
    if os.geteuid() == 0:
        path.chmod(0o711)  # the account that PostgreSQL runs as must get through
    return path


def _temporary_base() -> Path:
    """`TMPDIR` if set, else /var/tmp, which unlike /tmp lies on a disk, if other accounts get through."""
    candidates = [*([Path(os.environ["TMPDIR"])] if "TMPDIR" in os.environ else []), Path("/var/tmp")]  # noqa: S108
    usable = [path for path in candidates if os.access(path, os.W_OK | os.X_OK)]
    if os.geteuid() == 0:
        usable = [path for path in usable if searchable_by_others(path)]
    return usable[0] if usable else Path(tempfile.gettempdir())


def searchable_by_others(path: Path) -> bool:
    """Whether any account may pass through this directory and all above it."""
    resolved = path.resolve()
    return all(step.stat().st_mode & stat.S_IXOTH for step in (resolved, *resolved.parents))


def remove_abandoned(base: Path) -> None:
    """Remove temporary data that a killed stack of ours left behind."""
    for path in base.glob(f"{_TEMPORARY_PREFIX}*"):
        try:
            status = path.lstat()
        except FileNotFoundError:
            continue  # another stack cleans up as well
        young = time.time() - status.st_mtime < _ABANDONED_AFTER_S
        if young or status.st_uid != os.geteuid() or not stat.S_ISDIR(status.st_mode):
            continue
        _remove_unless_held(path)


def _remove_unless_held(path: Path) -> None:
    if not (path / _LOCK).exists():
        return  # kept on purpose
    try:
        lock = try_lock(path / _LOCK)
    except FileNotFoundError:
        return
    if lock is not None:
        shutil.rmtree(path, ignore_errors=True)
        os.close(lock)
