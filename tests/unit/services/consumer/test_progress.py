"""What a consumer says of itself: rate, lag and age of the newest trade, and when it proves that nothing waits."""

import asyncio
from dataclasses import dataclass, field
from typing import cast

import pytest
from aiokafka.structs import TopicPartition

from services.consumer import progress
from services.consumer.loop import Consumer
from services.consumer.sinks.base import Tally
from shared.liveness import Liveness
from shared.topics import TRADES

NOON_US = 1_700_000_000_000_000
PLACE = TopicPartition(TRADES.name, 0)


@dataclass
class Store:
    name: str = "redis"
    answered: int = 0
    tally: Tally = field(default_factory=Tally)


@dataclass
class Reading:
    """Stands in for a consumer and its reader: `end` is where Kafka's log ends."""

    end: int = 500
    answers: bool = True
    newest_trade_us: int = 0
    in_hand: object = None
    stored: dict[TopicPartition, int] = field(default_factory=dict)
    positions: dict[TopicPartition, int] = field(default_factory=lambda: {PLACE: 100})
    started_at: dict[TopicPartition, int] = field(default_factory=lambda: {PLACE: 100})
    sink: Store = field(default_factory=Store)

    @property
    def reader(self) -> "Reading":
        return self

    def now_us(self) -> int:
        return NOON_US

    def lag(self, partition: TopicPartition, position: int) -> int:
        return self.end - position

    async def log_ends(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        if not self.answers:
            raise TimeoutError
        return {PLACE: self.end}

    def store(self, upto: int, received_at_us: int) -> None:
        self.stored[PLACE] = self.positions[PLACE] = upto
        self.newest_trade_us = received_at_us


async def looks(reading: Reading, liveness: Liveness, *and_then: tuple[int, int]) -> list[str]:
    """What it says at each look; between two of them a batch is stored."""
    said: list[str] = []
    liveness.tells("")
    telling = asyncio.create_task(progress.tell_progress(cast("Consumer", reading), liveness))
    for batch in (None, *and_then):
        if batch is not None:
            reading.store(*batch)
        while not liveness.status:
            assert not telling.done(), telling.exception()
            await asyncio.sleep(0)
        said.append(liveness.status)
        liveness.tells("")
    telling.cancel()
    return said


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_EVERY_S", 0.01)


async def test_rate_lag_and_age_of_the_newest_trade() -> None:
    liveness = Liveness(lambda: 0.0, 30, 60)
    first, second = await looks(Reading(), liveness, (450, NOON_US - 2_000_000))
    assert first == "0 records/s, 400 behind, no trade since the start"
    assert second == "35,000 records/s, 50 behind, newest trade 2 s old"
    assert liveness.is_ready


async def test_idle_is_proven_and_has_the_same_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, liveness = Reading(), Liveness(lambda: 0.0, 30, 60)
    reading.store(500, NOON_US - 240_000_000)
    reading.started_at = {PLACE: 500}
    monkeypatch.setattr(progress, "_PROVE_EVERY", 1)
    [says] = await looks(reading, liveness)
    assert says == "0 records/s, 0 behind, newest trade 4 min old; idle: everything in Kafka is stored"
    assert liveness.is_ready


async def test_who_does_not_get_on_says_so_and_is_not_ready() -> None:
    reading, liveness = Reading(answers=False), Liveness(lambda: 0.0, 30, 60)
    reading.store(500, NOON_US)
    reading.started_at = {PLACE: 500}
    says = "0 records/s, 0 behind, newest trade 0 s old; Kafka does not answer"
    assert await looks(reading, liveness) == [says]
    assert not liveness.is_ready
    assert liveness.says.startswith("waiting for Kafka for 0 s: Kafka does not answer; ")


async def test_who_stores_what_is_old_although_newer_trades_wait_says_so() -> None:
    liveness = Liveness(lambda: 0.0, 30, 60)
    await looks(Reading(), liveness, (450, NOON_US - 75_000_000))
    assert liveness.says.startswith(
        "waiting in part for redis for 0 s: redis is behind, its newest trade is 75 s old, 50 wait in Kafka; "
    )
    for upto, age_s in ((450, 60), (500, 75)):  # young enough; or nothing newer is there
        await looks(Reading(), liveness, (upto, NOON_US - age_s * 1_000_000))
        assert not liveness.says.startswith("waiting")
