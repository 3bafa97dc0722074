"""Waiting with a limit and a name for what is waited for."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

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
    found: Sequence[str] = ()

    async def content() -> bool:
        nonlocal found
        found = await look()
        return not found

    with suppress(TimeoutError):
        await within(limit_s, content, "what everybody is to be told")
    return found
