"""A terminal of our own, to see what stands on the screen of a program that draws one."""

import asyncio
import codecs
import fcntl
import os
import re
import struct
import termios
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

_ROWS, _COLUMNS = 60, 140
_OURS = {"TERM": "xterm-256color", "COLUMNS": str(_COLUMNS), "LINES": str(_ROWS)}
"""What the terminal that runs the tests says of itself is not so of this one."""
_PIECE = re.compile(r"\x1b\[([?\d;]*)([A-Za-z])|\x1b\]8;[^\x1b]*\x1b\\|\r|\n|[^\x1b\r\n]+|\x1b.?")
_HYPERLINK = "\x1b]8;"


class Screen:
    """The lines that a person would see, and whether the cursor is shown. Raises ValueError for what it cannot draw."""

    def __init__(self) -> None:
        self._lines = [""]
        self._row = self._column = 0
        self.has_cursor = True

    @property
    def lines(self) -> list[str]:
        """From top to bottom, without what is blank at their ends."""
        return [line.rstrip() for line in self._lines]

    def feed(self, text: str) -> None:
        """Draw what a program wrote; sequences must be whole."""
        for piece in _PIECE.finditer(text):
            self._draw(piece.group(), piece.group(1) or "", piece.group(2))

    def _draw(self, piece: str, number: str, letter: str | None) -> None:
        match letter, piece:
            case "m", _:
                pass  # colours
            case "A", _:
                self._row = max(0, self._row - int(number or 1))
            case "K", _ if number == "2":
                self._lines[self._row] = ""
            case (("h" | "l"), _) if number == "?25":
                self.has_cursor = letter == "h"
            case None, _ if piece.startswith(_HYPERLINK):
                pass
            case None, "\r":
                self._column = 0
            case None, "\n":
                self._row += 1
                self._lines += [""] * (self._row + 1 - len(self._lines))
            case None, _ if not piece.startswith("\x1b"):
                self._write(piece)
            case _:
                raise ValueError(f"this terminal does not know {piece!r}")

    def _write(self, text: str) -> None:
        line = self._lines[self._row].ljust(self._column)
        self._lines[self._row] = line[: self._column] + text + line[self._column + len(text) :]
        self._column += len(text)


class Terminal:
    """Runs a program on a terminal. ``async with Terminal() as terminal: await terminal.run(…)``"""

    def __init__(self, seen_within_s: float = 30.0) -> None:
        self.screen = Screen()
        self._seen_within_s = seen_within_s
        self._ours, self._theirs = os.openpty()
        self._unread, self._decoder = "", codecs.getincrementaldecoder("utf-8")()
        fcntl.ioctl(self._theirs, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, _COLUMNS, 0, 0))
        os.set_blocking(self._ours, False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for one in (self._ours, self._theirs):
            os.close(one)

    async def run(self, command: Sequence[str], environment: Mapping[str, str]) -> asyncio.subprocess.Process:
        """Start it in the terminal's foreground, so that Ctrl-C reaches it."""

        def own_the_terminal() -> None:
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        return await asyncio.create_subprocess_exec(
            *command, env={**environment, **_OURS}, preexec_fn=own_the_terminal,
            stdin=self._theirs, stdout=self._theirs, stderr=self._theirs,
        )  # fmt: skip

    def type(self, keys: str) -> None:
        """As a person would."""
        os.write(self._ours, keys.encode())

    async def until(self, holds: Callable[[list[str]], bool]) -> list[str]:
        """What stands on the screen once it is as wanted. Raises TimeoutError with what stands there instead."""
        try:
            async with asyncio.timeout(self._seen_within_s):
                while not holds(self.look()):  # noqa: ASYNC110  a program that draws tells nobody
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise TimeoutError("\n".join(self.screen.lines)) from None
        return self.screen.lines

    def look(self) -> list[str]:
        """What stands on the screen now."""
        try:
            while chunk := os.read(self._ours, 65_536):
                self._unread += self._decoder.decode(chunk)  # a character may have been cut in two by the read
        except BlockingIOError:
            pass
        # So may a sequence.
        whole, escape, rest = self._unread.rpartition("\x1b")
        cut = escape and not re.match(r"\[[?\d;]*[A-Za-z]|\\", rest)
        text, self._unread = (whole, escape + rest) if cut else (self._unread, "")
        self.screen.feed(text)
        return self.screen.lines
