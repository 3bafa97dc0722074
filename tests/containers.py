"""Kafka, PostgreSQL and Valkey in containers, with the images and health checks of docker-compose.yaml."""

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import ExecWaitStrategy

from devstack.ports import free_port
from devstack.postgres_server import DATABASE, OWNER
from devstack.stack import ServerAddresses
from tests.unit.deploy.compose_file import Service, services

_STARTS_WITHIN_S = 90
_KAFKA, _POSTGRES, _REDIS = 9094, 5432, 6379  # inside; Kafka's is the listener that is for this machine
_REDIS_COMMAND = [
    "valkey-server",
    "--protected-mode",
    "no",
    "--save",
    "",
    "--appendonly",
    "yes",
    "--maxmemory-policy",
    "noeviction",
]


class Containers:
    """The three servers of one run. ``with Containers() as containers``."""

    def __init__(self) -> None:
        found, port, self._password = services(), free_port(), secrets.token_hex(16)
        self._kafka = _container(found["kafka"]).with_envs(**found["kafka"]["environment"])
        here = f"{self._kafka.get_docker_client().host()}:{port}"  # a client is told where to go, so it is known before
        self._kafka.with_env("KAFKA_ADVERTISED_LISTENERS", f"INSIDE://kafka:9092,OUTSIDE://{here}")
        self._kafka.with_bind_ports(_KAFKA, port)
        owner = {"POSTGRES_USER": OWNER, "POSTGRES_DB": DATABASE, "POSTGRES_PASSWORD": self._password}
        preload = ["postgres", "-c", "shared_preload_libraries=pg_stat_statements"]
        self._postgres = _container(found["postgres"]).with_exposed_ports(_POSTGRES).with_envs(**owner)
        self._postgres.with_command(preload)
        self._redis = _container(found["redis"]).with_exposed_ports(_REDIS).with_command(_REDIS_COMMAND)
        self._running = ExitStack()

    @property
    def addresses(self) -> ServerAddresses:
        """Where they are, for their owner, who may do everything."""
        postgres, redis = (_reached(*one) for one in ((self._postgres, _POSTGRES), (self._redis, _REDIS)))
        return ServerAddresses(
            kafka=_reached(self._kafka, _KAFKA),
            postgres=f"postgresql://{OWNER}:{self._password}@{postgres}/{DATABASE}",
            redis=f"redis://{redis}/0",
        )

    def kafka_logs(self) -> set[str]:
        """The directories of partitions that the broker has: ``trades.v1-0``."""
        listed = self._kafka.exec(["ls", self._kafka.env["KAFKA_LOG_DIRS"]])
        assert listed.exit_code == 0, listed.output
        return set(listed.output.decode().split())

    @contextmanager
    def kafka_frozen(self) -> Iterator[None]:
        """Kafka does nothing meanwhile, and its connections stay open."""
        kafka = self._kafka.get_wrapped_container()
        kafka.pause()
        try:
            yield
        finally:
            kafka.unpause()

    def __enter__(self) -> "Containers":
        with ExitStack() as on_error:
            for one in (self._kafka, self._postgres, self._redis):
                on_error.enter_context(one)
            self._running = on_error.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()


def _container(service: Service) -> DockerContainer:
    kind, *test = service["healthcheck"]["test"]
    command = [word.replace("$$", "$") for word in (["sh", "-c", *test] if kind == "CMD-SHELL" else test)]
    healthy = ExecWaitStrategy(command).with_startup_timeout(_STARTS_WITHIN_S).with_poll_interval(0.2)
    return DockerContainer(service["image"]).waiting_for(healthy)


def _reached(container: DockerContainer, port: int) -> str:
    return f"{container.get_docker_client().host()}:{container.get_exposed_port(port)}"
