"""Waiting with a limit and a name for what is waited for."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic

_POLL_S = 0.02


async def within(limit_s: float, holds: Callable[[], bool | Awaitable[bool]], what: str) -> None:
    """Return once `holds`. Raises TimeoutError that names `what` after `limit_s` seconds."""
    try:
        async with asyncio.timeout(limit_s):
            while True:
                held = holds()
                if await held if inspect.isawaitable(held) else held:
                    return
                await asyncio.sleep(_POLL_S)
    except TimeoutError:
        raise TimeoutError(f"waited {limit_s:.0f} s for {what}") from None


async def complaints_after(limit_s: float, look: Callable[[], Awaitable[Sequence[str]]]) -> Sequence[str]:
    """What `look` complains of: nothing as soon as it finds nothing, else what it found last within `limit_s`."""
    until_s = monotonic() + limit_s
    while (found := await look()) and monotonic() < until_s:  # noqa: ASYNC110  others' work, which tells nobody
        await asyncio.sleep(_POLL_S)
    return found
