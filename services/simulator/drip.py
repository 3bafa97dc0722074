"""A line that lets only a trickle through: bytes leave a few at a time, frames in pieces, and none is lost."""

import asyncio

_EVERY_S = 0.05


class Drip:
    """Stands between a connection and its transport until `end`."""

    def __init__(self, transport: asyncio.Transport, bytes_per_s: int) -> None:
        self._transport = transport
        self._at_once = max(1, round(bytes_per_s * _EVERY_S))
        self._pause_s = self._at_once / bytes_per_s
        self._waiting = bytearray()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def waiting_bytes(self) -> int:
        """What was written and has not left."""
        return len(self._waiting)

    def write(self, data: bytes) -> None:
        """Let `data` leave after all that waits."""
        self._waiting += data
        if self._timer is None:
            self._let_through()

    def end(self) -> None:
        """Let all that waits leave at once; nothing is written here afterwards."""
        self._transport.write(bytes(self._waiting))
        self.drop()

    def drop(self) -> None:
        """Give up all that waits."""
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _let_through(self) -> None:
        self._timer = None
        if self._transport.is_closing():
            self._waiting.clear()
        if self._waiting:
            self._transport.write(bytes(self._waiting[: self._at_once]))
            del self._waiting[: self._at_once]
            self._timer = asyncio.get_running_loop().call_later(self._pause_s, self._let_through)
