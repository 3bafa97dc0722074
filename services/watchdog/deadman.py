"""The dead man's switch, both ends: a sign of life to an address outside, and somebody there who misses it."""

import asyncio
from collections.abc import Callable

import aiohttp
import structlog
from aiohttp import web

from services.watchdog.changes import Change

HEARTBEAT_EVERY_S = 20.0
_ANSWER_WITHIN_S = 10.0
log = structlog.get_logger(__name__)


async def send_heartbeats(url: str, host: str) -> None:
    """Call the address again and again; that it does not answer is for the other side to tell."""
    timeout = aiohttp.ClientTimeout(total=_ANSWER_WITHIN_S)
    while True:
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as http,
                http.post(url, json={"host": host}) as answer,
            ):
                if answer.status >= 300:
                    log.warning("the heartbeat's receiver refuses it", status=answer.status)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            log.warning("the heartbeat's receiver does not answer", reason=type(error).__name__)
        await asyncio.sleep(HEARTBEAT_EVERY_S)


class Receiver:
    """Listens for heartbeats and says which hosts have fallen silent. `now_us` is this machine's clock."""

    def __init__(self, within_s: float, now_us: Callable[[], int]) -> None:
        self._within_us, self._now_us = int(within_s * 1_000_000), now_us
        self._heard_at_us: dict[str, int] = {}
        self._silent: set[str] = set()

    def routes(self) -> list[web.RouteDef]:
        """Where a heartbeat is posted."""
        return [web.post("/heartbeat", self._take)]

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.json()
        host = str(body.get("host", ""))[:200] if isinstance(body, dict) else ""
        if not host:
            raise web.HTTPBadRequest(text='the body is {"host": "its name"}\n')
        self._heard_at_us[host] = self._now_us()
        return web.Response(text="heard\n")

    def look(self) -> list[Change]:
        """Hosts that fell silent, or are heard again, since the last look."""
        now_us, changes = self._now_us(), []
        for host, heard_at_us in self._heard_at_us.items():
            is_silent = now_us - heard_at_us > self._within_us
            if is_silent and host not in self._silent:
                self._silent.add(host)
                changes.append(Change(host, "down", now_us, heard_at_us))
            elif not is_silent and host in self._silent:
                self._silent.discard(host)
                changes.append(Change(host, "back", now_us, heard_at_us))
        return changes
