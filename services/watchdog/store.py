"""What the watchdog remembers, as one small file: written whole and renamed, so that it is never half there."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import structlog

from services.watchdog.memory import Memory
from services.watchdog.outbox import Outbox

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Kept:
    """Everything that must outlive the process. `outboxes` by the name of the way."""

    memory: Memory = field(default_factory=Memory)
    outboxes: Mapping[str, Outbox] = field(default_factory=dict)


class Store:
    """A directory of None keeps nothing: a restart of the watchdog then begins anew."""

    def __init__(self, directory: Path | None) -> None:
        self._file = None if directory is None else directory / "watchdog.json"

    def load(self) -> Kept:
        """What was saved last; nothing at first, and nothing when the file is not ours, which is logged."""
        if self._file is None or not self._file.exists():
            return Kept()
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=Kept)
        except msgspec.MsgspecError as error:
            log.warning("what was remembered cannot be read, beginning anew", file=str(self._file), reason=str(error))
            return Kept()

    def save(self, kept: Kept) -> None:
        """Replace what was saved."""
        if self._file is None:
            return
        fresh = self._file.with_suffix(".new")
        with fresh.open("wb") as out:
            out.write(msgspec.json.encode(kept))
            out.flush()
            os.fsync(out.fileno())
        fresh.rename(self._file)
