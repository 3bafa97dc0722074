"""The stores that the tape is written to: a file each, and a row in SINKS, which imports a client when it is used."""

from collections.abc import Callable
from dataclasses import dataclass

from services.consumer.sinks.base import Sink
from shared.settings import Settings


@dataclass(frozen=True)
class SinkRow:
    """How a sink is made, and how the loop serves it.

    `refill_s`: a store that lost everything is filled from that many seconds before the log's end, so that it is live
    first; None: from the log's start, because it is the record. `batch_records`: most records of one write.
    """

    make: Callable[[Settings], Sink]
    batch_records: int
    refill_s: Callable[[Settings], int | None]


def _redis(settings: Settings) -> Sink:
    from services.consumer.sinks.redis_sink import RedisSink

    return RedisSink(settings)


def _postgres(settings: Settings) -> Sink:
    from services.consumer.sinks.postgres_sink import PostgresSink

    return PostgresSink(settings)


SINKS: dict[str, SinkRow] = {
    # A script of 1,000 trades holds Redis for some 5 ms, in which its other readers wait.
    "redis": SinkRow(_redis, batch_records=1000, refill_s=lambda settings: settings.redis.refill),
    "postgres": SinkRow(_postgres, batch_records=2000, refill_s=lambda settings: None),
}
