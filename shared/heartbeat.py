"""Says again and again that a process lives, to whoever started it, for as long as it is true.

Under systemd its watchdog ends what does not get on: at once when we say so, by our silence when we cannot. Elsewhere
(containers, the demo) the process ends itself, and whoever keeps it starts it again; `shared.hang` does it for a loop
that hangs.
"""

import asyncio
from collections.abc import Callable
from contextlib import nullcontext

from shared.errors import TapewatchError
from shared.hang import ended_when_hung
from shared.liveness import Liveness
from shared.redaction import without_secrets
from shared.systemd import Systemd

_EVERY_S = 1.0
_EXTEND_S = 30


async def beat(liveness: Liveness, systemd: Systemd) -> None:
    """Go on until cancelled. Raises TapewatchError when the process does not get on and nobody else would notice.

    Only time in which this loop ran counts: a host that was stopped and goes on is no process that does not get on.
    """
    hung = ended_when_hung(liveness.within_s) if systemd.watchdog_s is None else nullcontext(lambda: None)
    with hung as loop_runs:
        await _beat(liveness, systemd, loop_runs)


async def _beat(liveness: Liveness, systemd: Systemd, loop_runs: Callable[[], None]) -> None:
    told_ready, every_s = False, min(_EVERY_S, (systemd.watchdog_s or 3 * _EVERY_S) / 3)
    seen, silent_s = liveness.moves, 0.0
    while True:
        loop_runs()
        silent_s = silent_s + every_s if liveness.moves == seen else 0.0
        seen = liveness.moves
        if silent_s <= liveness.limit_s:
            if liveness.is_ready and not told_ready:
                systemd.tell(READY=1)
                told_ready = True
            systemd.tell(STATUS=_one_line(liveness.says), WATCHDOG=1, **_more_time(liveness))
        elif systemd.watchdog_s is None:
            raise TapewatchError(f"no progress for {silent_s:.0f} s ({liveness.says}): starting over")
        else:
            # Its own time limit would pass besides, and people are to hear of it soon.
            systemd.tell(STATUS=_one_line(f"no progress for {silent_s:.0f} s: {liveness.says}"), WATCHDOG="trigger")
        await asyncio.sleep(every_s)


def _more_time(liveness: Liveness) -> dict[str, int]:
    """A start that waits for Kafka, or replays for long, is no start that hangs."""
    return {} if liveness.is_ready else {"EXTEND_TIMEOUT_USEC": _EXTEND_S * 1_000_000}


def _one_line(text: str) -> str:
    return without_secrets(text).replace("\n", " ")
