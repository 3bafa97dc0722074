"""Whatever is logged while a batch is written says which batch it was."""

import asyncio

import pytest
import structlog
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from services.consumer import batch_log
from services.consumer.batch import Batch, Slice
from services.consumer.batch_log import being_written
from services.consumer.sinks.base import StoreFailed

BATCH = Batch("tape.trades.v1-3@120", (Slice("tape.trades.v1", 3, 120, 125, [], []),))


async def test_lines_of_others_name_the_batch_and_one_that_went_well_says_nothing_itself() -> None:
    with capture_logs([merge_contextvars]) as lines:
        with being_written(BATCH):
            structlog.get_logger().warning("the store's own word")
        structlog.get_logger().info("between batches")
    assert [(line["event"], line.get("batch")) for line in lines] == [
        ("the store's own word", BATCH.id),
        ("between batches", None),
    ]


@pytest.mark.parametrize("error", [StoreFailed("no answer"), RuntimeError("unforeseen"), asyncio.CancelledError()])
async def test_a_batch_that_the_store_did_not_take_is_named_before_the_process_ends(error: BaseException) -> None:
    with capture_logs([merge_contextvars]) as lines, pytest.raises(type(error)), being_written(BATCH):
        raise error
    assert [(line["event"], line["batch"]) for line in lines] == [("the store did not acknowledge a batch", BATCH.id)]


async def test_a_slow_one_is_named_with_how_long_it_took(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_log, "SLOW_S", 0.0)
    with capture_logs([merge_contextvars]) as lines, being_written(BATCH):
        pass
    [line] = lines
    assert (line["event"], line["batch"], line["partitions"]) == ("the store took long for a batch", BATCH.id, 1)
    assert line["took_s"] >= 0
