"""Announces what is about no episode: the greeting after an installation, and the daily digest."""

import asyncio
import sys
from collections.abc import Coroutine
from contextlib import suppress
from time import monotonic
from typing import Any

import msgspec
import structlog

from services.alert_worker.board import Board
from services.alert_worker.digest.request import DigestRequest, due
from services.alert_worker.halts import NAME as HALT
from services.alert_worker.messages import bulletins
from services.alert_worker.messages.bulletins import Digest
from services.alert_worker.messages.wording import Wording
from services.alert_worker.notices import NAME as NOTICE
from services.alert_worker.pair import NAME as DIVERGENCE
from services.alert_worker.receipts import DIGEST, GREETING, RULES_FILE
from services.alert_worker.rules.ruleset import Ruleset
from services.alert_worker.rules_keeper import RulesKeeper
from services.alert_worker.storms import NAME as STORM
from services.alert_worker.telling import Telling
from shared.clock import NowMicros
from shared.settings import AlertsSettings

log = structlog.get_logger(__name__)

_LOOK_EVERY_S = 20.0
_LISTS_WITHIN_S = 30.0
"""How long the greeting waits for the lists of markets."""
_GATHER_WITHIN_S = 3_600.0
_LONGEST_PAUSE_S = 1_800.0
"""A digest that could not be gathered is tried again ever later, to this: it reads a day of trades."""


class Herald:
    """Looks at the clock now and then, and tells `telling` what is due."""

    def __init__(  # noqa: PLR0913, PLR0917 - everything that it tells of, and when
        self, settings: AlertsSettings, telling: Telling, board: Board, wording: Wording, keeper: RulesKeeper,
        now: NowMicros,
    ) -> None:  # fmt: skip
        self._settings, self._telling, self._board = settings, telling, board
        self._wording, self._keeper = wording, keeper
        self._now = now
        self._gathered_for: str | None = None
        self._failures, self._again_at_s = 0, 0.0

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
        message = bulletins.greeting(
            self._board.markets(), watching(rules), rules.version, self._keeper.quiet, self._wording
        )
        self._telling.announce(GREETING, message)

    async def _digest_if_due(self, stop: asyncio.Event) -> None:
        found = due(self._now())
        if found is None or monotonic() < self._again_at_s:
            return
        day, request = found
        mark = f"{DIGEST}{day}"
        if self._gathered_for == mark or self._telling.was_announced(mark):
            return
        try:
            digest = await gather(request, stop)
        except NotGathered as error:
            self._try_later(str(error))
            return
        self._gathered_for, self._failures = mark, 0
        if digest is not None:
            movers = (*digest.movers, *digest.unusual)
            names = self._board.korean_names((one.exchange, one.symbol, one.base) for one in movers)
            self._telling.announce(mark, bulletins.daily(digest, self._wording, mark, names))

    def _try_later(self, reason: str) -> None:
        self._failures += 1
        pause_s = min(_LONGEST_PAUSE_S, _LOOK_EVERY_S * 2.0 ** min(self._failures, 10))
        self._again_at_s = monotonic() + pause_s
        log.error("no digest could be gathered", reason=reason, again_in_s=pause_s)


def watching(rules: Ruleset) -> list[str]:
    """Every rule that watches, by name: of each trade's price, of two exchanges, of silence, of what exchanges say."""
    others = {DIVERGENCE: rules.divergence.enabled, HALT: rules.halt.enabled, NOTICE: rules.notice.enabled, STORM: True}
    return [*(rule.name for rule in rules.rules), *(name for name, is_on in others.items() if is_on)]


class NotGathered(Exception):
    """What the day brought could not be read."""


async def gather(request: DigestRequest, stop: asyncio.Event) -> Digest | None:
    """Gather in a process of its own; None when there is nothing to tell, or when stopped. Raises NotGathered."""
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.alert_worker.digest",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
    except OSError as error:  # no room for one more process
        raise NotGathered(str(error)) from None
    gathering = asyncio.create_task(process.communicate(msgspec.json.encode(request)))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({gathering, stopping}, timeout=_GATHER_WITHIN_S, return_when=asyncio.FIRST_COMPLETED)
        if not gathering.done():
            if not stop.is_set():
                raise NotGathered(f"it took longer than {_GATHER_WITHIN_S:.0f} s")
            return None
        out, err = gathering.result()
    finally:
        stopping.cancel()
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await gathering
    if process.returncode != 0:
        raise NotGathered(err.decode(errors="replace")[-500:])
    return msgspec.json.decode(out, type=Digest | None)


async def _before_stop(waiting: Coroutine[Any, Any, object], stop: asyncio.Event) -> bool:
    """Wait for it; False when stopped before that."""
    tasks = [asyncio.ensure_future(one) for one in (waiting, stop.wait())]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    return not stop.is_set()
