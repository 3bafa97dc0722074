"""Reading dead letters from a Kafka that falls silent, fails, refuses, or deletes meanwhile what is read."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing
from typing import TypeAlias

import pytest
from aiokafka.errors import KafkaConnectionError, KafkaError, OffsetOutOfRangeError, TopicAuthorizationFailedError
from aiokafka.structs import ConsumerRecord, TopicPartition

from services.cli import asking_kafka
from services.cli.dead_letters import reading
from shared.errors import Unreachable, WrongUse
from shared.settings import Settings
from shared.topics import DEAD_LETTERS

PLACE = TopicPartition(DEAD_LETTERS.name, 0)
END = 10
Answer: TypeAlias = Sequence[int] | KafkaError


class Kafka:
    """Stands in for the reader: gives records of these offsets, one answer after the other, then nothing more."""

    def __init__(self, *answers: Answer, kept_from: int = 0) -> None:
        self.answers, self.at, self.kept_from, self.is_closed = list(answers), 0, kept_from, False

    def __call__(self, *_: object) -> "Kafka":
        return self

    async def connect(self) -> None: ...

    async def start(self, positions: dict[TopicPartition, int]) -> None:
        self.at = positions[PLACE]

    async def close(self) -> None:
        self.is_closed = True

    async def log_starts(self, _: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return {PLACE: self.kept_from if self.at else 0}

    async def log_ends(self, _: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return {PLACE: END}

    async def position(self, _: TopicPartition) -> int:
        return self.at

    async def batch(self, *_: object) -> dict[TopicPartition, list[ConsumerRecord]]:
        await asyncio.sleep(0)
        if not self.answers:
            return {}
        answer = self.answers.pop(0)
        if isinstance(answer, KafkaError):
            raise answer
        self.at = answer[-1] + 1
        return {PLACE: [ConsumerRecord(PLACE.topic, 0, one, 0, 0, None, b"", None, 0, 0, ()) for one in answer]}


Read = Callable[[Kafka], "asyncio.Future[list[int]]"]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Read:
    """The offsets that are read of such a Kafka, all of them asked for at once."""

    async def at_once(*_: object) -> None: ...

    monkeypatch.setattr(reading, "wait_until_reachable", at_once)
    monkeypatch.setattr(reading, "wait_for_topic_ids", at_once)

    async def offsets(kafka: Kafka) -> list[int]:
        monkeypatch.setattr(reading, "PartitionReader", kafka)
        async with aclosing(reading.records(Settings(), DEAD_LETTERS)) as found:
            return [record.offset async for record in found]

    return lambda kafka: asyncio.ensure_future(offsets(kafka))


async def test_all_is_read_up_to_the_end_as_it_was(read: Read) -> None:
    assert await read(Kafka([0, 1, 2], [4, 5], [8, 9, 10, 11])) == [0, 1, 2, 4, 5, 8, 9]


async def test_a_kafka_that_falls_silent_midway_is_told_and_not_waited_for_without_end(
    read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking_kafka, "WITHIN_S", 0.05)
    kafka = Kafka([0, 1, 2])
    with pytest.raises(Unreachable, match="Kafka did not answer within"):
        await asyncio.wait_for(read(kafka), 5)
    assert kafka.is_closed


async def test_what_is_deleted_meanwhile_is_passed_over(read: Read) -> None:
    deleted = OffsetOutOfRangeError({PLACE: 3})
    assert await read(Kafka([0, 1, 2], deleted, [7, 8, 9], kept_from=7)) == [0, 1, 2, 7, 8, 9]
    assert await read(Kafka([0, 1, 2], deleted, kept_from=END)) == [0, 1, 2]


async def test_what_kafka_refuses_and_how_else_it_fails_is_one_line(read: Read) -> None:
    with pytest.raises(WrongUse, match=r"Kafka refuses us: .*topics grant"):
        await read(Kafka(TopicAuthorizationFailedError(PLACE.topic)))
    with pytest.raises(Unreachable, match="KafkaConnectionError"):
        await read(Kafka(KafkaConnectionError("gone")))
