"""Kafka, PostgreSQL and Valkey together: starts those whose address nobody has set, all at once."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from devstack.kafka_logins import LoginListener
from devstack.kafka_server import Kafka
from devstack.places import DataDirectory
from devstack.ports import Port
from devstack.postgres_server import Postgres
from devstack.server import Progress, Server, silent
from devstack.valkey_server import MAXMEMORY, Valkey
from shared.errors import Unreachable
from shared.settings import load_with_origins

KAFKA_KEY = "TAPEWATCH_KAFKA__BOOTSTRAP_SERVERS"
POSTGRES_KEY = "TAPEWATCH_POSTGRES__DSN"
REDIS_KEY = "TAPEWATCH_REDIS__URL"


@dataclass(frozen=True)
class ServerAddresses:
    """Servers that run already; None where one is to be started."""

    kafka: str | None = None
    postgres: str | None = field(default=None, repr=False)
    redis: str | None = field(default=None, repr=False)

    @classmethod
    def from_settings(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """The addresses that somebody set, in the environment, a file or a credential. Raises WrongUse."""
        loaded = load_with_origins(environ)
        settings, origins = loaded.settings, loaded.origins
        return cls(
            kafka=settings.kafka.bootstrap_servers if "kafka.bootstrap_servers" in origins else None,
            postgres=settings.postgres.dsn.get_secret_value() if "postgres.dsn" in origins else None,
            redis=settings.redis.url.get_secret_value() if "redis.url" in origins else None,
        )


@dataclass(frozen=True)
class Options:
    """Ports that a person wants (None: a free one), and how much memory the servers may take.

    `kafka_logins`: services log in to Kafka, by a port of their own. `lives_long`: Kafka is set for hours, not minutes.
    """

    kafka_port: int | None = None
    postgres_port: int | None = None
    redis_port: int | None = None
    kafka_logins: bool = False
    kafka_heap_mb: int = 320
    lives_long: bool = False
    redis_maxmemory: str = MAXMEMORY


class Stack:
    """The three servers of one run. ``with Stack() as stack`` or ``async with Stack() as stack``.

    `root` is the directory of their data; None takes a temporary one, which goes with the stack unless `keep` is set,
    then or later.
    `given` defaults to what the settings say. `kafka`, `postgres` and `redis` are None where an address was given, and
    `kafka_logins` where nobody logs in.
    """

    def __init__(
        self,
        root: Path | None = None,
        *,
        progress: Progress = silent,
        given: ServerAddresses | None = None,
        keep: bool = False,
        options: Options = Options(),
    ) -> None:
        self._given = ServerAddresses.from_settings() if given is None else given
        self.keep = keep
        self._abandoned = False
        self._directory = DataDirectory(root)
        path = self._directory.path
        self.kafka_logins = LoginListener() if options.kafka_logins and not self._given.kafka else None
        ports = Port(options.kafka_port), Port()
        kafka = Kafka(
            path / "kafka",
            peers={1: ports},
            heap_mb=options.kafka_heap_mb,
            lives_long=options.lives_long,
            logins=self.kafka_logins,
        )
        postgres = Postgres(path / "postgres", Port(options.postgres_port))
        redis = Valkey(path / "valkey", Port(options.redis_port), maxmemory=options.redis_maxmemory)
        self.kafka = None if self._given.kafka else Server(kafka, progress)
        self.postgres = None if self._given.postgres else Server(postgres, progress)
        self.redis = None if self._given.redis else Server(redis, progress)

    @property
    def servers(self) -> list[Server]:
        """Those that this stack starts."""
        return [server for server in (self.kafka, self.postgres, self.redis) if server]

    @property
    def root(self) -> Path:
        """Where data and logs lie."""
        return self._directory.path

    @property
    def kafka_bootstrap_servers(self) -> str:
        """``host:port``, comma-separated."""
        return self.kafka.address if self.kafka else str(self._given.kafka)

    @property
    def postgres_dsn(self) -> str:
        """DSN of the owner of the database `tapewatch`."""
        return self.postgres.address if self.postgres else str(self._given.postgres)

    @property
    def redis_url(self) -> str:
        """URL of database 0."""
        return self.redis.address if self.redis else str(self._given.redis)

    def environment(self) -> dict[str, str]:
        """The settings that point every service to these servers."""
        return {
            KAFKA_KEY: self.kafka_bootstrap_servers,
            POSTGRES_KEY: self.postgres_dsn,
            REDIS_KEY: self.redis_url,
        }

    def start(self) -> None:
        """Start everything and return once all of it serves; on any error nothing is left running."""
        with ExitStack() as on_error:
            on_error.push(self._stop_after)
            start_together(self.servers)
            on_error.pop_all()

    def _stop_after(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        # The line that says what failed names a log, which then must be there to be read.
        self.stop(keep_logs=isinstance(error, Unreachable) and not self._abandoned)

    def stop(self, *, keep_logs: bool = False) -> None:
        """Stop everything. Temporary data are removed, unless the stack keeps them."""
        stop_together(self.servers)
        self._directory.close(keep=keep_logs, for_good=self.keep)

    def abandon(self) -> None:
        """Make a `start` that runs in another thread give up soon."""
        self._abandoned = True
        for server in self.servers:
            server.abandon()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        starting = asyncio.create_task(asyncio.to_thread(self.start))
        try:
            await asyncio.shield(starting)
        except asyncio.CancelledError:
            self.abandon()
            await asyncio.gather(starting, return_exceptions=True)
            if not starting.exception():
                await asyncio.to_thread(self.stop)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)


def start_together(servers: Sequence[Server]) -> None:
    """Start servers at the same time; the first error ends the wait for the others."""
    for server in servers:
        server.take_asked_ports()
    if not servers:
        return
    with ThreadPoolExecutor(len(servers)) as pool, ExitStack() as on_error:
        for server in servers:
            on_error.callback(server.abandon)
        for one in [pool.submit(server.start) for server in servers]:
            one.result()
        on_error.pop_all()


def stop_together(servers: Sequence[Server]) -> None:
    """Ask all to stop, then wait for each."""
    for server in servers:
        server.ask_to_stop()
    for server in servers:
        server.stop()
