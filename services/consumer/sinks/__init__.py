"""The stores that the tape is written to: a file each, and a row in SINKS, which imports a client when it is used."""

from collections.abc import Callable
from dataclasses import dataclass

from services.consumer.sinks.base import Sink
from shared.rights import Role
from shared.settings import Settings
from shared.topics import ORDERBOOKS, TICKERS, Topic


@dataclass(frozen=True)
class SinkRow:
    """How a sink is made, and how the loop serves it.

    `role`: what its consumer may do on Kafka. `refill_s`: a store that lost everything is filled from that many seconds
    before the log's end; None: from the log's start, because it is the record. `newest_wins`: topics that are live
    before the others are filled, because their order does not matter. `batch_records`: most records of one write.
    """

    make: Callable[[Settings], Sink]
    role: Role
    batch_records: int
    refill_s: Callable[[Settings], int | None]
    newest_wins: tuple[Topic, ...] = ()


def _redis(settings: Settings) -> Sink:
    from services.consumer.sinks.redis_sink import RedisSink

    return RedisSink(settings)


def _postgres(settings: Settings) -> Sink:
    from services.consumer.sinks.postgres_sink import PostgresSink

    return PostgresSink(settings)


SINKS: dict[str, SinkRow] = {
    # A script of 1,000 trades holds Redis for some 5 ms, in which its other readers wait.
    "redis": SinkRow(_redis, "consumer-redis", 1000, lambda settings: settings.redis.refill, (TICKERS, ORDERBOOKS)),
    "postgres": SinkRow(_postgres, "consumer-postgres", 2000, lambda settings: None),
}
