"""Looks at parts that run in containers, by asking each for `/livez`; needs no door to the container engine."""

import asyncio
import json
import os
from collections.abc import Iterable, Mapping

import aiohttp

from services.watchdog import advice
from services.watchdog.boot import boot_id
from services.watchdog.changes import Change
from services.watchdog.memory import Sight
from services.watchdog.observation import End, Observation

_ANSWER_WITHIN_S = 3.0


class ProbedHost:
    """`probes`: the address of each part's health, such as ``http://consumer-redis:9464``, by its name."""

    def __init__(self, probes: Mapping[str, str]) -> None:
        self._probes = probes

    async def look(self, _remembered: Iterable[str]) -> Sight:
        """Ask all of them at once."""
        timeout = aiohttp.ClientTimeout(total=_ANSWER_WITHIN_S)
        async with aiohttp.ClientSession(timeout=timeout) as http:
            seen = await asyncio.gather(*(_probe(http, *probe) for probe in self._probes.items()))
        return Sight(seen, boot_id())

    async def last_end(self, _part: str, _since_us: int) -> End | None:
        """Only the container engine knows."""
        return None

    async def last_lines(self, _part: str, _count: int) -> list[str]:
        """Only the container engine knows."""
        return []

    def advice(self, change: Change) -> str:
        """What to type next."""
        return advice.for_containers(change)


async def _probe(http: aiohttp.ClientSession, part: str, address: str) -> Observation:
    try:
        async with http.get(f"{address}/livez") as answer:
            state = json.loads(await answer.text())
            incarnation, status = str(state["started_at"]), str(state["status"])
            if answer.status != 200:
                return Observation(part, "down", incarnation, end=End("hung", f"{state['still_s']} s"), status=status)
            return Observation(part, "up" if state["ready"] else "starting", incarnation, status=status)
    except aiohttp.ClientConnectorError as error:
        return Observation(part, "down", end=End("unreachable", _reason(error.os_error)))
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return Observation(part, "down", end=End("unreachable", str(error) or type(error).__name__))
    except (ValueError, KeyError, TypeError):
        return Observation(part, "down", end=End("unreachable", f"{address} is no health page of ours"))


def _reason(error: OSError) -> str:
    """``Connection refused``; a name that leads nowhere has no number of the system's, and says it itself."""
    return os.strerror(error.errno) if error.errno is not None and error.errno > 0 else (error.strerror or str(error))
