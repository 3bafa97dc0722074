"""Once a second: lag and success as metrics, and whether we get on, or prove that there is nothing to do."""

import asyncio

from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from services.consumer.loop import Consumer
from shared import metrics
from shared.figures import figures
from shared.liveness import Liveness

_EVERY_S = 1.0
_PROVE_EVERY = 5
_PROVE_WITHIN_S = 3.0


async def tell_progress(consumer: Consumer, liveness: Liveness) -> None:
    """Go on until cancelled."""
    told: dict[TopicPartition, int] = {}
    looks, is_idle = 0, False
    while True:
        lag = _tell_lag(consumer)
        _tell_success(consumer)
        moved = sum(end - told.get(p, consumer.started_at[p]) for p, end in consumer.stored.items())
        told = dict(consumer.stored)
        proves = not moved and looks % _PROVE_EVERY == 0
        if moved or proves:
            is_idle = not moved and await _is_idle(consumer)
        liveness.tells(_figures(consumer, moved, lag) + ("; idle: everything in Kafka is stored" if is_idle else ""))
        if moved or (proves and is_idle):
            liveness.moved()
        looks += 1
        await asyncio.sleep(_EVERY_S)


def _figures(consumer: Consumer, moved: int, lag: int) -> str:
    rate, behind = f"{moved / _EVERY_S:,.0f} records/s", f"{lag:,} behind"
    return figures(rate, behind, consumer.newest_trade_us, consumer.now_us())


async def _is_idle(consumer: Consumer) -> bool:
    """Whether Kafka says that its logs end where we are. Its silence proves nothing."""
    try:
        async with asyncio.timeout(_PROVE_WITHIN_S):
            ends = await consumer.reader.log_ends(list(consumer.positions))
    except (KafkaError, TimeoutError):
        return False
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
