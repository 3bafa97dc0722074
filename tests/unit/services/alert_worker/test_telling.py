"""Pauses between tries, the pace of a channel, and what a start leaves out."""

from unittest.mock import AsyncMock, MagicMock

import pytest
from structlog.testing import capture_logs

from services.alert_worker import telling
from services.alert_worker.notifiers.pace import Pace
from services.alert_worker.outbox import Outbox
from services.alert_worker.telling import Telling, pause_s
from shared.clock import now_us
from shared.events import Notification
from shared.settings import KafkaSettings


def test_pauses_grow_up_to_half_a_minute() -> None:
    assert [pause_s(attempt, 1.0) for attempt in (1, 2, 3, 7, 100)] == [1.0, 2.0, 4.0, 30.0, 30.0]


@pytest.mark.parametrize("attempt", [1, 5, 1000])
def test_luck_spreads_a_pause_over_its_half(attempt) -> None:
    assert pause_s(attempt, 0.0) == pause_s(attempt, 1.0) / 2


def test_a_channel_takes_three_at_once_and_then_one_a_second() -> None:
    pace = Pace()
    assert [pace.take(10.0) for _ in range(6)] == [0, 0, 0, 1, 2, 3]
    assert pace.take(20.0) == 0


def test_a_long_rest_saves_no_more_than_the_burst() -> None:
    pace = Pace()
    pace.take(0.0)
    assert [pace.take(1e6) for _ in range(4)] == [0, 0, 0, 1]


def test_asking_how_long_takes_nothing() -> None:
    pace = Pace()
    assert [pace.delay_s(10.0) for _ in range(5)] == [0] * 5
    for _ in range(3):
        pace.take(10.0)
    assert [pace.delay_s(10.0), pace.delay_s(10.25), pace.delay_s(11.0)] == [1.0, 0.75, 0.0]


@pytest.mark.parametrize(("alerts", "left_out"), [(50_000, []), (50_007, [7])])
async def test_alerts_that_are_too_many_to_know_again_are_left_out_with_a_word(monkeypatch, alerts, left_out) -> None:
    async def nothing(*_: object):
        for record in ():
            yield record

    first, reader = 1_000, MagicMock()
    reader.offsets_since = AsyncMock(side_effect=lambda partitions, _: dict.fromkeys(partitions, first))
    reader.log_ends = AsyncMock(side_effect=lambda partitions: dict.fromkeys(partitions, first + alerts))
    monkeypatch.setattr(telling, "PartitionReader", lambda *_: reader)
    monkeypatch.setattr(telling, "read_partitions", nothing)
    one = Telling(KafkaSettings(), MagicMock(), MagicMock(), MagicMock(), Outbox(), MagicMock())
    with capture_logs() as logs:
        await one._recall(first + alerts)
    assert [line["oldest_left_out"] for line in logs] == left_out


async def test_a_start_knows_of_what_was_told_long_ago_only_where_reading_resumes(monkeypatch) -> None:
    def note(name: str, at_us: int, settled: int) -> Notification:
        return Notification(
            episode_id=name, notifier="x", stage="sent", alert_id=f"{name}-2-resolve", alert_ids=[f"{name}-2-resolve"],
            at_us=at_us, settled_offset=settled,
        )  # fmt: skip

    async def records(*_: object):
        for number in range(100):
            yield note(f"old{number}", 1_000 + number, 7)
        yield note("new", now_us(), 5)

    reader, outbox = AsyncMock(), Outbox()
    reader.log_starts.side_effect = lambda partitions: dict.fromkeys(partitions, 0)
    reader.log_ends.side_effect = lambda partitions: dict.fromkeys(partitions, 9)
    monkeypatch.setattr(telling, "PartitionReader", lambda *_: reader)
    monkeypatch.setattr(telling, "read_topic", records)
    monkeypatch.setattr(telling, "read_event", lambda _, record: record)
    one = Telling(KafkaSettings(), MagicMock(), MagicMock(), MagicMock(), outbox, MagicMock())
    monkeypatch.setattr(one, "_recall", AsyncMock())
    await one._start()
    assert set(outbox._episodes) == {"new"}
    assert list(reader.start.await_args.args[0].values()) == [7]
