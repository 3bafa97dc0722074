"""Faults of a topic itself: its partitions grow, or it keeps records for less time than a store is away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import TYPE_CHECKING

from aiokafka.admin import AIOKafkaAdminClient, NewPartitions
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from services.reconcile.kafka_reader import read_feed
from shared.clock import now_us
from shared.kafka import client_options, create_topics
from shared.topics import ORDERBOOKS, TRADES
from tests.faults.fault import Fault, Struck
from tests.faults.limits import within

if TYPE_CHECKING:
    from tests.faults.world import World

_GROWN_TO = 12
_REFUSED_WITHIN_S = 40.0
_KEPT_MS = 30_000
"""The broker looks for what to delete every five minutes, and never deletes the newest: nothing really goes."""
_TOLD_WITHIN_S = 50.0


async def partitions_grow(world: "World", _random: Random) -> Struck:
    """Who reads the topic stops before order breaks, and says so; who writes it keeps to the partitions it knows.

    Partitions are never taken away again, so the topic is made anew; of order books only the newest counts.
    """
    async with _admin(world) as admin:
        await admin.create_partitions({ORDERBOOKS.name: NewPartitions(_GROWN_TO)})
        refusal = f"{ORDERBOOKS.name} has {_GROWN_TO} partitions and must have {ORDERBOOKS.partitions}"
        log = world.directory / "consumer-redis.log"
        await within(_REFUSED_WITHIN_S, lambda: refusal in log.read_text(encoding="utf-8"), f"{refusal!r} in {log}")
        await admin.delete_topics([ORDERBOOKS.name])

        async def is_gone() -> bool:
            return ORDERBOOKS.name not in await admin.list_topics()

        await within(_REFUSED_WITHIN_S, is_gone, "the topic to be gone")
    await create_topics(world.settings.kafka)
    return Struck()


async def redis_away_near_retention(world: "World", _random: Random) -> Struck:
    """Redis is away for more than half of the time that Kafka keeps trades: people hear of it, and of its end."""
    since_us = now_us()
    world.redis.kill()
    await asyncio.to_thread(world.redis.wait)
    try:
        await _keep_trades_for(world, _KEPT_MS)
        await within(_TOLD_WITHIN_S, lambda: _is_told(world, "degraded", since_us), "the lag to be told on the feed")
        await within(_TOLD_WITHIN_S, lambda: _is_said(world, "RECORDS WILL BE LOST"), "the lag to be told in Slack")
    finally:
        await _keep_trades_for(world, TRADES.retention_ms)
        await asyncio.to_thread(world.redis.start)

    async def check(world: "World") -> list[str]:
        await within(_TOLD_WITHIN_S, lambda: _is_told(world, "resumed", since_us), "the end to be told on the feed")
        await within(_TOLD_WITHIN_S, lambda: _is_said(world, "NO RECORDS WILL BE LOST"), "the end to be told in Slack")
        return []

    return Struck(check=check)


async def _is_told(world: "World", kind: str, since_us: int) -> bool:
    about = f"consumer-redis: {TRADES.name}: "
    feed = [event async for event in read_feed(world.settings.kafka)]
    return any(one.kind == kind and one.at_us >= since_us and one.reason.startswith(about) for one in feed)


async def _is_said(world: "World", text: str) -> bool:
    return any(one["text"].startswith(f"{text} · consumer-redis") for one in await world.market.messages())


async def _keep_trades_for(world: "World", retention_ms: int | None) -> None:
    config = TRADES.config() | {"retention.ms": str(retention_ms)}
    async with _admin(world) as admin:
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, TRADES.name, config)])


@asynccontextmanager
async def _admin(world: "World") -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(**client_options(world.settings.kafka, "faults-topics"))
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


FAULTS = [
    Fault(
        "F12", "partitions-grow", "those of the order books, until the topic is made anew", partitions_grow, bound_s=15
    ),
    Fault(
        "F23",
        "redis-away-near-retention",
        "for half of what Kafka keeps: told in time, and when it is over",
        redis_away_near_retention,
        bound_s=15,
    ),
]
