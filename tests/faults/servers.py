"""The servers of each stage, and how services reach them: straight, or through proxies that can be disturbed."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from devstack.kafka_logins import LoginListener
from devstack.kafka_server import Kafka, kafka_cluster
from devstack.ports import Port, free_port
from devstack.postgres_server import Postgres
from devstack.server import Server
from devstack.stack import KAFKA_KEY, POSTGRES_KEY, REDIS_KEY
from devstack.valkey_server import Valkey
from tests.faults.fault import StageName
from tests.faults.hosts import ADDRESSES, certificate
from tests.faults.kafka_proxy import KafkaProxy
from tests.faults.tcp_proxy import TcpProxy
from tests.kafka_logins import KafkaWithLogins


@dataclass(frozen=True)
class Link:
    """A proxy's port and the port that it leads to."""

    port: int
    target: int


@dataclass
class Servers:
    """Servers that are not started yet. `kafka_link` says where the proxy before Kafka is to be, `logins` how services
    log in to it, `outside` where services on hosts of their own find the stores.
    """

    kafka: list[Server]
    postgres: Server
    redis: Server
    settings: dict[str, str] = field(default_factory=dict)
    kafka_link: Link | None = None
    logins: KafkaWithLogins | None = None
    outside: str | None = None

    @property
    def all(self) -> Sequence[Server]:
        """Every server."""
        return [*self.kafka, self.postgres, self.redis]

    def environment(self, links: Mapping[str, TcpProxy] | None = None) -> dict[str, str]:
        """The settings that lead to the servers, through `links` where there are some."""
        addresses = {
            KAFKA_KEY: ",".join(server.address for server in self.kafka),
            POSTGRES_KEY: self.postgres.address,
            REDIS_KEY: self.redis.address,
        }
        for key, link in zip(addresses, ("kafka", "postgres", "redis"), strict=True):
            if links and link in links:
                addresses[key] = _through(addresses[key], links[link].address)
        return addresses

    @asynccontextmanager
    async def linked(self) -> AsyncIterator[Mapping[str, TcpProxy]]:
        """The proxies of a stage that has some, listening. Postgres and Redis have settled their ports by now."""
        if self.kafka_link is None and self.outside is None:
            yield {}
            return
        host = self.outside or "127.0.0.1"
        links = {
            "postgres": TcpProxy(self.postgres.recipe.ports[0].number, host=host),
            "redis": TcpProxy(self.redis.recipe.ports[0].number, host=host),
        }
        if self.kafka_link:
            links["kafka"] = KafkaProxy(self.kafka_link.target, self.kafka_link.port)
        async with AsyncExitStack() as at_end:
            for link in links.values():
                await at_end.enter_async_context(link)
            yield links


def servers_of(stage: StageName, root: Path) -> Servers:
    """The servers of a stage."""
    postgres, redis = Server(Postgres(root / "postgres")), Server(Valkey(root / "valkey"))
    if stage == "three brokers":
        replicated = {"TAPEWATCH_KAFKA__REPLICATION_FACTOR": "3"}
        return Servers(kafka_cluster(root / "kafka", extra=_LEADERS_MOVE | _PATIENT), postgres, redis, replicated)
    if stage == "proxied":
        kafka, link = _kafka_behind_a_proxy(root / "kafka")
        return Servers([kafka], postgres, redis, kafka_link=link)
    if stage == "hosts":
        keystore, trusted = certificate(root)
        logins = KafkaWithLogins(root / "kafka", LoginListener(host=ADDRESSES["kafka"], keystore=keystore), trusted)
        return Servers([logins.server()], postgres, redis, logins=logins, outside=ADDRESSES["stores"])
    logins = KafkaWithLogins(root / "kafka", LoginListener())
    return Servers([logins.server()], postgres, redis, logins=logins)


# A partition is led by the first of its replicas, a second after that can be.
_LEADERS_MOVE = {"leader.imbalance.check.interval.seconds": "1", "leader.imbalance.per.broker.percentage": "0"}


# On a busy machine a broker that is well lets a second pass without a sign. The controller then fences it beside the
# one that was killed, and what the last leads is refused for want of replicas. Less than what any fault is away for.
_PATIENT = {"broker.session.timeout.ms": "3000"}


def _kafka_behind_a_proxy(root: Path) -> tuple[Server, Link]:
    """A broker with a second listener, whose clients are told the proxy's address instead of its own."""
    ports = Port(), Port()
    broker, controller = (port.pick("Kafka") for port in ports)
    link = Link(port=free_port(), target=free_port())
    extra = {
        "listeners": (
            f"PLAINTEXT://127.0.0.1:{broker},LINKED://127.0.0.1:{link.target},CONTROLLER://127.0.0.1:{controller}"
        ),
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{broker},LINKED://127.0.0.1:{link.port}",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,LINKED:PLAINTEXT",
    }
    return Server(Kafka(root, peers={1: ports}, extra=extra)), link


def _through(address: str, way: str) -> str:
    """The same address by way of another ``host:port``."""
    if "://" not in address:
        return way
    parts = urlsplit(address)
    who = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
    return urlunsplit(parts._replace(netloc=f"{who}{way}"))
