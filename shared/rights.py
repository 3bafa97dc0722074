"""What each process of ours may do on Kafka, and no more: a row a right. Pure; `tapewatch topics grant` sets them.

Names of operations are those of Kafka's access control lists. To read or to write implies to describe there.
The watchdog has no row: it needs nothing of Kafka.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from shared.topics import (
    ALERTS,
    CANDLES,
    CONTROL,
    DEAD_LETTERS,
    DETECTOR_STATE,
    FEED,
    INSTRUMENTS,
    NOTIFICATIONS,
    ORDERBOOKS,
    TICKERS,
    TOPICS,
    TRADES,
    Topic,
)

Role = Literal["producer", "consumer-redis", "consumer-postgres", "alert-worker", "reader", "operator", "setup"]
Kind = Literal["topic", "group", "cluster"]
Operation = Literal["Read", "Write", "Create", "Describe", "DescribeConfigs", "IdempotentWrite"]
CLUSTER = "kafka-cluster"
"""How Kafka names the cluster itself in its lists."""


@dataclass(frozen=True)
class Right:
    """One operation on one thing; with `is_prefix` on everything whose name begins so."""

    kind: Kind
    name: str
    operation: Operation
    is_prefix: bool = False

    def __str__(self) -> str:
        return f"{self.operation} {self.kind} {self.name}{'*' if self.is_prefix else ''}"


def _on(operation: Operation, *topics: Topic) -> tuple[Right, ...]:
    return tuple(Right("topic", topic.name, operation) for topic in topics)


def _write(*topics: Topic) -> tuple[Right, ...]:
    """Brokers before Kafka 3.0, and Redpanda, ask for one right more of a producer that sends nothing twice."""
    return (*_on("Write", *topics), Right("cluster", CLUSTER, "IdempotentWrite"))


def _consumer(sink: str, *topics: Topic) -> tuple[Right, ...]:
    """What it reads and how long Kafka keeps it, where its positions are told, and any group that is called after it.

    It writes what it has to tell, and what it could not read.
    """
    group = Right("group", f"tapewatch-{sink}", "Read", is_prefix=True)
    return (*_on("Read", *topics), *_on("DescribeConfigs", *topics), group, *_write(FEED, DEAD_LETTERS))


_LOOK = (
    *_on("Read", *TOPICS),
    *_on("DescribeConfigs", *TOPICS),
    Right("group", "tapewatch-", "Describe", is_prefix=True),
    Right("cluster", CLUSTER, "Describe"),  # how much its disks hold
)

RIGHTS: Mapping[Role, tuple[Right, ...]] = {
    "producer": (
        *_write(TRADES, TICKERS, ORDERBOOKS, FEED, DEAD_LETTERS, INSTRUMENTS, CANDLES),
        *_on("Read", TRADES, FEED, CANDLES),  # what is there already when it starts
    ),
    "consumer-redis": _consumer("redis", TRADES, TICKERS, ORDERBOOKS),
    "consumer-postgres": _consumer("postgres", TRADES, TICKERS, FEED, INSTRUMENTS, ALERTS, DEAD_LETTERS),
    "alert-worker": (
        *_on("Read", TRADES, TICKERS, CANDLES, INSTRUMENTS, FEED, ALERTS, CONTROL, NOTIFICATIONS, DETECTOR_STATE),
        # Trades: those of the canary, which go the whole way that a real one goes.
        *_write(ALERTS, NOTIFICATIONS, DETECTOR_STATE, DEAD_LETTERS, TRADES),
    ),
    "reader": _LOOK,
    "operator": (
        *_LOOK,
        *_write(CONTROL, TRADES, TICKERS, ORDERBOOKS, CANDLES, INSTRUMENTS, FEED, ALERTS),  # mutes, replayed letters
    ),
    "setup": (*_on("Create", *TOPICS), *_on("Describe", *TOPICS)),
}


def refused(needs: Iterable[Right], allowed: Mapping[tuple[Kind, str], frozenset[str]]) -> list[Right]:
    """Those of `needs` that `allowed` has not, by (kind, name); what it does not name is not known, and not refused."""
    return [right for right in needs if right.operation not in allowed.get((right.kind, right.name), {right.operation})]


def name_of(user: str | None) -> str:
    """Who is refused, for people."""
    return user or "somebody who does not log in"


def sentence(lacking: Sequence[Right], user: str | None, role: Role) -> str:
    """One line: what Kafka refuses to whom, and what to do about it."""
    listed = ", ".join(map(str, lacking))
    name = f" --user {user}" if user else ""
    return (
        f"Kafka does not let {name_of(user)} do what this needs: {listed}. "
        f"Type as Kafka's administrator: tapewatch topics grant {role}{name}"
    )


def roles_within(held: Iterable[Right], role: Role) -> list[Role]:
    """The other roles that `held` covers, without those that `role` covers by itself."""
    has, own = set(held), set(RIGHTS[role])
    return [other for other, rights in RIGHTS.items() if has.issuperset(rights) and not own.issuperset(rights)]
