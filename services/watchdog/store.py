"""What is remembered beyond the process, as one small file: written whole and renamed, so it is never half there."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

import msgspec
import structlog

from services.watchdog.memory import Memory
from services.watchdog.outbox import Outbox
from services.watchdog.silences import Hosts

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Kept:
    """Everything of the watchdog that must outlive the process. `outboxes` by the name of the way."""

    memory: Memory = field(default_factory=Memory)
    outboxes: Mapping[str, Outbox] = field(default_factory=dict)


@dataclass(frozen=True)
class KeptHosts:
    """The same of the receiver of heartbeats."""

    hosts: Hosts = field(default_factory=Hosts)
    outboxes: Mapping[str, Outbox] = field(default_factory=dict)


K = TypeVar("K")


class Store(Generic[K]):
    """The file `name`.json. A directory of None keeps nothing: a restart then begins anew."""

    def __init__(self, directory: Path | None, name: str, kept: type[K]) -> None:
        self._file = None if directory is None else directory / f"{name}.json"
        self._kept: type[K] = kept

    def load(self) -> K:
        """What was saved last; nothing at first, and nothing when the file is not ours, which is logged."""
        if self._file is None or not self._file.exists():
            return self._kept()
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=self._kept)
        except msgspec.MsgspecError as error:
            log.warning("what was remembered cannot be read, beginning anew", file=str(self._file), reason=str(error))
            return self._kept()

    def save(self, kept: K) -> None:
        """Replace what was saved. A disk that takes nothing is logged: it is what people have to be told of first."""
        if self._file is None:
            return
        fresh = self._file.with_suffix(".new")
        try:
            with fresh.open("wb") as out:
                out.write(msgspec.json.encode(kept))
                out.flush()
                os.fsync(out.fileno())
            fresh.rename(self._file)
        except OSError as error:
            log.warning("what is known cannot be saved, a restart may tell it again", reason=str(error))
