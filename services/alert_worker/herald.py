"""Announces what is about no episode: the greeting after an installation, and the daily digest."""

import asyncio
import sys
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

import msgspec
import structlog

from services.alert_worker.board import Board
from services.alert_worker.digest.request import DigestRequest, due
from services.alert_worker.messages import bulletins
from services.alert_worker.messages.bulletins import Digest
from services.alert_worker.messages.wording import Wording
from services.alert_worker.receipts import DIGEST, GREETING, RULES_FILE
from services.alert_worker.rules_keeper import RulesKeeper
from services.alert_worker.telling import Telling
from shared.clock import now_us
from shared.settings import AlertsSettings

log = structlog.get_logger(__name__)

_LOOK_EVERY_S = 20.0
_LISTS_WITHIN_S = 30.0
"""How long the greeting waits for the lists of markets."""
_GATHER_WITHIN_S = 3_600.0


class Herald:
    """Looks at the clock now and then, and tells `telling` what is due."""

    def __init__(
        self, settings: AlertsSettings, telling: Telling, board: Board, wording: Wording, keeper: RulesKeeper
    ) -> None:
        self._settings, self._telling, self._board = settings, telling, board
        self._wording, self._keeper = wording, keeper
        self._looked_for: str | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Announce until `stop`."""
        if not await _before_stop(self._telling.knows.wait(), stop):
            return
        if self._settings.greeting and not self._telling.was_announced(GREETING):
            await self._greet(stop)
        while self._settings.daily_digest and not stop.is_set():
            await self._digest_if_due(stop)
            await _before_stop(asyncio.sleep(_LOOK_EVERY_S), stop)

    def rules_refused(self, mark: str, fault: str) -> None:
        """Tell those who look after tapewatch, once for each broken file."""
        message = bulletins.rules_refused(fault, self._keeper.policy.ruleset.version, self._wording, RULES_FILE + mark)
        self._telling.announce(RULES_FILE + mark, message, for_ops=True)

    async def _greet(self, stop: asyncio.Event) -> None:
        waited_s = 0.0
        while not self._board.markets() and waited_s < _LISTS_WITHIN_S and not stop.is_set():
            await _before_stop(asyncio.sleep(1.0), stop)
            waited_s += 1.0
        rules = self._keeper.policy.ruleset
        names = [rule.name for rule in rules.rules]
        message = bulletins.greeting(self._board.markets(), names, rules.version, self._keeper.quiet, self._wording)
        self._telling.announce(GREETING, message)

    async def _digest_if_due(self, stop: asyncio.Event) -> None:
        found = due(now_us())
        if found is None:
            return
        day, request = found
        mark = f"{DIGEST}{day}"
        if self._looked_for == mark or self._telling.was_announced(mark):
            return
        self._looked_for = mark
        digest = await gather(request, stop)
        if digest is not None:
            self._telling.announce(mark, bulletins.daily(digest, self._wording, mark))


async def gather(request: DigestRequest, stop: asyncio.Event) -> Digest | None:
    """Gather in a process of its own; None when there is nothing to tell, or no time."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.alert_worker.digest",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    gathering = asyncio.create_task(process.communicate(msgspec.json.encode(request)))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({gathering, stopping}, timeout=_GATHER_WITHIN_S, return_when=asyncio.FIRST_COMPLETED)
        if not gathering.done():
            return None
        out, err = gathering.result()
    finally:
        stopping.cancel()
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await gathering
    if process.returncode != 0:
        log.error("no digest could be gathered", reason=err.decode(errors="replace")[-500:])
        return None
    return msgspec.json.decode(out, type=Digest | None)


async def _before_stop(waiting: Coroutine[Any, Any, object], stop: asyncio.Event) -> bool:
    """Wait for it; False when stopped before that."""
    tasks = [asyncio.ensure_future(one) for one in (waiting, stop.wait())]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    return not stop.is_set()
