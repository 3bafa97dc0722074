"""The dead man's switch, this side: a sign of life to an address outside, where somebody misses it."""

import asyncio

import aiohttp
import structlog

_ANSWER_WITHIN_S = 10.0
log = structlog.get_logger(__name__)


async def send_heartbeats(url: str, host: str, every_s: float, looked: asyncio.Event) -> None:
    """Call the address again and again; that it does not answer is for the other side to tell.

    Only who has `looked` since the last call is alive: one that ends before each look has nothing to say.
    """
    timeout = aiohttp.ClientTimeout(total=_ANSWER_WITHIN_S)
    while True:
        await looked.wait()
        looked.clear()
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as http,
                http.post(url, json={"host": host}) as answer,
            ):
                if answer.status >= 300:
                    log.warning("the heartbeat's receiver refuses it", status=answer.status)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            log.warning("the heartbeat's receiver does not answer", reason=type(error).__name__)
        await asyncio.sleep(every_s)
