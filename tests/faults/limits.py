"""Waiting with a limit and a name for what is waited for."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable

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
