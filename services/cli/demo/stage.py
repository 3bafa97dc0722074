"""Brings everything up, in order: servers and simulator, topics and tables, services. Takes everything down again."""

import asyncio
import os
import shlex
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from devstack.stack import POSTGRES_KEY, REDIS_KEY, Options, Stack
from services.cli.demo.database import bring_up_to_date, create_user, write_secret
from services.cli.demo.handing_on import handed_on
from services.cli.demo.kafka_users import create_kafka_users
from services.cli.demo.looking import write_settings
from services.cli.demo.options import DemoOptions
from services.cli.demo.redis_users import create_redis_user
from services.cli.demo.screens import Screen
from services.cli.demo.services import LIVE, Logins, Subscriptions, services, shared_environment, subscriptions
from services.cli.demo.simulated import Simulated
from services.cli.demo.supervision import Supervisor
from services.cli.stores import Stores
from services.consumer.sinks.redis_rights import RIGHTS as STORE_ROLES
from services.consumer.sinks.redis_rights import Role as StoreRole
from shared.errors import WrongUse
from shared.kafka import create_topics, wait_until_reachable
from shared.rights import Role
from shared.settings import Settings, load_settings

_WAIT_S = 10
_LOOK = "look.toml"


@dataclass(frozen=True)
class Stage:
    """Everything that is up."""

    directory: Path
    settings: Settings
    simulated: Simulated
    supervisor: Supervisor
    stores: Stores
    wanted: Subscriptions

    @property
    def look(self) -> str:
        """What a person types before a command that looks at all this."""
        return f"TAPEWATCH_CONFIG={shlex.quote(str(self.directory / _LOOK))}"


@asynccontextmanager
async def servers(options: DemoOptions, screen: Screen) -> AsyncIterator[Stack]:
    """Kafka, PostgreSQL and Valkey with a directory for everything else, kept when asked for or after a failure."""
    screen.say("starting Kafka, PostgreSQL and Valkey")
    stack = Stack(progress=screen.say, keep=options.keep, options=Options(kafka_logins=True))
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
    given = handed_on(os.environ)
    settings = load_settings({**given, **stack.environment()})
    simulated = Simulated(directory, given)
    try:
        await wait_until_reachable(settings.kafka, _WAIT_S)
        screen.say("starting the simulated exchanges and Slack, creating topics and tables")
        async with asyncio.TaskGroup() as group:
            group.create_task(simulated.start(options))
            group.create_task(create_topics(settings.kafka))
            group.create_task(_prepare_stores(stack, settings, directory))
            users = group.create_task(_prepare_kafka(stack, settings, directory))
        settings = _looking(given, stack, directory, users.result())
        wanted = LIVE if options.live else subscriptions(await simulated.offer(), recorded=bool(options.recordings))
        shared = _shared(given, stack, simulated, wanted)
        _write_look(directory, shared, users.result())
        supervisor = _supervisor(directory, shared, wanted, users.result())
        async with Stores.connect(settings) as stores:
            screen.say("starting the services")
            try:
                await supervisor.start()
                yield Stage(directory, settings, simulated, supervisor, stores, wanted)
            finally:
                await supervisor.close()
    finally:
        await simulated.close()


_KafkaUsers = Mapping[Role, Mapping[str, str]]


def _logins(directory: Path, role: StoreRole, kafka: _KafkaUsers | None = None) -> Logins:
    return Logins(directory / f"postgres-{role}.dsn", directory / f"redis-{role}.url", kafka or {})


async def _prepare_kafka(stack: Stack, settings: Settings, directory: Path) -> _KafkaUsers:
    """Make its users; those of a given Kafka are its owner's."""
    return await create_kafka_users(settings.kafka, stack.kafka_logins, directory) if stack.kafka_logins else {}


async def _prepare_stores(stack: Stack, settings: Settings, directory: Path) -> None:
    """Bring the database up to date, and make the users of both stores; those of a given server are their owner's."""
    await asyncio.to_thread(bring_up_to_date, settings.postgres)
    for role in STORE_ROLES:
        logins = _logins(directory, role)
        if stack.postgres is None:
            write_secret(logins.postgres_dsn, settings.postgres.dsn.get_secret_value())
        else:
            await create_user(settings.postgres, role, logins.postgres_dsn)
        if stack.redis is None:
            write_secret(logins.redis_url, settings.redis.url.get_secret_value())
        else:
            await create_redis_user(settings.redis, role, logins.redis_url)


def _looking(given: Mapping[str, str], stack: Stack, directory: Path, kafka: _KafkaUsers) -> Settings:
    """The settings of somebody who only reads."""
    stores = _logins(directory, "reader")
    dsn, url = stores.postgres_dsn.read_text(encoding="utf-8"), stores.redis_url.read_text(encoding="utf-8")
    told = {**stack.environment(), **kafka.get("reader", {}), POSTGRES_KEY: dsn, REDIS_KEY: url}
    return load_settings({**given, **told})


def _write_look(directory: Path, shared: Mapping[str, str], kafka: _KafkaUsers) -> None:
    logins = _logins(directory, "reader")
    stores = {f"{POSTGRES_KEY}_FILE": str(logins.postgres_dsn), f"{REDIS_KEY}_FILE": str(logins.redis_url)}
    write_settings(directory / _LOOK, shared, kafka.get("reader", {}), stores)


def _shared(given: Mapping[str, str], stack: Stack, simulated: Simulated, wanted: Subscriptions) -> dict[str, str]:
    addresses = {key: value for key, value in stack.environment().items() if key not in (POSTGRES_KEY, REDIS_KEY)}
    return shared_environment(given, addresses, simulated.addresses, wanted)


def _supervisor(directory: Path, shared: Mapping[str, str], wanted: Subscriptions, kafka: _KafkaUsers) -> Supervisor:
    for exchange in wanted.selectors:
        (directory / "state" / exchange).mkdir(parents=True, exist_ok=True)
    return Supervisor(directory, services(wanted.selectors, directory, _logins(directory, "writer", kafka)), shared)
