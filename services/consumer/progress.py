"""Once a second: lag and success as metrics, and whether we get on, or prove that there is nothing to do.

Who waits is given time, once: for a store that has a batch in hand, for each answer that it owes, which it bounds
itself; and for a Kafka that is silent, as while it is started anew. An answer within a batch is progress: a store that
is slow with each of them is not ended halfway, only to get the same batch again.
"""

import asyncio

from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from services.consumer.batch import Batch
from services.consumer.loop import Consumer
from shared import metrics
from shared.figures import figures
from shared.liveness import KAFKA_GETS_S, Liveness

_EVERY_S = 1.0
_PROVE_EVERY = 3
_PROVE_WITHIN_S = 3.0
_STORE_GETS_S = 40.0
"""For one answer. Longer than a store's own limits: PostgreSQL's are 30 s for a statement, and five to tell of it."""
_KAFKA = "Kafka"
_SAYS = {True: "; idle: everything in Kafka is stored", False: "", None: "; Kafka does not answer"}


async def tell_progress(consumer: Consumer, liveness: Liveness) -> None:
    """Go on until cancelled."""
    told: dict[TopicPartition, int] = {}
    looks, says = 0, ""
    given: tuple[Batch, int] | str | None = None
    while True:
        lag = _tell_lag(consumer)
        _tell_success(consumer)
        moved = sum(end - told.get(p, consumer.started_at[p]) for p, end in consumer.stored.items())
        told = dict(consumer.stored)
        if moved:
            says, given = "", None
            liveness.moved()
        elif consumer.in_hand is not None:
            says = f"; {consumer.sink.name} has a batch in hand"
            waits_for = consumer.in_hand, consumer.sink.answered
            if waits_for != given:
                liveness.waits(next_within_s=_STORE_GETS_S)
            given = waits_for
        elif looks % _PROVE_EVERY == 0:
            is_idle = await _is_idle(consumer)
            says = _SAYS[is_idle]
            if is_idle:
                given = None
                liveness.moved()
            elif is_idle is None and given != _KAFKA:
                given = _KAFKA
                liveness.waits(next_within_s=KAFKA_GETS_S)
        liveness.tells(_figures(consumer, moved, lag) + says)
        looks += 1
        await asyncio.sleep(_EVERY_S)


def _figures(consumer: Consumer, moved: int, lag: int) -> str:
    rate, behind = f"{moved / _EVERY_S:,.0f} records/s", f"{lag:,} behind"
    return figures(rate, behind, consumer.newest_trade_us, consumer.now_us())


async def _is_idle(consumer: Consumer) -> bool | None:
    """Whether Kafka says that its logs end where we are; None when it says nothing."""
    try:
        async with asyncio.timeout(_PROVE_WITHIN_S):
            ends = await consumer.reader.log_ends(list(consumer.positions))
    except (KafkaError, TimeoutError):
        return None
    return all(consumer.stored.get(p, consumer.started_at[p]) >= end for p, end in ends.items())


def _tell_success(consumer: Consumer) -> None:
    share = consumer.sink.tally.first_try
    if share is not None:
        metrics.FIRST_TRY.labels(consumer.sink.name).set(share)


def _tell_lag(consumer: Consumer) -> int:
    lags: dict[str, int] = {}
    for partition, position in consumer.positions.items():
        lags[partition.topic] = lags.get(partition.topic, 0) + consumer.reader.lag(partition, position)
    for topic, lag in lags.items():
        metrics.LAG_RECORDS.labels(consumer.sink.name, topic).set(lag)
    return sum(lags.values())
