"""The truth log: one JSON line for everything that the simulated exchanges published, in the order of publication.

Fields of every line: ``exchange``, ``channel``, ``symbol``, the channel's own fields, ``published_at_us`` (this
machine's clock when it was sent) and ``heard``: the number of connections that were subscribed at that moment and whose
send was taken by an open connection. 0 says that nobody could know of it. A snapshot that repeats the last message to
a new subscriber is no new publication and has no line. Aggregated Binance trades have the exchange name
``binance_agg`` and lines only while somebody hears them.
"""

from pathlib import Path
from typing import IO

from shared.errors import WrongUse

_MAX_WAITING_LINES = 512


class TruthLog:
    """Gathers lines and writes them in blocks; `flush` at least every tenth of a second, `close` at the end."""

    def __init__(self, path: Path | None) -> None:
        self._waiting: list[str] = []
        self.lines = 0
        self._file: IO[str] | None = None
        if path is not None:
            try:
                path.write_bytes(b"")
                self._file = path.open("a", encoding="utf-8")  # a reader may cut off what it has compared
            except OSError as error:
                raise WrongUse(f"--truth: cannot write {path}: {error.strerror}") from None

    def write(self, line: str) -> None:
        """Add one line that ends in a newline."""
        self.lines += 1
        if self._file is not None:
            self._waiting.append(line)
            if len(self._waiting) >= _MAX_WAITING_LINES:
                self.flush()

    def flush(self) -> None:
        """Give all lines so far to the operating system."""
        if self._file is not None and self._waiting:
            self._file.write("".join(self._waiting))
            self._file.flush()
        self._waiting.clear()

    def close(self) -> None:
        """Complete the file. Lines after this are counted and not written."""
        self.flush()
        if self._file is not None:
            self._file.close()
            self._file = None
