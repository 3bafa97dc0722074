"""Who waits for a server is given time once, and who waits for nothing gets none."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError
from aiokafka.structs import TopicPartition

from services.consumer import progress
from shared import heartbeat
from shared.errors import WrongUse
from shared.liveness import KAFKA_GETS_S, Liveness
from shared.settings import load_settings

WITHIN_S = 10
PLACE = TopicPartition("trades", 0)


class Story:
    """A consumer that is told what happens to it, and what it says of itself."""

    def __init__(self) -> None:
        self.end, self.kafka_answers = 100, True
        self.consumer = SimpleNamespace(
            positions={PLACE: 5}, started_at={PLACE: 0}, stored={}, in_hand=None, reader=self,
            newest_trade_us=0, now_us=lambda: 0,
            sink=SimpleNamespace(name="postgres", answered=0, tally=SimpleNamespace(first_try=None)),
        )  # fmt: skip
        self.liveness = Liveness(lambda: 0.0, WITHIN_S, 60)
        self.liveness.moved("so far")
        self.looks = 0

    def lag(self, *_: object) -> int:
        self.looks += 1
        return 95

    async def log_ends(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        if not self.kafka_answers:
            raise KafkaConnectionError("away")
        return dict.fromkeys(partitions, self.end)

    async def goes_on(self, looks: int = 8) -> None:
        until = self.looks + looks
        while self.looks < until:  # noqa: ASYNC110  # it looks by itself
            await asyncio.sleep(0)


@pytest.fixture
async def story(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Story]:
    monkeypatch.setattr(progress, "_EVERY_S", 0.001)
    one = Story()
    consumer: Any = one.consumer
    telling = asyncio.create_task(progress.tell_progress(consumer, one.liveness))
    yield one
    telling.cancel()


async def test_what_does_not_get_on_although_both_servers_answer_is_given_no_time(story: Story) -> None:
    await story.goes_on()
    assert (story.liveness.moves, story.liveness.limit_s) == (1, WITHIN_S)


async def test_a_kafka_that_is_silent_is_waited_for_once(story: Story) -> None:
    story.kafka_answers = False
    await story.goes_on()
    assert (story.liveness.moves, story.liveness.limit_s) == (2, KAFKA_GETS_S)
    assert story.liveness.status.endswith("; Kafka does not answer")
    story.kafka_answers = True
    story.consumer.stored = {PLACE: 5}
    await story.goes_on(2)
    assert story.liveness.limit_s == WITHIN_S
    story.kafka_answers = False
    await story.goes_on()
    assert story.liveness.limit_s == KAFKA_GETS_S


async def test_a_slow_store_is_given_time_anew_for_each_answer_of_a_batch(story: Story) -> None:
    story.consumer.in_hand = "one batch"
    await story.goes_on()
    for answered in (1, 2):
        story.consumer.sink.answered = answered
        await story.goes_on()
    assert story.liveness.moves == 1 + 3
    await story.goes_on()
    assert story.liveness.moves == 1 + 3  # no answer, no more time
    assert story.liveness.says.startswith("waiting for postgres for 0 s: postgres does not answer for a batch; ")
    story.consumer.stored = {PLACE: 5}
    await story.goes_on(2)
    assert story.liveness.says.startswith("5 records/s") or story.liveness.says.startswith("0 records/s")


async def test_a_store_that_has_a_batch_in_hand_is_waited_for_once_a_batch(story: Story) -> None:
    story.consumer.in_hand = "one batch"
    await story.goes_on()
    assert story.liveness.moves == 2
    story.consumer.in_hand = "the next"
    await story.goes_on()
    assert story.liveness.moves == 3
    assert story.liveness.limit_s > 30 + 5  # a statement of PostgreSQL ends by itself
    assert story.liveness.status.endswith("; postgres has a batch in hand")


def test_no_process_is_given_less_time_than_a_proof_that_it_is_idle_may_take() -> None:
    proof_s = progress._PROVE_EVERY * progress._EVERY_S + progress._PROVE_WITHIN_S
    with pytest.raises(WrongUse, match=r"(?i)within_s"):
        load_settings({"TAPEWATCH_LIVENESS__WITHIN_S": "7"})
    least_s = load_settings({"TAPEWATCH_LIVENESS__WITHIN_S": "8"}).liveness.within_s
    assert least_s > proof_s + heartbeat._EVERY_S
