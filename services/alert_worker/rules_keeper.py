"""Watches the rules file: what changed is read, checked and handed over; what is broken is left, and said once."""

import asyncio
import signal
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path

import structlog

from services.alert_worker.quiet_hours import QuietHours, read_quiet_hours
from services.alert_worker.rules_file import MOST_BYTES, Policy, read_rules
from shared.errors import WrongUse
from shared.metrics import RULES_REFUSED
from shared.settings import AlertsSettings

log = structlog.get_logger(__name__)

LOOK_EVERY_S = 1.0
"""A change is taken once it looked the same twice, so that nobody reads what an editor is still writing."""


class RulesKeeper:
    """Holds what the file said last that was right. Raises WrongUse at its making when the file is broken."""

    def __init__(self, settings: AlertsSettings) -> None:
        self._file = settings.rules_file
        self._of_settings = read_quiet_hours(
            {"notice": settings.quiet_notice, "warning": settings.quiet_warning, "danger": settings.quiet_danger}
        )
        self._taken = self._seen = b"" if self._file is None else _content(self._file)
        self._hung_up = asyncio.Event()
        self.policy = Policy() if self._file is None else _read(self._file, self._taken)

    @property
    def quiet(self) -> QuietHours:
        """The quiet hours in force."""
        return self.policy.quiet_hours(self._of_settings)

    def listen(self) -> None:
        """From now on SIGHUP means: look now."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._hung_up.set)

    async def run(self, taken: Callable[[], None], refused: Callable[[str, str], None], stop: asyncio.Event) -> None:
        """Call `taken` after each change and `refused` with a mark and the fault for each broken one, until `stop`."""
        while not stop.is_set():
            was_told = await self._pause(stop)
            if self._file is None:
                if was_told:
                    log.info("no rules file is set, so there is nothing to read again")
                continue
            content = await asyncio.to_thread(_content, self._file)
            is_steady, self._seen = content == self._seen, content
            if content != self._taken and (is_steady or was_told):
                self._taken = content
                self._take(self._file, content, taken, refused)

    def _take(self, file: Path, content: bytes, taken: Callable[[], None], refused: Callable[[str, str], None]) -> None:
        fault = None
        try:
            self.policy = _read(file, content)
        except WrongUse as error:
            fault = str(error)
        version = self.policy.ruleset.version
        RULES_REFUSED.set(fault is not None)
        if fault is None:
            log.info("rules changed", version=version, mutes=len(self.policy.mutes))
            taken()
        else:
            log.error("the rules file is broken, the old rules are kept", fault=fault, version=version)
            refused(blake2b(content, digest_size=8).hexdigest(), fault)

    async def _pause(self, stop: asyncio.Event) -> bool:
        """Wait for the next look; say whether somebody asked for it."""
        waits = [asyncio.create_task(one.wait()) for one in (stop, self._hung_up)]
        await asyncio.wait(waits, timeout=LOOK_EVERY_S, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        was_told = self._hung_up.is_set()
        self._hung_up.clear()
        return was_told


def load(file: Path | None) -> Policy:
    """What a file says now; without one the defaults. Raises WrongUse."""
    return Policy() if file is None else _read(file, _content(file))


_UNREADABLE = b"\x00"
"""Begins what stands for a file that cannot be read: no TOML has it."""


def _content(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(MOST_BYTES + 1)
    except OSError as error:
        return _UNREADABLE + str(error.strerror).encode()


def _read(file: Path, content: bytes) -> Policy:
    if content.startswith(_UNREADABLE):
        reason = content.removeprefix(_UNREADABLE).decode()
        raise WrongUse(f"{file}: cannot be read: {reason}: TAPEWATCH_ALERTS__RULES_FILE names it")
    if len(content) > MOST_BYTES:
        raise WrongUse(f"{file}: is larger than {MOST_BYTES >> 20} MiB: no rules file is")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise WrongUse(f"{file}: is not UTF-8 text: save it as such") from None
    return read_rules(text, str(file))
