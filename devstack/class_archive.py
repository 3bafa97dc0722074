"""Kafka's classes as the JVM wants them in memory: a start then takes half the processor time.

The first broker lists the classes that it loads; a later start makes the archive from that list, in some seconds,
once, for every place where the same Java lies. The JVM itself refuses an archive of other jars or of another Java, and
starts without it.
"""

import hashlib
import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from devstack.launch import server_environment
from devstack.places import try_lock
from devstack.server import Progress

_LIMIT_S = 60.0
_LISTED_AFTER_S = 10.0
"""A broker that has loaded no class for so long is up, or gone."""
_KEPT = 2
"""Archives, of 65 MB each: of two versions that are in turn."""


def make_if_listed(directory: Path, java: str, class_path: Sequence[Path], progress: Progress) -> None:
    """Make the archive in `directory` if a broker has left a list and there is none yet."""
    archive = _archive(directory, java, class_path)
    for listed in _whole_lists(archive):
        _make(archive, listed, java, class_path, progress)


def reading(directory: Path, java: str, class_path: Sequence[Path]) -> list[str]:
    """The JVM's options to read the archive; none without one."""
    archive = _archive(directory, java, class_path)
    return [f"-XX:SharedArchiveFile={archive}"] if archive.exists() else []


def listing(directory: Path, java: str, class_path: Sequence[Path]) -> list[str]:
    """The JVM's options for a broker: to read the archive, or else to list what it loads."""
    archive = _archive(directory, java, class_path)
    return reading(directory, java, class_path) or [f"-XX:DumpLoadedClassList={archive.with_suffix('')}-%p.list"]


def _archive(directory: Path, java: str, class_path: Sequence[Path]) -> Path:
    home = Path(java).parents[1]
    this_java = [(home / "release").read_text(encoding="utf-8"), str((home / "lib" / "modules").stat().st_size)]
    made_of = "\n".join([*this_java, *map(str, class_path)])
    return directory / f"classes-{hashlib.sha256(made_of.encode()).hexdigest()[:12]}.jsa"


def _whole_lists(archive: Path) -> list[Path]:
    lists = archive.parent.glob(f"{archive.stem}-*.list")
    return [listed for listed in lists if time.time() - listed.stat().st_mtime > _LISTED_AFTER_S]


def _make(archive: Path, listed: Path, java: str, class_path: Sequence[Path], progress: Progress) -> None:
    """Make the archive unless it is there; a list that the JVM cannot use, or not in time, makes none. The list is gone
    after that.
    """
    lock = try_lock(archive.with_suffix(".lock"))
    if lock is None:  # another process is making it: this start does without
        return
    try:
        if not archive.exists():
            progress("Kafka, second use: making an archive of its classes, once")
            _dump(archive, listed.read_bytes(), java, class_path)
        listed.unlink(missing_ok=True)
    finally:
        os.close(lock)


def _dump(archive: Path, listed: bytes, java: str, class_path: Sequence[Path]) -> None:
    whole, unfinished = archive.with_suffix(".classes"), archive.with_suffix(".making")
    whole.write_bytes(listed[: listed.rfind(b"\n") + 1])  # the JVM holds back the end while it runs
    # Linked while it is made, classes need not be linked at every start.
    dump = ["-XX:+UseSerialGC", "-XX:+AOTClassLinking", "-Xshare:dump", f"-XX:SharedClassListFile={whole}"]
    where = [f"-XX:SharedArchiveFile={unfinished}", "-Xlog:disable", "-cp", ":".join(map(str, class_path))]
    try:
        made = subprocess.run(
            [java, *dump, *where], env=server_environment(), capture_output=True, timeout=_LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired:  # a machine that is too busy: the next broker lists anew
        unfinished.unlink(missing_ok=True)
        return
    finally:
        whole.unlink()
    if made.returncode == 0:
        unfinished.replace(archive)
        _keep_newest(archive.parent)


def _keep_newest(directory: Path) -> None:
    archives = sorted(directory.glob("classes-*.jsa"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    for old in archives[_KEPT:]:
        old.unlink(missing_ok=True)
