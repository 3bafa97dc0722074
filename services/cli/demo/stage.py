"""Brings everything up, in order: servers and simulator, topics and tables, services. Takes everything down again."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from devstack.stack import POSTGRES_KEY, Stack
from services.cli.demo.database import bring_up_to_date, create_writer, write_secret
from services.cli.demo.options import DemoOptions
from services.cli.demo.screens import Screen
from services.cli.demo.services import LIVE, Subscriptions, services, shared_environment, subscriptions
from services.cli.demo.simulated import Simulated
from services.cli.demo.supervision import Supervisor
from services.cli.stores import Stores
from shared.errors import WrongUse
from shared.kafka import create_topics, wait_until_reachable
from shared.settings import Settings, load_settings

_WAIT_S = 10


@dataclass(frozen=True)
class Stage:
    """Everything that is up."""

    directory: Path
    settings: Settings
    simulated: Simulated
    supervisor: Supervisor
    stores: Stores
    wanted: Subscriptions


@asynccontextmanager
async def servers(options: DemoOptions, screen: Screen) -> AsyncIterator[Stack]:
    """Kafka, PostgreSQL and Valkey with a directory for everything else, kept when asked for or after a failure."""
    screen.say("starting Kafka, PostgreSQL and Valkey")
    stack = Stack(progress=screen.say, keep=options.keep)
    demo_directory(stack).mkdir(mode=0o700, exist_ok=True)
    async with stack:
        try:
            yield stack
        except* WrongUse:
            raise
        except* Exception:
            stack.keep = True
            screen.close()
            print(f"Data and logs are kept in {stack.root}", file=sys.stderr)
            raise


def demo_directory(stack: Stack) -> Path:
    """Where the demo's logs, journals and truth log lie."""
    return stack.root / "demo"


@asynccontextmanager
async def everything(options: DemoOptions, screen: Screen, stack: Stack) -> AsyncIterator[Stage]:
    """The simulated exchanges and all services besides; the market is still closed."""
    directory = demo_directory(stack)
    settings = load_settings({**os.environ, **stack.environment()})
    simulated = Simulated(directory)
    try:
        await wait_until_reachable(settings.kafka, _WAIT_S)
        screen.say("starting the simulated exchanges and Slack, creating topics and tables")
        async with asyncio.TaskGroup() as group:
            group.create_task(simulated.start(options))
            group.create_task(create_topics(settings.kafka))
            writer_dsn = group.create_task(_prepare_database(stack, settings, directory))
        wanted = LIVE if options.live else subscriptions(await simulated.offer(), recorded=bool(options.recordings))
        supervisor = _supervisor(stack, simulated, wanted, writer_dsn.result())
        async with Stores.connect(settings) as stores:
            screen.say("starting the services")
            try:
                await supervisor.start()
                yield Stage(directory, settings, simulated, supervisor, stores, wanted)
            finally:
                await supervisor.close()
    finally:
        await simulated.close()


async def _prepare_database(stack: Stack, settings: Settings, directory: Path) -> Path:
    """Bring the database up to date; the file with the DSN that the Postgres sink is to use."""
    await asyncio.to_thread(bring_up_to_date, settings.postgres)
    file = directory / "writer.dsn"
    if stack.postgres is None:
        write_secret(file, settings.postgres.dsn.get_secret_value())
    else:
        await create_writer(settings.postgres, file)
    return file


def _supervisor(stack: Stack, simulated: Simulated, wanted: Subscriptions, writer_dsn: Path) -> Supervisor:
    directory = demo_directory(stack)
    for exchange in wanted.selectors:
        (directory / "state" / exchange).mkdir(parents=True, exist_ok=True)
    addresses = {key: value for key, value in stack.environment().items() if key != POSTGRES_KEY}
    environment = shared_environment(os.environ, addresses, simulated.addresses, wanted)
    return Supervisor(directory, services(wanted.selectors, directory, writer_dsn), environment)
