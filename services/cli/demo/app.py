"""Wires the demo: brings everything up, plays a market, shows it live, and reckons at the end."""

import asyncio
import json
import logging
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import structlog
from rich.console import Console

from devstack.stack import Stack
from services.cli.demo import market
from services.cli.demo.interrupts import Interrupts
from services.cli.demo.monitor import Monitor
from services.cli.demo.options import DemoOptions
from services.cli.demo.picture import Picture
from services.cli.demo.promises import broken_promises
from services.cli.demo.screens import LiveScreen, PlainScreen, Screen
from services.cli.demo.services import SINKS, journal
from services.cli.demo.stage import Stage, demo_directory, everything, servers
from services.cli.report_table import show_report
from services.reconcile.app import reconcile
from services.reconcile.received import write_received
from services.reconcile.report import Report, judge
from services.simulator.recordings.files import find_set
from services.simulator.scenarios import SCENARIOS
from shared.clock import now_us
from shared.errors import TapewatchError, WrongUse
from shared.redaction import without_secrets

_LEFT = 130
_WIDTH = 110


def run(options: DemoOptions) -> int:
    """Run the demo; returns the exit code."""
    console = Console() if sys.stdout.isatty() else Console(width=_WIDTH)
    screen: Screen = LiveScreen(console) if console.is_terminal else PlainScreen(console)
    try:
        outcome = asyncio.run(_demo(options, screen))
    except TapewatchError as error:
        return _explained(screen, error)
    except BaseExceptionGroup as group:
        told, rest = group.split(TapewatchError)
        if told is None or rest is not None:
            raise
        return _explained(screen, told)
    if outcome is None:
        return _LEFT
    report, kept_in = outcome
    show_report(console, report)
    if kept_in is not None:
        console.print(f"Data and logs are kept in {kept_in}", soft_wrap=True, highlight=False)
    return 0 if report.ok else 1


def _explained(screen: Screen, error: BaseException) -> int:
    screen.close()
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    print(f"tapewatch demo: {without_secrets(str(error))}", file=sys.stderr)
    return error.exit_code if isinstance(error, TapewatchError) else 1


async def _demo(options: DemoOptions, screen: Screen) -> tuple[Report, Path | None] | None:
    """The report and where everything is kept; None when a person left early."""
    _check(options)
    interrupts = Interrupts()
    interrupts.listen()
    try:
        async with servers(options, screen) as stack:
            _log_to(demo_directory(stack) / "demo.log")
            report = await _play_and_reckon(options, screen, stack, interrupts)
            stack.keep = stack.keep or not report.ok
            kept_in = stack.root if stack.keep else None
    except asyncio.CancelledError:
        if not interrupts.left:
            raise
        return None
    finally:
        screen.close()
    return report, kept_in


async def _play_and_reckon(options: DemoOptions, screen: Screen, stack: Stack, interrupts: Interrupts) -> Report:
    began_us = now_us()
    async with everything(options, screen, stack) as stage:
        picture = Picture(
            title=_title(options),
            seconds=options.seconds,
            slack_page=stage.simulated.addresses["slack_page_url"],
            look=stage.look,
            not_played=stage.simulated.not_played(),
        )
        monitor = Monitor(stage, picture, screen.on_alert)
        with screen.showing(picture):
            async with _besides(monitor.run(), screen.run(picture)):
                faults = await market.play(options, stage, monitor, picture, interrupts)
        screen.close()
        screen.say("comparing everything that was published with Kafka, Redis and Postgres")
        await stage.supervisor.stop(stage.supervisor.names)
        return await _reckon(options, stage, picture, faults, began_us)


def _title(options: DemoOptions) -> str:
    return "live" if options.live else ", ".join(path.name for path in options.recordings) or options.scenario


@asynccontextmanager
async def _besides(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Do this as well; the first failure ends all of it."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one) for one in work]
        yield
        for task in tasks:
            task.cancel()


async def _reckon(options: DemoOptions, stage: Stage, picture: Picture, faults: list[str], began_us: int) -> Report:
    if options.live:
        await write_received(stage.settings.kafka, stage.simulated.truth, began_us)
    journals = [path for sink in SINKS if (path := journal(stage.directory, sink)).exists()]
    report = await reconcile(stage.settings, stage.simulated.truth, journals)
    report.scenario = _title(options)
    report.truth = "received" if options.live else "published"
    report.slack = {name: picture.slack.get(name, 0) for name in ("messages", "updates", "rejected")}
    parents = await stage.simulated.parent_messages()
    report.restarts = {row.name: row.restarts for row in picture.services}
    report.memory_mb = {row.name: round(row.peak_mb, 1) for row in picture.services}
    promised = None if options.recordings or options.live else options.scenario
    with_trades = options.live or bool(stage.wanted.traded)
    judge(report, [*faults, *broken_promises(promised, report, parents)], with_trades=with_trades)
    if options.report is not None:
        options.report.write_text(json.dumps(msgspec.to_builtins(report), indent=1) + "\n", encoding="utf-8")
    return report


def _check(options: DemoOptions) -> None:
    """Say at once what would only be found out when everything is up."""
    if options.scenario not in SCENARIOS:
        raise WrongUse(f"--scenario {options.scenario}: choose one of {', '.join(SCENARIOS)}")
    if options.speed != 1 and not options.recordings:
        raise WrongUse("--speed: only recordings can be played faster; give --recordings, or --rate for the market")
    if options.live and options.recordings:
        raise WrongUse("--live: the real exchanges and --recordings cannot be played at once")
    for prefix in options.recordings:
        find_set(prefix)
    for name, file in (("--report", options.report), ("--screenshot", options.screenshot)):
        if file is not None:
            _check_writable(name, file)


def _check_writable(name: str, file: Path) -> None:
    try:
        file.open("a", encoding="utf-8").close()
    except OSError as error:
        raise WrongUse(f"{name}: cannot write {file}: {error.strerror}") from None


def _log_to(file: Path) -> None:
    """Our own log lines go to a file: the screen belongs to the picture."""
    logging.basicConfig(filename=file, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    structlog.configure(logger_factory=structlog.stdlib.LoggerFactory())
