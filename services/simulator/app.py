"""Wires the simulator: one process, one port for both exchanges, Slack and the control door."""

import asyncio
import json
import time
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from aiohttp import web

from services.simulator.binance.encode import Variant as BinanceVariant
from services.simulator.binance.encode import depth_of
from services.simulator.binance.rest import BinanceRest, RestLimits
from services.simulator.binance.socket import BinanceLimits, BinanceSocket
from services.simulator.connection import Connection
from services.simulator.control import Control
from services.simulator.faults import Faults
from services.simulator.hub import UNHEARD_DEPTH, Hub
from services.simulator.lists import Lists
from services.simulator.market.instruments import listing
from services.simulator.player import Player
from services.simulator.publication import Variant
from services.simulator.recordings.files import read_recordings
from services.simulator.recordings.source import RecordedSource
from services.simulator.rows import Source
from services.simulator.scenarios import DEFAULT_SCENARIO, SCENARIOS
from services.simulator.slack.api import WEBHOOK_PATH, SlackApi, SlackLimits
from services.simulator.slack.page import SlackPage
from services.simulator.slack.workspace import Workspace
from services.simulator.synthetic import SyntheticSource
from services.simulator.truth_log import TruthLog
from services.simulator.upbit.encode import Variant as UpbitVariant
from services.simulator.upbit.rest import UpbitRest
from services.simulator.upbit.socket import UpbitLimits, UpbitSocket
from shared.clock import now_us
from shared.errors import WrongUse
from shared.liveness import Liveness

LOOPBACK = "127.0.0.1"
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SimulatorOptions:
    """What `tapewatch simulator` can be told. `expect`: how many (exchange, channel, symbol) must be subscribed before
    the market opens; `seed` fixes the synthetic market's story. `listen` is a name that others reach it by, too."""

    scenario: str = DEFAULT_SCENARIO
    recordings: tuple[Path, ...] = ()
    speed: float = 1.0
    rate: float = 300.0
    seed: int = 1
    symbols: int = 10
    truth: Path | None = None
    expect: int = 1
    listen: str = LOOPBACK
    port: int = 0
    slack_channels: tuple[str, ...] = ("tapewatch", "tapewatch-ops")
    upbit_limits: UpbitLimits = field(default_factory=UpbitLimits)
    binance_limits: BinanceLimits = field(default_factory=BinanceLimits)
    binance_rest_limits: RestLimits = field(default_factory=RestLimits)
    slack_limits: SlackLimits = field(default_factory=SlackLimits)


class Simulator:
    """Everything, put together. `start` listens, `addresses` says where; `run` plays until `stop` is set."""

    def __init__(self, options: SimulatorOptions) -> None:
        self.options = options
        source = _source(options)
        self.truth = TruthLog(options.truth)
        self.hub = Hub(self.truth, _book_depth, now_us)
        self.hub.offer(source.keys())
        self.player = Player(source, self.hub, self.truth, expect=options.expect, speed=options.speed)
        self.workspace = Workspace(list(options.slack_channels))
        upbit = UpbitSocket(self.hub, options.upbit_limits, options.seed)
        binance = BinanceSocket(self.hub, options.binance_limits)
        slack = SlackApi(self.workspace, options.slack_limits, now_us)
        lists = Lists(source)
        self.binance_rest = BinanceRest(source, lists, options.binance_rest_limits)
        faults = Faults(self.hub, source, upbit, binance, slack)
        app = web.Application(client_max_size=8 << 20)
        app.add_routes(
            [
                web.get("/websocket/v1", upbit.handle),
                web.get("/stream", binance.handle),
                web.get("/ws", binance.handle),
                web.get("/ws/{tail:.*}", binance.handle),
                *UpbitRest(source, lists).routes(),
                *self.binance_rest.routes(),
                *slack.routes(),
                *SlackPage(self.workspace).routes(),
                *Control(self.player, self.hub, self.truth, faults, lists, self.workspace).routes(),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        self._sockets: dict[str, UpbitSocket | BinanceSocket] = {"upbit": upbit, "binance": binance}
        self._port = 0

    async def start(self) -> None:
        """Listen. Raises WrongUse when the port is taken."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.options.listen, self.options.port, backlog=512)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            where = self.options.listen
            raise WrongUse(f"--port {self.options.port}: cannot listen on {where}: {error.strerror}") from None
        self._port = self._runner.addresses[0][1]

    def addresses(self) -> dict[str, str]:
        """Where everything is, in the form in which tapewatch's settings want it."""
        place = f"{self.options.listen}:{self._port}"
        http, ws = f"http://{place}", f"ws://{place}"
        return {
            "upbit_websocket_url": f"{ws}/websocket/v1",
            "upbit_rest_url": f"{http}/v1",
            "binance_websocket_url": ws,
            "binance_rest_url": http,
            "slack_api_url": f"{http}/api/",
            "slack_webhook_url": http + WEBHOOK_PATH,
            "slack_page_url": f"{http}/slack",
            "control_url": f"{http}/control",
        }

    def connections(self, exchange: str) -> list[Connection]:
        """The connections of an exchange that are open now."""
        return list(self._sockets[exchange].connections)

    async def run(self, stop: asyncio.Event) -> None:
        """Play until told to stop; then complete the truth log and hang up."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.player.run())
            await stop.wait()
            await self.player.stop()
        await self.close()

    async def close(self) -> None:
        """Hang up everything and give the port back."""
        for exchange in self._sockets:
            for connection in self.connections(exchange):
                connection.close(1001, "going away")
        await self._runner.cleanup()


def _source(options: SimulatorOptions) -> Source:
    if options.recordings:
        recording = read_recordings(options.recordings)
        for what, frames in recording.skipped.items():
            log.warning("recorded frames that are not played", channel=what, frames=frames)
        return RecordedSource(recording)
    if options.speed != 1:
        raise WrongUse("--speed: only recordings can be played faster; give --recordings, or --rate for the market")
    scenario = SCENARIOS.get(options.scenario)
    if scenario is None:
        raise WrongUse(f"--scenario {options.scenario}: choose one of {', '.join(SCENARIOS)}")
    try:
        instruments = listing(options.symbols)
    except ValueError as error:
        raise WrongUse(f"--symbols: {error}") from None
    return SyntheticSource(instruments, options.rate, options.seed, scenario, time.time_ns() // 1_000_000)


def _book_depth(variant: Variant) -> int:
    """How many levels of a book this kind of subscriber sees."""
    if isinstance(variant, UpbitVariant):
        return variant.levels
    if isinstance(variant, BinanceVariant) and variant.kind.startswith("depth"):
        return depth_of(variant.kind)
    return UNHEARD_DEPTH


async def serve(options: SimulatorOptions, stop: asyncio.Event, liveness: Liveness) -> None:
    """Run the simulator as a process: print one JSON line of addresses, then play until stopped."""
    simulator = Simulator(options)
    await simulator.start()
    print(json.dumps(simulator.addresses()), flush=True)
    log.info(
        "simulator ready",
        seed=options.seed,
        scenario=options.scenario,
        rate=options.rate,
        symbols=options.symbols,
        expect=options.expect,
    )
    async with asyncio.TaskGroup() as group:
        living = group.create_task(_live(simulator, liveness))
        await simulator.run(stop)
        living.cancel()


async def _live(simulator: Simulator, liveness: Liveness) -> None:
    """It waits for those who subscribe, and is well while its loop runs."""
    while True:
        counts = {exchange: len(simulator.connections(exchange)) for exchange in ("upbit", "binance")}
        liveness.moved(", ".join(f"{count} connections to {exchange}" for exchange, count in counts.items()))
        await asyncio.sleep(1)
