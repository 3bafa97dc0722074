"""Services on hosts of their own: a network namespace each, on one bridge, that reaches only what its work needs.

Kafka asks who is there (TLS, SCRAM-SHA-512, access control lists). Linux lets only root make such hosts.
"""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Literal

from services.cli.demo.services import Service
from services.reconcile.kafka_reader import read_feed
from shared.clock import now_us
from shared.errors import WrongUse
from shared.events import FeedEvent
from shared.rights import Role
from tests.faults.falls import falls
from tests.faults.fault import Check, Fault, Struck
from tests.faults.limits import complaints_after
from tests.faults.watchers import MISSED_AFTER_S, told_since, unended, untold_cut

if TYPE_CHECKING:
    from tests.faults.world import World

HostName = Literal["exchanges", "stores", "alerts"]
"""A host by what it is near to."""
ServerName = Literal["kafka", "stores", "outside"]
ADDRESSES: Mapping[ServerName, str] = {"kafka": "198.18.77.1", "stores": "198.18.77.2", "outside": "198.18.77.3"}
"""Of the range for tests between networks (RFC 2544); `outside` are the exchanges and Slack."""
_HOSTS: Mapping[HostName, tuple[str, Sequence[ServerName]]] = {
    "exchanges": ("198.18.77.11", ("kafka", "outside")),
    "stores": ("198.18.77.12", ("kafka", "stores", "outside")),  # for its watchdog: Slack
    "alerts": ("198.18.77.13", ("kafka", "outside")),
}
_PLACES: Mapping[str, HostName] = {
    "producer-upbit": "exchanges",
    "producer-binance": "exchanges",
    "consumer-redis": "stores",
    "consumer-postgres": "stores",
    "alert-worker": "alerts",
}
ROLES: Sequence[Role] = ("producer", "consumer-redis", "consumer-postgres", "alert-worker")
PASSWORD = "simulated"  # opens nothing but the Kafka of one run
_BRIDGE = "tw-bridge"
_CUT_S = MISSED_AFTER_S + 3.0
"""A host may have been heard in the moment before."""
_SILENT_S = 30.0
"""Longer than the silence that a connection is allowed which is known for a minute; shorter ones TCP makes up for."""

_TOLD_WITHIN_S = 120.0
"""Longer than a connection may wait for its next attempt and be about it; and than a part that looped has to stay up,
and the watchdog to find its way to Slack, before people hear that it is over."""


class Hosts:
    """The hosts, while they are there."""

    def cut(self, host: HostName) -> None:
        """Pull its cable: what is sent vanishes, and nobody is told."""
        _ip("link", "set", _port(host), "down")

    def heal(self, host: HostName) -> None:
        """Put it back."""
        _ip("link", "set", _port(host), "up")

    def inside(self, host: HostName) -> tuple[str, ...]:
        """What a command line has to begin with to be run there."""
        return ("nsenter", f"--net=/run/netns/{_namespace(host)}")

    def place(self, service: Service) -> Service:
        """The service on its host."""
        return replace(service, inside=self.inside(_PLACES[service.name]))

    def placed(self, services: Sequence[Service]) -> dict[HostName, list[Service]]:
        """The services of each host."""
        return {host: [one for one in services if _PLACES[one.name] == host] for host in _HOSTS}


@contextmanager
def hosts() -> Iterator[Hosts]:
    """Every host and the network between them. Raises WrongUse without the right to make them."""
    if os.geteuid() != 0:
        raise WrongUse("hosts of their own take root: name the other faults by ONLY=, or run it as root")
    with ExitStack() as at_end:
        _ip("link", "add", _BRIDGE, "type", "bridge")
        at_end.callback(_ip, "link", "del", _BRIDGE)
        for address in ADDRESSES.values():
            _ip("address", "add", f"{address}/24", "dev", _BRIDGE)
        _ip("link", "set", _BRIDGE, "up")
        for host, (address, reached) in _HOSTS.items():
            namespace = _namespace(host)
            _ip("netns", "add", namespace)
            at_end.callback(_ip, "netns", "del", namespace)
            _ip("link", "add", _port(host), "type", "veth", "peer", "name", "eth0", "netns", namespace)
            at_end.callback(_ip, "link", "del", _port(host))  # with its namespace it would go some time later
            _ip("link", "set", _port(host), "master", _BRIDGE, "up")
            _ip("-n", namespace, "address", "add", f"{address}/32", "dev", "eth0")
            for device in ("lo", "eth0"):
                _ip("-n", namespace, "link", "set", device, "up")
            for server in reached:
                _ip("-n", namespace, "route", "add", ADDRESSES[server], "dev", "eth0")
        yield Hosts()


def certificate(directory: Path) -> tuple[Path, Path]:
    """A new key and certificate of Kafka's address: (both, for the broker; the certificate, for those who trust it)."""
    key, trusted, both = (directory / f"kafka-{name}.pem" for name in ("key", "trusted", "key-and-chain"))
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    names = ("-subj", "/CN=kafka", "-addext", f"subjectAltName=IP:{ADDRESSES['kafka']}")
    command = ["openssl", "req", "-x509", *curve, *names, "-keyout", key, "-out", trusted]
    subprocess.run(command, check=True, capture_output=True)
    both.touch(mode=0o600)
    both.write_text(key.read_text() + trusted.read_text())
    return both, trusted


def _namespace(host: HostName) -> str:
    return f"tw-{host}"


def _port(host: HostName) -> str:
    return f"tw-{host}"


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


@asynccontextmanager
async def _cut(world: "World", host: HostName) -> AsyncIterator[list[Check]]:
    """The cable is out; afterwards the list has what asks whether people heard of it, and that it is over."""
    assert world.hosts is not None
    since_us, checks = now_us(), []
    world.hosts.cut(host)
    try:
        yield checks
    finally:
        world.hosts.heal(host)
    healed_us = now_us()

    async def look(world: "World") -> list[str]:
        told = await told_since(world.market, since_us)
        return untold_cut(told, host, healed_us) + unended(told)

    checks.append(look)


def _all_of(checks: Sequence[Check]) -> Check:
    """What none of them complains of any more, before people lose patience."""

    async def check(world: "World") -> Sequence[str]:
        async def look() -> list[str]:
            return [complaint for one in checks for complaint in await one(world)]

        return await complaints_after(_TOLD_WITHIN_S, look)

    return check


async def exchanges_cut(world: "World", _random: Random) -> Struck:
    """The producers hear nothing and reach nobody; each connection is told as silent, and as there again."""
    since_us = now_us()
    async with _cut(world, "exchanges") as checks:
        await asyncio.sleep(_SILENT_S)

    async def on_the_feed(world: "World") -> list[str]:
        return _untold([event async for event in read_feed(world.settings.kafka) if event.at_us >= since_us])

    # The market goes on through the connections that came back first; the last one may have longer to wait.
    return Struck(check=_all_of([*checks, on_the_feed]))


def _untold(events: Sequence[FeedEvent]) -> list[str]:
    ended = {event.connection for event in events if event.kind in ("stalled", "disconnected")}
    back = {event.connection for event in events if event.kind == "connected"}
    gaps = {event.exchange for event in events if event.kind == "gap"}
    faults = [] if ended else ["nobody was told that the connections are silent"]
    faults += [f"{connection} ended, and nobody was told that it is back" for connection in ended - back]
    return faults + [f"no gap of {name}" for name in ("upbit", "binance") if name not in gaps]


async def stores_cut(world: "World", _random: Random) -> Struck:
    """Both consumers fall behind, which is what `tapewatch status` shows; nothing is lost, for Kafka keeps it."""
    async with _cut(world, "stores") as checks:
        await asyncio.sleep(_CUT_S)
        behind = await _behind(world)
    blind = [f"nobody can see that {name} is behind" for name, count in behind.items() if not count]
    return Struck(broken=blind, check=_all_of(checks))


async def _behind(world: "World") -> dict[str, int]:
    progress = await world.stores.progress()
    return {sink: progress.behind_in_all(sink) for sink in progress.of_sink}


async def alerts_cut(world: "World", _random: Random) -> Struck:
    """The alert worker reaches neither Kafka nor Slack while a market falls; nobody else notices, and it tells late."""
    async with _cut(world, "alerts") as checks:
        told_once = await falls(world, "KRW-ETH")
        await asyncio.sleep(_CUT_S)
    people_hear = _all_of(checks)

    async def check(world: "World") -> Sequence[str]:
        return [*await people_hear(world), *await told_once(world)]

    return Struck(check=check)


async def all_restarted(world: "World", _random: Random) -> Struck:
    """Each service begins again, where it reads what is there already: Kafka refuses none of it; people hear of it."""
    since_us = now_us()
    for name in world.services.names:
        await world.services.strike(name)

    async def refused(world: "World") -> list[str]:
        logs = {name: world.directory / f"{name}.log" for name in world.services.names}
        return [
            f"{name} was refused something" for name, log in logs.items() if b"AuthorizationFailed" in log.read_bytes()
        ]

    async def untold(world: "World") -> list[str]:
        told = await told_since(world.market, since_us)
        heard = {one.about for one in told}
        return [f"nobody was told of {name}" for name in world.services.names if name not in heard] + unended(told)

    return Struck(len(world.services.names), check=_all_of([refused, untold]))


FAULTS = [
    Fault("F24", "restarted-on-hosts", "kill -9 of every service", all_restarted, 20, makes_gap=True, stage="hosts"),
    *(
        Fault(
            "F24", f"{host}-host-cut", f"its cable is out for {seconds:.0f} s", strike, 20, makes_gap=gap, stage="hosts"
        )
        for host, strike, seconds, gap in (
            ("exchanges", exchanges_cut, _SILENT_S, True),
            ("stores", stores_cut, _CUT_S, False),
            ("alerts", alerts_cut, _CUT_S, False),  # while a market falls
        )
    ),
]
