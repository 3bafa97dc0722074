"""What is told of a replay where Kafka fails, refuses or falls silent: one line, and only what it acknowledged."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError, KafkaError, TopicAuthorizationFailedError

from services.cli import asking_kafka
from services.cli.dead_letters import replay as replaying
from services.cli.dead_letters.choice import Choice, Kept
from services.cli.dead_letters.replay import Outcome
from shared.errors import TapewatchError, Unreachable, WrongUse
from shared.events import DeadLetter, Event, Trade
from shared.settings import Settings
from shared.topics import TRADES
from shared.wire import encode

TRADE = encode(
    Trade(
        exchange="upbit", symbol="KRW-BTC", base="BTC", quote="KRW", trade_id="7", price="1", quantity="2",
        side="buy", traded_at_us=1, received_at_us=1,
    )
)  # fmt: skip
UNREADABLE = b"{"
TOGETHER = 500


def letter(payload: bytes) -> DeadLetter:
    return DeadLetter(
        reason="x", at_us=1, payload=b64encode(payload).decode(), payload_bytes=len(payload), reader="consumer-redis",
        topic=TRADES.name, partition=0, offset=0, schema="trade/1",
    )  # fmt: skip


class Producer:
    """Stands in for Kafka: takes so many records, and then answers with an error, or never."""

    def __init__(self, takes: int, error: KafkaError | None = None) -> None:
        self.takes, self.error = takes, error

    async def send(self, *_: object, **__: object) -> "asyncio.Future[None]":
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.takes > 0:
            self.takes -= 1
            answer.set_result(None)
        elif self.error is not None:
            answer.set_exception(self.error)
        return answer


@pytest.fixture
def replay(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Replays letters with these payloads to such a Kafka; what came of it."""

    async def no_events(*_: object) -> AsyncIterator[Event]:
        nothing: tuple[Event, ...] = ()
        for event in nothing:
            yield event

    async def replay(producer: Producer, *payloads: bytes, publish: bool = True) -> Outcome:
        @asynccontextmanager
        async def started(*_: object) -> AsyncIterator[Producer]:
            yield producer

        async def chosen(*_: object) -> AsyncIterator[Kept]:
            for number, payload in enumerate(payloads):
                yield Kept(number, letter(payload))

        monkeypatch.setattr(replaying, "events", no_events)
        monkeypatch.setattr(replaying, "chosen", chosen)
        monkeypatch.setattr(replaying, "operators_producer", started)
        return await replaying.replay(Settings(), Choice(), lambda *_: None, publish=publish)

    return replay


@pytest.mark.parametrize("publish", [True, False])
async def test_what_was_read_again_and_what_was_not_is_counted(replay: Any, publish: bool) -> None:
    outcome = await replay(Producer(TOGETHER * 2), *[TRADE] * 600, UNREADABLE, publish=publish)
    assert (outcome.chosen, outcome.replayed, outcome.failed) == (601, 600, 1)
    assert outcome.published == {TRADES.name: 600}


@pytest.mark.parametrize(
    ("error", "kind", "line"),
    [
        (KafkaConnectionError("gone"), Unreachable, "KafkaConnectionError"),
        (TopicAuthorizationFailedError(TRADES.name), WrongUse, "Kafka refuses us"),
    ],
)
async def test_a_kafka_that_fails_is_told_in_one_line(
    replay: Any, error: KafkaError, kind: type[TapewatchError], line: str
) -> None:
    with pytest.raises(kind, match=line):
        await replay(Producer(0, error), TRADE)


async def test_a_kafka_that_falls_silent_is_told_in_one_line(replay: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking_kafka, "WITHIN_S", 0.05)
    with pytest.raises(Unreachable, match="Kafka did not answer within"):
        await replay(Producer(0), TRADE)


async def test_where_kafka_fails_midway_only_what_it_acknowledged_counts(replay: Any) -> None:
    letters = [UNREADABLE, *[TRADE] * (TOGETHER + 20)]
    with pytest.raises(Unreachable, match="500 dead letters had been read again and published; it is safe to repeat"):
        await replay(Producer(TOGETHER + 10, KafkaConnectionError("gone")), *letters)
