"""A store that stays away while Kafka's retention runs: people are told before it costs data, once, and of the end."""

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.structs import TopicPartition

from services.consumer.retention_probe import RetentionProbe
from services.consumer.retention_watch import TOLD
from shared.clock import now_us
from shared.topics import FEED, TRADES

Start = Callable[..., Any]
PLACES = [TopicPartition(TRADES.name, number) for number in range(TRADES.partitions)]


@pytest.fixture
async def admin(tape: Any) -> Any:
    client = AIOKafkaAdminClient(bootstrap_servers=tape.kafka.bootstrap_servers)
    await client.start()
    yield client
    await client.close()


async def keep_trades_for(admin: Any, retention_ms: int) -> None:
    """The broker looks for what to delete every five minutes: nothing goes during a test."""
    config = TRADES.config() | {"retention.ms": str(retention_ms)}
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, TRADES.name, config)])


async def told(tape: Any, kind: str) -> list[str]:
    return [event.reason for event in await tape.read(FEED) if event.kind == kind]


async def until_told(tape: Any, kind: str) -> str:
    while True:
        await asyncio.sleep(0.1)
        if found := await told(tape, kind):
            (reason,) = found
            return reason


async def until_committed(admin: Any) -> None:
    """Return once the advice says that the first trades were stored."""
    committed = 0
    while committed < 122:
        await asyncio.sleep(0.1)
        offsets = await admin.list_consumer_group_offsets("tapewatch-redis")
        committed = sum(at.offset for partition, at in offsets.items() if partition.topic == TRADES.name)


async def until_noted(admin: Any, *, told: bool) -> None:
    """Return once Kafka holds what was told: a process that ends before that tells it again rather than never."""
    noted = not told
    while noted != told:
        await asyncio.sleep(0.1)
        offsets = await admin.list_consumer_group_offsets("tapewatch-redis")
        noted = any(at.metadata == TOLD for partition, at in offsets.items() if partition.topic == TRADES.name)


@pytest.mark.long
@pytest.mark.timeout(180)  # lives through several rounds of looking
async def test_told_once_while_the_store_is_away_and_when_it_is_over(
    tape: Any, cache: Any, start_consumer: Start, admin: Any, unused_tcp_port: int
) -> None:
    await tape.trades(120)
    first = start_consumer()
    await cache.until_holding(tape.published)
    await until_committed(admin)
    first.kill()
    await keep_trades_for(admin, 4_000)
    await tape.trades(120)

    away = {"REDIS__URL": f"redis://127.0.0.1:{unused_tcp_port}/0", "START__WAIT_S": "60"}
    process = start_consumer(**away)
    reason = await until_told(tape, "degraded")
    assert reason.startswith(f"consumer-redis: {TRADES.name}: 122 records wait, the oldest for ")
    assert "of 4.0 s that Kafka keeps (" in reason
    assert "Bring redis or its consumer back, or raise retention.ms" in reason
    assert (await process.until_said("unread records will be deleted"))["topic"] == TRADES.name
    await until_noted(admin, told=True)

    process.kill()
    process = start_consumer(**away, LOG__LEVEL="debug")
    await process.until_said("looked")
    assert len(await told(tape, "degraded")) == 1

    process.kill()
    process = start_consumer()
    await until_told(tape, "resumed")
    await until_noted(admin, told=False)
    process.kill()
    process = start_consumer(LOG__LEVEL="debug")
    await process.until_said("looked")
    assert (len(await told(tape, "degraded")), len(await told(tape, "resumed"))) == (1, 1)
    assert await cache.held() == tape.published


async def test_told_once_while_the_store_refuses_whoever_comes(
    tape: Any, cache: Any, start_consumer: Start, admin: Any
) -> None:
    await tape.trades(120)
    first = start_consumer()
    await cache.until_holding(tape.published)
    await until_committed(admin)
    first.kill()
    await keep_trades_for(admin, 1_000)
    await tape.trades(120)
    password = urlsplit(cache.settings.url.get_secret_value()).password

    for _ in range(4):  # the first of them may come before there is anything to tell
        process = start_consumer(REDIS__URL=cache.settings.url.get_secret_value().replace(f":{password}@", ":wrong@"))
        assert await process.ended() == 2
        assert "refuses user or password" in process.said()[-1]["event"]
    (reason,) = await told(tape, "degraded")
    assert reason.startswith(f"consumer-redis: {TRADES.name}: 122 records wait, the oldest for ")


async def test_a_long_backlog_is_not_read_to_learn_its_age(
    tape: Any, admin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at: list[int] = []
    getmany = AIOKafkaConsumer.getmany

    async def counting(consumer: AIOKafkaConsumer, *partitions: TopicPartition, **bounds: int) -> Any:
        found = await getmany(consumer, *partitions, **bounds)
        looked_at.append(sum(map(len, found.values())))
        return found

    await tape.trades(40_000)
    await tape.producer.flush()
    await keep_trades_for(admin, 3_600_000)
    monkeypatch.setattr(AIOKafkaConsumer, "getmany", counting)
    async with RetentionProbe(tape.kafka, "test") as probe:
        lag = (await probe.lags(dict.fromkeys(PLACES, 0), now_us() // 1000 + 1_800_000))[TRADES.name]

    assert lag.records > 40_000
    assert lag.ratio == pytest.approx(0.5, rel=0.1)
    assert 0 < sum(looked_at) < 20_000


async def test_age_and_share_as_kafka_tells_them(tape: Any, admin: Any) -> None:
    await tape.trades(1200)
    await tape.producer.flush()
    await keep_trades_for(admin, 3_600_000)
    async with RetentionProbe(tape.kafka, "test") as probe:
        in_half_an_hour_ms = now_us() // 1000 + 1_800_000
        by_time = (await probe.lags(dict.fromkeys(PLACES, 0), in_half_an_hour_ms))[TRADES.name]
        assert by_time.records == 1224
        assert 0.5 <= by_time.ratio < 0.55

        end = (await probe.ends(PLACES[:1]))[PLACES[0]]
        await admin.delete_records({PLACES[0]: RecordsToDelete(end // 2)})
        by_share = (await probe.lags({PLACES[0]: end // 2 + 10}, in_half_an_hour_ms))[TRADES.name]
        assert by_share.ratio == (end - end // 2 - 10) / (end - end // 2)
        assert 1_800_000 <= by_share.keeps_ms < 1_900_000
