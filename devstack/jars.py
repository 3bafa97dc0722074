"""Kafka's own jars: downloaded once into the cache, each held against the hash that this repository keeps."""

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from devstack.places import try_lock
from devstack.server import Progress
from shared.errors import TapewatchError, Unreachable

LIST = Path(__file__).with_name("kafka_jars.sha256")
INSTEAD = "set TAPEWATCH_KAFKA__BOOTSTRAP_SERVERS to a running Kafka instead"
_NOT_TRUSTED = (
    "the certificate is not trusted; where a proxy has its own, set REQUESTS_CA_BUNDLE to the file that has it"
)

_PARALLEL = 4
_STAMP = "checked.json"
_LOCK_LIMIT_S = 300.0


class ChangedJar(TapewatchError):
    """A jar is not what was published under its name; it is not run."""


@dataclass(frozen=True)
class Jar:
    """One jar by its coordinates, and the hash that it must have."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        """Its name in the cache and on the class path."""
        return f"{self.artifact}-{self.version}.jar"


def read_list(text: str) -> tuple[Jar, ...]:
    """Jars from lines of ``group:artifact:version sha256``; ``#`` begins a comment line."""
    return tuple(_read_line(line) for line in text.splitlines() if line.strip() and not line.startswith("#"))


def _read_line(line: str) -> Jar:
    coordinates, sha256 = line.split()
    group, artifact, version = coordinates.split(":")
    return Jar(group, artifact, version, sha256)


def class_path(cache: Path, progress: Progress, jars: Sequence[Jar] | None = None) -> list[Path]:
    """The checked jars below `cache`, downloading those that are missing. Without a download it takes milliseconds.

    Raises ChangedJar when one differs from its hash, Unreachable when one cannot be downloaded.
    """
    jars = read_list(LIST.read_text(encoding="ascii")) if jars is None else jars
    directory = cache / "kafka"
    directory.mkdir(parents=True, exist_ok=True)
    if any(not (directory / jar.file_name).exists() for jar in jars):
        _download_missing(directory, jars, progress)
    _check(directory, jars)
    return [directory / jar.file_name for jar in jars]


def _check(directory: Path, jars: Sequence[Jar]) -> None:
    """Hold every jar against its hash, or against what its file looked like when that was last done."""
    stamp = directory / _STAMP
    known = _read_stamp(stamp)
    seen = {jar.file_name: _look(directory / jar.file_name, jar) for jar in jars}
    changed = [jar for jar in jars if known.get(jar.file_name) != seen[jar.file_name]]
    for jar in changed:
        verify(directory / jar.file_name, jar)
    if changed:
        _replace(stamp, json.dumps(seen).encode())


def _look(path: Path, jar: Jar) -> list[str | int]:
    # The change time, unlike the modification time, cannot be set back by whoever alters the file.
    status = path.stat()
    return [jar.sha256, status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def _read_stamp(path: Path) -> dict[str, list[str | int]]:
    try:
        known = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def verify(path: Path, jar: Jar) -> None:
    """Raise ChangedJar unless the file's content has the jar's hash."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != jar.sha256:
        raise ChangedJar(
            f"{path} is not the published {jar.group}:{jar.artifact}:{jar.version} (sha256 {found[:12]}…, "
            f"must be {jar.sha256[:12]}…): delete it to download it again, or {INSTEAD}"
        )


def _download_missing(directory: Path, jars: Sequence[Jar], progress: Progress) -> None:
    lock = _lock(directory / "lock", progress)
    try:
        missing = [jar for jar in jars if not (directory / jar.file_name).exists()]
        with tempfile.TemporaryDirectory(prefix="download-", dir=directory) as scratch:
            _download_all(Path(scratch), directory, missing, progress)
    finally:
        os.close(lock)


def _lock(path: Path, progress: Progress) -> int:
    """Wait while another process downloads the same."""
    deadline = time.monotonic() + _LOCK_LIMIT_S
    while (descriptor := try_lock(path)) is None:
        if time.monotonic() > deadline:
            raise Unreachable(f"another process has been downloading Kafka for {_LOCK_LIMIT_S:.0f} s: {path}")
        progress("Kafka: another process downloads it, waiting")
        time.sleep(1)
    return descriptor


def _download_all(scratch: Path, directory: Path, missing: Sequence[Jar], progress: Progress) -> None:
    with ThreadPoolExecutor(_PARALLEL) as pool:
        downloads = {pool.submit(_download, scratch, jar): jar for jar in missing}
        try:
            for done, download in enumerate(as_completed(downloads), 1):
                jar = downloads[download]
                download.result().replace(directory / jar.file_name)
                progress(f"Kafka, first use: downloaded {done} of {len(missing)} jars")
        finally:  # the first failure ends it for those that have not begun
            pool.shutdown(cancel_futures=True)


def _download(scratch: Path, jar: Jar) -> Path:
    from jgo.maven import MavenContext
    from requests.exceptions import SSLError

    artifact = MavenContext(repo_cache=scratch, timeout=20).project(jar.group, jar.artifact)
    try:
        path = Path(artifact.at_version(jar.version).artifact().resolve())
    except SSLError as error:
        raise Unreachable(f"cannot download {jar.file_name} for Kafka: {_NOT_TRUSTED}, or {INSTEAD}") from error
    except (OSError, RuntimeError) as error:  # requests' errors are OSErrors; jgo's own "not found" is a RuntimeError
        reason = type(error).__name__ if isinstance(error, OSError) else "not found"
        raise Unreachable(f"cannot download {jar.file_name} for Kafka ({reason}): {INSTEAD}") from error
    verify(path, jar)
    return path


def _replace(path: Path, content: bytes) -> None:
    """Write a file as a whole or not at all."""
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(content)
    Path(file.name).replace(path)
