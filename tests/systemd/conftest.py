"""The whole product, installed by its own installer on a booted systemd; servers, exchanges and Slack outside it.

At the end a table says what was told in each drill, and how long after what happened.
"""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep, time
from typing import Any
from urllib.request import Request, urlopen

import pytest

from devstack.stack import ServerAddresses, Stack
from services.cli.demo.database import bring_up_to_date, create_user
from shared.settings import load_settings
from tests.systemd.machine import SUITE, VERSIONS, Machine, build_wheels
from tests.systemd.page import with_section

REPOSITORY = Path(__file__).parents[2]
_DOCUMENT = REPOSITORY / "docs/DRILLS.md"
AWAY_S = float(os.environ.get("TAPEWATCH_DRILLS_AWAY_S", "120"))
"""How long what is away stays away: longer than the 90 s within which a start that says nothing is ended."""
PRODUCERS = ("tapewatch-producer@upbit", "tapewatch-producer@binance")
DATA = (*PRODUCERS, "tapewatch-consumer@redis", "tapewatch-consumer@postgres", "tapewatch-alert-worker")
SHOWN = (*DATA, "tapewatch-watchdog")
UNITS = ("tapewatch-setup", *SHOWN)
_SYMBOLS = {"UPBIT": "KRW-BTC,KRW-ETH", "BINANCE": "BTCUSDT,ETHUSDT"}

_KEY = pytest.StashKey[list[tuple[str, str, float]]]()
TOLD_WITHIN_S = 20.0
_CANARY = "tapewatch is awake"
"""The alert worker's one message there, after its first ten minutes."""


@dataclass
class Installed:
    """The machine with the product running on it, and what the simulated Slack's ops channel got to read.

    `figures`: drill, message, and how many seconds after what happened Slack had it.
    """

    machine: Machine
    addresses: dict[str, str]
    stack: Stack
    ports: dict[str, int]
    """Where each unit shows its page."""
    figures: list[tuple[str, str, float]] = field(default_factory=list)

    def took(self, drill: str, message: dict[str, Any], since: float) -> float:
        """Seconds from `since`, a time of this machine's clock, until Slack had the message; kept for the table."""
        delay_s = float(message["ts"]) - since
        self.figures.append((drill, message["text"].partition(" on vm1")[0], delay_s))
        return delay_s

    def told_in_time(self, drill: str, message: dict[str, Any], since: float) -> None:
        """The same, and that it is within what is promised."""
        assert self.took(drill, message, since) <= TOLD_WITHIN_S, message["text"]

    def ready_at(self, *units: str) -> float:
        """When the last of them became ready, by this machine's clock; the guest shares its monotonic one."""
        at_us = max(int(self.machine.show(unit, "ActiveEnterTimestampMonotonic")) for unit in units)
        return time() - (monotonic() - at_us / 1e6)

    def ops(self) -> list[dict[str, Any]]:
        """What the watchdog said in the ops channel, replies among them, oldest first."""
        with urlopen(f"{self.addresses['control_url']}/slack", timeout=30) as answer:
            found: list[dict[str, Any]] = json.load(answer)["channels"]["tapewatch-ops"]
        return [message for message in found if not message["text"].startswith(_CANARY)]

    def told(self, since: int) -> list[str]:
        """The texts from the `since`-th message on."""
        return [message["text"] for message in self.ops()[since:]]

    def until_told(self, since: int, *beginnings: str, within_s: float = 60.0) -> float:
        """Wait until the messages after `since` begin like this, in this order; seconds that it took."""

        def holds() -> bool:
            told = self.told(since)
            return len(told) >= len(beginnings) and all(map(str.startswith, told, beginnings))

        began = monotonic()
        while not holds():
            assert monotonic() - began < within_s, self._instead(since, *beginnings)
            sleep(0.2)
        return monotonic() - began

    def until_one_begins(self, since: int, *beginnings: str, within_s: float = 90.0) -> dict[str, Any]:
        """Wait until one of the messages after `since` begins like one of these; that message."""
        began = monotonic()
        while True:
            messages = self.ops()[since:]
            found = [message for message in messages if message["text"].startswith(beginnings)]
            if found:
                return found[0]
            assert monotonic() - began < within_s, self._instead(since, *beginnings)
            sleep(0.2)

    def _instead(self, since: int, *wanted: str) -> str:
        lines = self.machine.ask(
            "journalctl", "-u", "tapewatch-watchdog", "-n", "40", "--no-pager", "-o", "short-precise"
        )
        return f"told was {self.told(since)} instead of {wanted}; the watchdog said:\n{lines}"

    def until_active(self, *units: str, within_s: float = 120.0) -> None:
        """Wait until they are ready: the first record went all the way, or nothing waits."""
        for unit in units:
            self.machine.until(
                lambda unit=unit: self.machine.show(unit, "ActiveState") == "active", f"active {unit}", within_s
            )

    def until_seen_well(self) -> None:
        """Wait until they are ready and the watchdog, which looks once a second, has seen that."""
        self.until_active(*DATA, "tapewatch-watchdog")
        sleep(2)
        self.machine.until(
            lambda: self._seen() == f"{len(DATA)} of {len(DATA)} parts up", "watchdog that sees all at work"
        )

    def _seen(self) -> str:
        return self.machine.show("tapewatch-watchdog", "StatusText")

    def restarts(self) -> dict[str, int]:
        """How often systemd started each data service again."""
        return {unit: int(self.machine.show(unit, "NRestarts")) for unit in DATA}


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Installed]:
    """Everything up and ready, known to the watchdog."""
    directory = tmp_path_factory.mktemp("systemd")
    wheels = build_wheels(REPOSITORY, directory)
    with Stack(given=ServerAddresses()) as stack:
        simulator, addresses = _simulator(directory)
        machine = Machine(directory, {wheels: "/wheels", REPOSITORY / "deploy": "/deploy"})
        try:
            machine.boot()
            _install(machine, stack, addresses, directory)
            ports = _own_ports(machine)
            machine.run("systemctl", "start", "--no-block", "tapewatch.target", "tapewatch-watchdog")
            one = Installed(machine, addresses, stack, ports)
            request.config.stash[_KEY] = one.figures
            one.until_active("tapewatch-watchdog")
            _open_market(addresses, one)
            one.until_active(*DATA)
            yield one
        finally:
            machine.close()
            simulator.terminate()
            simulator.communicate(timeout=30)


def _simulator(directory: Path) -> tuple["subprocess.Popen[bytes]", dict[str, str]]:
    options = ["--scenario", "calm", "--rate", "100", "--symbols", "2", "--expect", "1000000"]
    with (directory / "simulator.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.cli", "simulator", *options, "--truth", str(directory / "truth.jsonl")],
            stdout=subprocess.PIPE,
            stderr=log,
            env={name: value for name, value in os.environ.items() if not name.startswith("TAPEWATCH_")},
        )
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())


def _open_market(addresses: dict[str, str], one: Installed) -> None:
    def subscribed() -> bool:
        with urlopen(f"{addresses['control_url']}/status", timeout=30) as answer:
            return bool(json.load(answer)["subscriptions"] >= 12)

    one.machine.until(subscribed, "subscriptions", 120)
    urlopen(Request(f"{addresses['control_url']}/start", method="POST"), timeout=30).close()


def _install(machine: Machine, stack: Stack, addresses: dict[str, str], directory: Path) -> None:
    [wheel] = machine.run("/bin/sh", "-c", "ls /wheels/tapewatch-*.whl").split()
    machine.run("/deploy/systemd/install.sh", wheel, *UNITS, within_s=300, PIP_NO_INDEX="1", PIP_FIND_LINKS="/wheels")
    owner = {"TAPEWATCH_POSTGRES__DSN": stack.postgres_dsn}
    bring_up_to_date(load_settings(owner).postgres)
    asyncio.run(create_user(load_settings(owner).postgres, "writer", directory / "writer.dsn"))
    secrets = {
        "owner/dsn": stack.postgres_dsn,
        "postgres/dsn": (directory / "writer.dsn").read_text(encoding="utf-8"),
        "redis/url": stack.redis_url,
        "slack/bot_token": "xoxb-simulated",
    }
    for name, secret in secrets.items():
        file = machine.root / "etc/tapewatch/credentials" / name
        file.touch(mode=0o600)
        file.write_text(secret, encoding="utf-8")
    settings = {
        "TAPEWATCH_KAFKA__BOOTSTRAP_SERVERS": stack.kafka_bootstrap_servers,
        "TAPEWATCH_SLACK__API_URL": addresses["slack_api_url"],
        "TAPEWATCH_SLACK__CHANNEL": "#tapewatch",
        "TAPEWATCH_SLACK__OPS_CHANNEL": "#tapewatch-ops",
    }
    for exchange, symbols in _SYMBOLS.items():
        for kind in ("WEBSOCKET", "REST"):
            settings[f"TAPEWATCH_{exchange}__{kind}_URL"] = addresses[f"{exchange}_{kind}_url".lower()]
        settings[f"TAPEWATCH_{exchange}__SYMBOLS"] = settings[f"TAPEWATCH_{exchange}__ORDERBOOK_SYMBOLS"] = symbols
    lines = "".join(f"{name}={value}\n" for name, value in settings.items())
    (machine.root / "etc/tapewatch/tapewatch.env").write_text(lines, encoding="utf-8")


def _own_ports(machine: Machine) -> dict[str, int]:
    """Have each show its page on a port that is free here: the network is this machine's, and so are its ports."""
    with ExitStack() as at_end:
        taken = [at_end.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in SHOWN]
        ports = dict(zip(SHOWN, (one.getsockname()[1] for one in taken), strict=True))
    for unit, port in ports.items():
        (machine.root / f"etc/tapewatch/{unit}.env").write_text(f"TAPEWATCH_METRICS__PORT={port}\n", encoding="ascii")
    return ports


Tell = Callable[..., None]


@pytest.fixture
def before(installed: Installed) -> Iterator[int]:
    """How many messages the ops channel has when the test begins, all being well; afterwards all is well again."""
    installed.until_seen_well()
    yield len(installed.ops())
    installed.until_seen_well()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Only a run that is to be kept writes the page."""
    parser.addoption("--document", action="store_true", help=f"write {_DOCUMENT.name} with what each drill told")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the table below the results, and keep it if asked to."""
    figures = config.stash.get(_KEY, [])
    for drill, message, delay_s in figures:
        terminalreporter.write_line(f"{drill:58} {message:62} {delay_s:6.1f} s")
    if config.getoption("--document"):
        page = _DOCUMENT.read_text(encoding="utf-8") if _DOCUMENT.exists() else ""
        heading = f"systemd {VERSIONS[SUITE]} (Debian's {SUITE}), what goes away stays so for {AWAY_S:.0f} s"
        _DOCUMENT.write_text(with_section(page, heading, figures), encoding="utf-8")
