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
from shared.liveness import KAFKA_GETS_S, Lack, Liveness
from shared.topics import TRADES

_EVERY_S = 1.0
_PROVE_EVERY = 3
_PROVE_WITHIN_S = 3.0
_STORE_GETS_S = 40.0
"""For one answer. Longer than a store's own limits: PostgreSQL's are 30 s for a statement, and five to tell of it."""
_LAGS_FROM_S = 60
_KAFKA = "Kafka"
_SILENT = Lack(_KAFKA, "Kafka does not answer")
_SAYS = {True: "; idle: everything in Kafka is stored", False: "", None: "; Kafka does not answer"}


async def tell_progress(consumer: Consumer, liveness: Liveness) -> None:
    """Go on until cancelled."""
    told: dict[TopicPartition, int] = {}
    looks, says, asked_at_s = 0, "", 0.0
    lack: Lack | None = None
    given: tuple[Batch, int] | str | None = None
    while True:
        lags = _tell_lags(consumer)
        _tell_success(consumer)
        moved = sum(end - told.get(p, consumer.started_at[p]) for p, end in consumer.stored.items())
        told = dict(consumer.stored)
        if moved:
            says, given, lack = "", None, None
            liveness.moved()
        elif consumer.in_hand is not None:
            says = f"; {consumer.sink.name} has a batch in hand"
            waits_for = consumer.in_hand, consumer.sink.answered
            lack = _slow(consumer.sink.name, asked_at_s) if waits_for == given else None
            if waits_for != given:
                liveness.waits(next_within_s=_STORE_GETS_S)
                asked_at_s = liveness.seconds()
            given = waits_for
        elif looks % _PROVE_EVERY == 0:
            is_idle = await _is_idle(consumer)
            says, lack = _SAYS[is_idle], None if is_idle is not None else _SILENT
            if is_idle:
                given = None
                liveness.moved()
            elif is_idle is None and given != _KAFKA:
                given = _KAFKA
                liveness.waits(next_within_s=KAFKA_GETS_S)
        liveness.lacks(lack or _lag(consumer, lags.get(TRADES.name, 0), liveness.seconds()))
        liveness.tells(_figures(consumer, moved, sum(lags.values())) + says)
        looks += 1
        await asyncio.sleep(_EVERY_S)


def _figures(consumer: Consumer, moved: int, lag: int) -> str:
    rate, behind = f"{moved / _EVERY_S:,.0f} records/s", f"{lag:,} behind"
    return figures(rate, behind, consumer.newest_trade_us, consumer.now_us())


def _slow(store: str, asked_at_s: float) -> Lack:
    return Lack(store, f"{store} does not answer for a batch", asked_at_s)


def _lag(consumer: Consumer, unread_trades: int, now_s: float) -> Lack | None:
    """The store, where what it gets is old although newer trades are there to be read."""
    old_s = (consumer.now_us() - consumer.newest_trade_us) // 1_000_000
    if not unread_trades or not consumer.newest_trade_us or old_s <= _LAGS_FROM_S:
        return None
    store = consumer.sink.name
    why = f"{store} is behind, its newest trade is {old_s} s old, {unread_trades:,} wait in Kafka"
    return Lack(store, why, now_s, in_part=True)


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


def _tell_lags(consumer: Consumer) -> dict[str, int]:
    lags: dict[str, int] = {}
    for partition, position in consumer.positions.items():
        lags[partition.topic] = lags.get(partition.topic, 0) + consumer.reader.lag(partition, position)
    for topic, lag in lags.items():
        metrics.LAG_RECORDS.labels(consumer.sink.name, topic).set(lag)
    return lags
