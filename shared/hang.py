"""Ends a process whose event loop hangs: it cannot do that itself, and outside systemd nobody else does.

A thread misses the loop's sign of life. It counts only time in which it ran itself: a host that was stopped and goes on
is no process that hangs.
"""

import faulthandler
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_EVERY_S = 1.0


class LoopWatch:
    """How long the loop has been silent; to be asked every `every_s` seconds."""

    def __init__(self, every_s: float = _EVERY_S) -> None:
        self._every_s = every_s
        self._beats = self._seen = 0
        self._silent_s = 0.0

    def beat(self) -> None:
        """The loop runs. Called by the loop's own thread alone."""
        self._beats += 1

    def look(self) -> float:
        """Seconds of silence by now."""
        self._silent_s = self._silent_s + self._every_s if self._beats == self._seen else 0.0
        self._seen = self._beats
        return self._silent_s


@contextmanager
def ended_when_hung(within_s: float) -> Iterator[Callable[[], None]]:
    """Gives what the loop has to call again and again until it leaves; `within_s` without it end the process."""
    watch, leaving = LoopWatch(), threading.Event()
    threading.Thread(target=_end_when_hung, args=(watch, leaving, within_s), name="loop watch", daemon=True).start()
    try:
        yield watch.beat
    finally:
        leaving.set()


def _end_when_hung(watch: LoopWatch, leaving: threading.Event, within_s: float) -> None:
    while not leaving.wait(_EVERY_S):
        silent_s = watch.look()
        if silent_s >= within_s:
            print(
                f"tapewatch: the event loop has hung for {silent_s:.0f} s: starting over", file=sys.stderr, flush=True
            )
            faulthandler.dump_traceback(sys.stderr)  # where it hangs
            os._exit(1)
