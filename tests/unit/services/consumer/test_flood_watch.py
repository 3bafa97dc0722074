"""The past of a consumer that begins: what Kafka has of it counts, and nothing in it keeps it from starting."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka.errors import OffsetOutOfRangeError
from aiokafka.structs import ConsumerRecord, TopicPartition

from services.consumer import flood_watch
from services.consumer.decode import Poison
from services.consumer.flood_watch import FloodWatch
from shared.errors import TapewatchError
from shared.events import Trade
from shared.settings import KafkaSettings
from shared.topics import DEAD_LETTERS, ORDERBOOKS, TICKERS, TRADES
from shared.wire import HEADERS_OF_EVENT

PLACE = TopicPartition(TRADES.name, 0)
OURS = HEADERS_OF_EVENT[Trade]
OF_ANOTHER_VERSION = [("schema", b"trade/2")]
NEWEST = Poison(TRADES.name, 0, 1_000, "no JSON", b"{", "trade/1", 1_000)


def unreadable(offset: int, headers: Sequence[tuple[str, bytes]] = OURS) -> ConsumerRecord:
    return ConsumerRecord(TRADES.name, 0, offset, offset, 0, None, b"{", None, 0, 1, tuple(headers))


class Kafka:
    """Stands in for the reader of the past: gives its answers one after the other, then says nothing."""

    def __init__(self, *answers: Sequence[ConsumerRecord] | Exception) -> None:
        self.answers, self.at, self.is_closed = list(answers), 0, False

    def __call__(self, *_: object) -> "Kafka":
        return self

    async def connect(self) -> None: ...

    async def start(self, positions: dict[TopicPartition, int]) -> None:
        self.at = positions[PLACE]

    async def close(self) -> None:
        self.is_closed = True

    async def log_starts(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, 0)

    async def position(self, _: TopicPartition) -> int:
        return self.at

    async def batch(self, *_: object, **__: object) -> dict[TopicPartition, Sequence[ConsumerRecord]]:
        if not self.answers:
            await asyncio.sleep(60)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        self.at = answer[-1].offset + 1
        return {PLACE: answer}


@pytest.fixture
def begins(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A consumer that begins at 1,000, with such a Kafka."""
    monkeypatch.setattr(flood_watch, "_PAST_WITHIN_S", 0.05)

    def begins(kafka: Kafka) -> FloodWatch:
        monkeypatch.setattr(flood_watch, "PartitionReader", kafka)
        return FloodWatch(KafkaSettings(), "consumer-redis", lambda _: None, {PLACE: 1_000})

    return begins


async def look(watch: FloodWatch) -> None:
    await watch.look({PLACE: [unreadable(1_000)]}, [NEWEST])


async def test_a_past_that_nobody_could_read_and_one_more_is_a_flood(begins: Any) -> None:
    kafka = Kafka([unreadable(offset) for offset in range(1_000)])
    with pytest.raises(TapewatchError, match="more than half"):
        await look(begins(kafka))
    assert kafka.is_closed


async def test_a_record_of_another_version_long_ago_keeps_nobody_from_starting(begins: Any) -> None:
    past = [unreadable(offset, OF_ANOTHER_VERSION) for offset in range(1_000)]
    await look(begins(Kafka(past)))


async def test_beside_one_of_another_version_the_others_count_as_they_are(begins: Any) -> None:
    past = [unreadable(offset, OF_ANOTHER_VERSION if offset < 499 else OURS) for offset in range(1_000)]
    with pytest.raises(TapewatchError, match="more than half"):
        await look(begins(Kafka(past)))


@pytest.mark.parametrize("end", [(), (OffsetOutOfRangeError({PLACE: 400}),)], ids=["silent", "deleted meanwhile"])
async def test_where_kafka_sends_no_more_what_it_sent_counts(begins: Any, end: tuple[Exception, ...]) -> None:
    few = Kafka([unreadable(offset) for offset in range(400)], *end)
    await look(begins(few))
    assert few.is_closed
    with pytest.raises(TapewatchError, match="more than half"):
        await look(begins(Kafka([unreadable(offset) for offset in range(600)], *end)))


def some_of(topic: str, records: int) -> dict[TopicPartition, list[ConsumerRecord]]:
    return {TopicPartition(topic, 0): [unreadable(offset) for offset in range(records)]}


def poison_of(topic: str, records: int) -> list[Poison]:
    return [Poison(topic, 0, offset, "no JSON", b"{", None, 1_000) for offset in range(records)]


async def test_a_topic_that_nobody_can_read_stops_it_though_readable_topics_outnumber_it(begins: Any) -> None:
    watch, mixed = begins(Kafka()), some_of(TRADES.name, 40) | some_of(TICKERS.name, 30) | some_of(ORDERBOOKS.name, 30)
    for _ in range(12):
        await watch.look(mixed, poison_of(TRADES.name, 40))
    with pytest.raises(TapewatchError, match=f"last thousand records of {TRADES.name} could not be read"):
        await watch.look(mixed, poison_of(TRADES.name, 40))


async def test_a_few_of_each_topic_are_no_flood(begins: Any) -> None:
    watch = begins(Kafka())
    for topic in (TRADES.name, TICKERS.name, ORDERBOOKS.name):
        await watch.look(some_of(topic, 400), poison_of(topic, 400))


async def test_dead_letters_themselves_never_stop_it(begins: Any) -> None:
    await begins(Kafka()).look(some_of(DEAD_LETTERS.name, 5_000), poison_of(DEAD_LETTERS.name, 5_000))


async def test_the_past_of_one_topic_is_read_when_its_first_unreadable_record_comes_and_only_once(begins: Any) -> None:
    kafka = Kafka([unreadable(offset) for offset in range(1_000)])
    watch = begins(kafka)
    await watch.look(some_of(TICKERS.name, 1), poison_of(TICKERS.name, 1))
    assert len(kafka.answers) == 1

    with pytest.raises(TapewatchError, match=TRADES.name):
        await look(watch)
    assert not kafka.answers
    with pytest.raises(TapewatchError, match=TRADES.name):
        await look(watch)
