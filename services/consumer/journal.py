"""The batch journal: one JSON line a written batch, so that a measurement can tell when each trade was in the store."""

from pathlib import Path
from typing import Self, TextIO

import msgspec

from services.consumer.batch import Batch


def line(sink: str, done_at_us: int, batch: Batch) -> str:
    """``{"sink", "done_at_us", "slices": [[topic, partition, first_offset, next_offset], …]}``"""
    slices = [[s.topic, s.partition, s.first_offset, s.next_offset] for s in batch.slices]
    return msgspec.json.encode({"sink": sink, "done_at_us": done_at_us, "slices": slices}).decode() + "\n"


class Journal:
    """Appends to a file, or does nothing without one."""

    def __init__(self, path: Path | None, sink: str) -> None:
        self._path = path
        self._sink = sink
        self._file: TextIO | None = None

    def __enter__(self) -> Self:
        if self._path is not None:
            self._file = self._path.open("a", encoding="utf-8", buffering=1)
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def wrote(self, batch: Batch, done_at_us: int) -> None:
        """Note that the store acknowledged `batch` at `done_at_us`."""
        if self._file is not None:
            self._file.write(line(self._sink, done_at_us, batch))
