"""Looks at the units of this host, and at what they last said, with systemd's own two commands."""

import asyncio
import json
from collections.abc import Iterable

import structlog

from services.watchdog import advice
from services.watchdog.boot import boot_id
from services.watchdog.changes import Change
from services.watchdog.memory import Sight
from services.watchdog.observation import End
from services.watchdog.units import (
    BASICS,
    JOURNAL_FIELDS,
    PROPERTIES,
    SHUTDOWN,
    end_in_journal,
    is_ending,
    is_wanted,
    read_units,
    start_of,
)
from shared.errors import Unreachable

_ANSWER_WITHIN_S, _JOURNAL_WITHIN_S = 8.0, 3.0
"""The second is how long a message waits for what it tells besides: a journal of many files is slow on a busy disk."""
_ENDS_LOOKED_AT = "20"
log = structlog.get_logger(__name__)


class SystemdHost:
    """`units` is a pattern as systemctl takes it, `own_unit` is left out; `target` starts and stops them all."""

    def __init__(self, units: str, target: str, own_unit: str) -> None:
        self._units, self._target, self._own_unit = units, target, own_unit

    async def look(self, remembered: Iterable[str]) -> Sight:
        """Everything as it is now. Raises Unreachable when systemd does not answer."""
        properties = f"--property={','.join(PROPERTIES)}"
        shown = await _output("systemctl", "show", properties, "--", self._units, self._target, BASICS, SHUTDOWN)
        parts = read_units(shown, self._own_unit, remembered, self._target)
        return Sight(parts, f"{boot_id()}/{start_of(shown)}", is_wanted(shown, self._target), is_ending(shown))

    async def last_end(self, unit: str, since_us: int) -> End | None:
        """How the unit last ended by the journal, which knows it after the next start as well."""
        # Without --reverse, systemd 252 takes the first of them.
        newest = ("--reverse", "-n", _ENDS_LOOKED_AT)
        what = ("_PID=1", f"UNIT={unit}", f"--since=@{since_us // 1_000_000}", *newest, "-q")
        said = await _journal(*what, "-o", "json", f"--output-fields={','.join(JOURNAL_FIELDS)}")
        return end_in_journal(json.loads(line) for line in reversed(said))

    async def last_lines(self, unit: str, count: int) -> list[str]:
        """The last lines that the unit itself logged."""
        return await _journal(f"_SYSTEMD_UNIT={unit}", "-o", "cat", "-n", str(count), "-q")

    def advice(self, change: Change) -> str:
        """What to type next."""
        return advice.for_units(change, self._target)


async def _journal(*arguments: str) -> list[str]:
    """Lines; none when the journal does not answer: what is told without them is told in time."""
    try:
        return (await _output("journalctl", *arguments, within_s=_JOURNAL_WITHIN_S)).splitlines()
    except Unreachable as error:
        log.warning("the message goes without what the journal knows", reason=str(error))
        return []


async def _output(*command: str, within_s: float = _ANSWER_WITHIN_S) -> str:
    try:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
    except FileNotFoundError:
        raise Unreachable(f"there is no {command[0]} here: without systemd give WATCHDOG__PROBES") from None
    try:
        async with asyncio.timeout(within_s):
            out, err = await process.communicate()
    except TimeoutError:
        process.kill()
        raise Unreachable(f"{command[0]} did not answer within {within_s:.0f} s") from None
    if process.returncode != 0:
        raise Unreachable(f"{command[0]}: {err.decode(errors='replace').strip()[:300]}")
    return out.decode(errors="replace")
