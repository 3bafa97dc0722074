"""Everything that runs while faults strike: real servers, the simulated exchanges, every service. Started once."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from types import TracebackType

import asyncpg

from devstack.places import DataDirectory
from devstack.server import Server
from devstack.stack import POSTGRES_KEY, REDIS_KEY, start_together, stop_together
from services.cli.demo.database import bring_up_to_date, create_user
from services.cli.demo.options import DemoOptions
from services.cli.demo.redis_users import create_redis_user
from services.cli.demo.services import SINKS, Logins, Subscriptions, services, shared_environment, subscriptions
from services.cli.stores import TOPICS_OF_SINK, Positions, Progress, Stores
from services.reconcile.app import reconcile
from services.reconcile.episodes import Episode, episodes
from services.reconcile.gaps import Span
from services.reconcile.kafka_reader import read_alerts
from services.reconcile.report import Report
from shared.kafka import create_topics, wait_until_reachable
from shared.rights import Role
from shared.settings import Settings, load_settings
from shared.topics import CANDLES
from tests.faults.fault import StageName
from tests.faults.hosts import ADDRESSES, PASSWORD, ROLES, Hosts, hosts
from tests.faults.limits import within
from tests.faults.market import SimulatedMarket
from tests.faults.processes import Processes
from tests.faults.servers import Servers, servers_of
from tests.faults.small_disk import small_disk
from tests.faults.tcp_proxy import TcpProxy
from tests.faults.watch import Watch
from tests.faults.watchers import THIS_HOST, Watchers, with_health
from tests.kafka_logins import KafkaWithLogins, environment, give_rights

STREAM_CAP = 50_000
"""So many trades a symbol stay in Redis that all of a run can be compared."""
_SUBSCRIBED_WITHIN_S = 60.0
_AT_REST_FOR_S = 0.5
_AT_REST_WITHIN_S = 60.0
_POLL_S = 0.02


@dataclass
class World:
    """All the parts, by what faults call them. `links` are the proxies by the server behind each; none in most.

    `watchers` are at work where services have hosts of their own; elsewhere a fault starts them that is about them.
    """

    directory: Path
    settings: Settings
    kafka: list[Server]
    postgres: Server
    redis: Server
    market: SimulatedMarket
    services: Processes
    watch: Watch
    stores: Stores
    wanted: Subscriptions
    links: Mapping[str, TcpProxy]
    watchers: Watchers
    hosts: Hosts | None = None

    async def count(self, gaps_within: Sequence[Span] | None = None) -> Report:
        """Compare everything published so far with what the stores hold. The market must be paused and all at rest.

        Recorded gaps explain only what was published `gaps_within` these spans, if any are given.
        """
        return await reconcile(self.settings, self.market.truth, gaps_within=gaps_within)

    async def at_rest(self) -> None:
        """Wait until Kafka has not grown for a moment and the stores hold all of it; or for a minute: counts tell.

        Candles of the past, which producers ask for whatever the market does, are no part of it.
        """
        last: Positions = {}
        since_s = began_s = monotonic()
        while monotonic() - began_s < _AT_REST_WITHIN_S and monotonic() - since_s < _AT_REST_FOR_S:
            progress = await self.stores.progress()
            ends = {place: end for place, end in progress.ends.items() if place[0] != CANDLES.name}
            if ends != last or behind(progress, ends):
                last, since_s = ends, monotonic()
            await asyncio.sleep(_POLL_S)

    async def gaps(self) -> int:
        """How many gaps PostgreSQL has been told of."""
        connection = await asyncpg.connect(self.settings.postgres.dsn.get_secret_value())
        try:
            return int(await connection.fetchval("SELECT count(*) FROM gap"))
        finally:
            await connection.close()

    async def episodes(self) -> list[Episode]:
        """What the alert worker said so far."""
        return episodes(*await read_alerts(self.settings.kafka, since_us=0))

    async def until_subscribed(self) -> None:
        """Wait until somebody listens to everything that is offered."""

        async def heard() -> bool:
            return bool((await self.market.status())["subscriptions"] >= self.wanted.expected)

        await within(_SUBSCRIBED_WITHIN_S, heard, f"all subscriptions (logs: {self.directory})")


def behind(progress: Progress, ends: Positions) -> int:
    """Records up to `ends` that one of the stores has not taken yet."""
    return sum(
        max(0, end - progress.of_sink[sink].get(place, 0))
        for sink in SINKS
        for place, end in ends.items()
        if place[0] in {topic.name for topic in TOPICS_OF_SINK[sink]}
    )


@asynccontextmanager
async def running_world(stage: StageName, *, rate: float, seed: int, keep: bool = False) -> AsyncIterator[World]:
    """A world with its market open. Its directory stays when `keep` is set, or after an error."""
    home = DataDirectory()
    servers = servers_of(stage, home.path)

    def close(_: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        kept = keep or isinstance(error, Exception)
        if kept and error is not None:
            error.add_note(f"data and logs are kept in {home.path}")
        home.close(for_good=kept)

    async with AsyncExitStack() as at_end:
        at_end.push(close)
        if stage == "small disk":
            at_end.enter_context(small_disk(home.path / "postgres"))
        network = at_end.enter_context(hosts()) if stage == "hosts" else None
        at_end.push_async_callback(asyncio.to_thread, stop_together, servers.all)
        await asyncio.to_thread(start_together, servers.all)
        links = await at_end.enter_async_context(servers.linked())
        yield await at_end.enter_async_context(_services(servers, links, network, home.path, rate, seed))


@asynccontextmanager
async def _services(
    servers: Servers, links: Mapping[str, TcpProxy], network: Hosts | None, root: Path, rate: float, seed: int
) -> AsyncIterator[World]:
    directory = root / "world"
    directory.mkdir(mode=0o700)
    own = {name: value for name, value in os.environ.items() if not name.startswith("TAPEWATCH_")}
    told = {"TAPEWATCH_REDIS__STREAM_CAP": str(STREAM_CAP), **servers.settings}
    settings = load_settings({**own, **servers.environment(), **told})
    linked = servers.environment(links)
    await wait_until_reachable(settings.kafka, 60)
    async with AsyncExitStack() as at_end:
        market = SimulatedMarket(directory)
        at_end.push_async_callback(market.close)
        async with asyncio.TaskGroup() as group:
            group.create_task(market.start(DemoOptions(scenario="flash-crash", rate=rate, seed=seed)))
            group.create_task(create_topics(settings.kafka))
            group.create_task(asyncio.to_thread(bring_up_to_date, settings.postgres))
        if links:
            exchanges = await at_end.enter_async_context(
                TcpProxy(market.port, host=ADDRESSES["outside"] if network else "127.0.0.1")
            )
            links = {**links, "exchanges": exchanges}
        wanted = subscriptions(await market.offer(), recorded=False)
        users = await _users(servers.logins, settings)
        logins = Logins(directory / "writer.dsn", directory / "writer.url", users)
        by_way = load_settings({**own, **linked})
        await create_user(by_way.postgres, "writer", logins.postgres_dsn)
        await create_redis_user(by_way.redis, "writer", logins.redis_url)
        for exchange in wanted.selectors:
            (directory / "state" / exchange).mkdir(parents=True)
        stores = {key: value for key, value in linked.items() if key not in (POSTGRES_KEY, REDIS_KEY)} | told
        told_all = shared_environment(own, stores, market.by_way_of(links), wanted)
        started = with_health(services(wanted.selectors, directory, logins))
        if network:
            started = [network.place(service) for service in started]
        on_hosts = network.placed(started) if network else {THIS_HOST: started}
        outside = ADDRESSES["outside"] if network else "127.0.0.1"
        watchers = Watchers(directory / "watch", on_hosts, told_all, outside)
        processes = Processes(directory, started, told_all)
        at_end.push_async_callback(processes.close)
        await processes.start()
        looked = await at_end.enter_async_context(Stores.connect(settings))
        parts = settings, servers.kafka, servers.postgres, servers.redis, market, processes, Watch(processes)
        world = World(directory, *parts, looked, wanted, links, watchers, network)
        await world.until_subscribed()
        await market.open_market()
        if network:
            await at_end.enter_async_context(watchers.at_work())
        watching = asyncio.create_task(world.watch.run())
        at_end.callback(watching.cancel)
        yield world


async def _users(kafka: KafkaWithLogins | None, settings: Settings) -> dict[Role, Mapping[str, str]]:
    """How each role logs in to a Kafka that asks who is there."""
    users: dict[Role, Mapping[str, str]] = {}
    for role in ROLES if kafka else ():
        await give_rights(settings.kafka, role, role, PASSWORD)
        users[role] = environment(kafka.as_user(role, PASSWORD))
    return users
