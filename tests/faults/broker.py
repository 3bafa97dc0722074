"""Faults of Kafka, and records in it that are none of ours."""

import asyncio
from functools import partial
from random import Random
from typing import TYPE_CHECKING

import asyncpg

from shared.kafka import make_producer
from shared.topics import TRADES
from shared.wire import HEADERS_OF_EVENT
from tests.faults.fault import Check, Fault, Struck
from tests.faults.stores import down_for, frozen_for

if TYPE_CHECKING:
    from tests.faults.world import World

_POISON = (
    b"",
    b"not JSON",
    b'{"exchange":"upbit"}',
    b"[" * 10_000,
    b"\xff\xfe\x00",
    b'{"exchange":"upbit","symbol":"KRW-BTC","trade_id":"1","price":"NaN"}',
)
_READERS = ("consumer-redis", "consumer-postgres")
_KEPT_WITHIN_S = 10.0
_DEAD = 'SELECT reader, topic, partition, "offset" FROM dead_letter WHERE topic = $1'


async def kafka_killed(world: "World", _random: Random) -> Struck:
    await down_for(world.kafka[0], 5)
    return Struck()


async def kafka_away(seconds: float, world: "World", _random: Random) -> Struck:
    await down_for(world.kafka[0], seconds)
    return Struck()


async def kafka_frozen(for_s: float, world: "World", _random: Random) -> Struck:
    await frozen_for(world.kafka[0], for_s)
    return Struck()


async def poison(world: "World", random: Random) -> Struck:
    """Bytes that are no trade, in partitions of the trades."""
    producer = make_producer(world.settings.kafka, "poison")
    await producer.start()
    coordinates = set()
    try:
        for value in random.sample(_POISON, len(_POISON)):
            partition = random.randrange(TRADES.partitions)
            headers = HEADERS_OF_EVENT[TRADES.event]
            sent = await producer.send_and_wait(TRADES.name, value, partition=partition, headers=headers)
            coordinates.add((TRADES.name, partition, sent.offset))
    finally:
        await producer.stop()
    expected = {(reader, *place) for reader in _READERS for place in coordinates}
    return Struck(len(_POISON), unreadable=len(_POISON), check=_kept_as_dead_letters(expected))


def _kept_as_dead_letters(expected: set[tuple[str, str, int, int]]) -> Check:
    async def check(world: "World") -> list[str]:
        connection = await asyncpg.connect(world.settings.postgres.dsn.get_secret_value())
        missing = expected
        try:
            for _ in range(int(_KEPT_WITHIN_S / 0.1)):
                rows = await connection.fetch(_DEAD, TRADES.name)
                missing = expected - {tuple(row) for row in rows}
                if not missing:
                    break
                await asyncio.sleep(0.1)
        finally:
            await connection.close()
        return [f"no dead letter for {sorted(missing)}"] if missing else []

    return check


FAULTS = [
    Fault("F8", "kafka-killed", "kill -9, back after 5 s", kafka_killed, bound_s=3, target="test-long"),
    Fault("F8", "kafka-away", "down for 60 s", partial(kafka_away, 60), bound_s=12),
    Fault("F8", "kafka-away-for-10-minutes", "down for 600 s", partial(kafka_away, 600), bound_s=100),
    Fault("F9", "kafka-frozen", "SIGSTOP for 5 s", partial(kafka_frozen, 5), bound_s=5),
    Fault("F9", "kafka-frozen-for-a-minute", "SIGSTOP for 60 s", partial(kafka_frozen, 60), bound_s=20),
    Fault("F30", "poison", "records that are no trades", poison, bound_s=1, target="test"),
]
