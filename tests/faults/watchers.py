"""A watchdog on each host, somebody outside who misses a host that falls silent, and what people were told by both."""

import json
import re
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from devstack.ports import free_port
from services.cli.demo.services import Service
from tests.faults.limits import within
from tests.faults.market import SimulatedMarket
from tests.faults.processes import Processes

MISSED_AFTER_S = 25
"""More than the pause between two heartbeats, and not much more: so long a host may be silent."""
THIS_HOST = "machine"
"""What people call the host where everything runs together."""
_CHANNEL = "tapewatch-ops"
_SILENT = "no sign of life from "
_KNOWN_WITHIN_S = 60.0
_NAMES = re.compile(r"(?:\S+, )*\S+")
_ENDS = ("✅", "🟡")
"""How a message begins after which all is well with what it is about."""


@dataclass(frozen=True)
class Told:
    """One message to people: in the thread of `thread`, or on its own. `about` is a part, or a host."""

    ts: str
    thread: str | None
    text: str

    @property
    def at_us(self) -> int:
        """When Slack took it."""
        return round(float(self.ts) * 1_000_000)

    @property
    def about(self) -> str:
        """The part or host that the headline names, as in ``DOWN · producer-upbit on exchanges``."""
        return self.names[0]

    @property
    def names(self) -> list[str]:
        """The same where it names several, as in ``WAITS · producer-upbit, consumer-redis on machine``."""
        named = _NAMES.match(self.text.partition(" · ")[2].removeprefix(_SILENT))
        return named[0].split(", ") if named else [""]

    @property
    def is_silence(self) -> bool:
        """Whether it says that a host has fallen silent."""
        return _SILENT in self.text

    @property
    def is_end(self) -> bool:
        """Whether it says that something is over."""
        return self.text.startswith(_ENDS)


def with_health(services: Sequence[Service]) -> list[Service]:
    """The same services, each with a port where it shows how it is."""
    return [
        replace(one, environment={**one.environment, "TAPEWATCH_METRICS__PORT": str(free_port())}) for one in services
    ]


class Watchers:
    """Watchdogs and who misses them, not started. `hosts`: what runs on each; `listen` is outside of all of them."""

    def __init__(
        self, directory: Path, hosts: Mapping[str, Sequence[Service]], environment: Mapping[str, str], listen: str
    ) -> None:
        self._address = listen, free_port()
        self._states = {host: directory / "watchdogs" / host for host in hosts}
        self._parts = {host: [one.name for one in services] for host, services in hosts.items()}
        environment = {**environment, "TAPEWATCH_SLACK__OPS_CHANNEL": f"#{_CHANNEL}"}
        watchdogs = [self._watchdog(host, services) for host, services in hosts.items()]
        where = ("--listen", listen, "--port", str(self._address[1]), "--within", str(MISSED_AFTER_S))
        self.watchdogs = Processes(directory / "watchdogs", watchdogs, environment)
        self._outside = Processes(directory / "outside", [Service("deadman", ("deadman", *where))], environment)
        for one in (directory / "outside", *self._states.values()):
            one.mkdir(parents=True)

    def _watchdog(self, host: str, services: Sequence[Service]) -> Service:
        told = {
            "PROBES": ",".join(f"{one.name}=http://127.0.0.1:{_health_port(one)}" for one in services),
            "HOST": host,
            "HEARTBEAT_URL": "http://{}:{}/heartbeat".format(*self._address),
        }
        environment = {f"TAPEWATCH_WATCHDOG__{key}": value for key, value in told.items()}
        environment["TAPEWATCH_STATE__DIRECTORY"] = str(self._states[host])
        return Service(f"watchdog-{host}", ("watchdog",), environment, services[0].inside)

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Start them, and end them afterwards. Every host has been heard, and every part seen up, when they are."""
        try:
            await self._outside.start()
            await within(_KNOWN_WITHIN_S, self._listens, "somebody who listens for heartbeats")
            await self.watchdogs.start()
            try:
                await within(_KNOWN_WITHIN_S, lambda: not self.unseen(), "the watchdogs to see every part")
                yield
            finally:
                await self.watchdogs.close()
        finally:
            await self._outside.close()

    def _listens(self) -> bool:
        with suppress(OSError):
            socket.create_connection(self._address, 1).close()
            return True
        return False

    def unseen(self) -> list[str]:
        """Parts that people do not know to be up."""
        return [part for host, parts in self._parts.items() for part in parts if self._state(host, part) != "up"]

    def _state(self, host: str, part: str) -> str:
        file = self._states[host] / "watchdog.json"
        kept: dict[str, Any] = (
            json.loads(file.read_text(encoding="utf-8")) if file.exists() else {"memory": {"parts": {}}}
        )
        return str(kept["memory"]["parts"].get(part, {}).get("told"))


def _health_port(service: Service) -> str:
    return service.environment["TAPEWATCH_METRICS__PORT"]


async def told_since(market: SimulatedMarket, since_us: int) -> list[Told]:
    """What stands in the ops channel of the simulated Slack, oldest first."""
    found = [Told(one["ts"], one.get("thread_ts"), one["text"]) for one in await market.messages_in(_CHANNEL)]
    return sorted((one for one in found if one.at_us >= since_us), key=lambda one: one.at_us)


def unended(told: Sequence[Told]) -> list[str]:
    """A complaint for each part or host of which people last heard that something is wrong."""
    last = {name: one for one in told for name in one.names}
    return [f"nobody was told how this ended: {one.text}" for one in last.values() if not one.is_end]


def untold_cut(told: Sequence[Told], host: str, healed_us: int) -> list[str]:
    """What is missing of a host's story: that it fell silent, told while it was cut off, and that it is heard again."""
    of_host = [one for one in told if one.about == host]
    silent = [one for one in of_host if one.is_silence and one.at_us < healed_us]
    again = [one for one in of_host if one.is_end and one.at_us >= healed_us]
    faults = [] if silent else [f"nobody was told while it lasted that {host} is silent"]
    return faults if again else [*faults, f"nobody was told that {host} is heard again"]
