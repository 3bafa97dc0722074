"""What is logged about a batch names it, whoever logs; and a batch that is in trouble says so."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from structlog.contextvars import bound_contextvars

from services.consumer.batch import Batch

SLOW_S = 1.0
log = structlog.get_logger(__name__)


@contextmanager
def being_written(batch: Batch) -> Iterator[None]:
    """Every line meanwhile has the id as `batch`; one more if the store does not take the batch, or takes long.

    At the process's end, where the failure itself is logged, nobody knows any more which batch it was.
    """
    seconds = asyncio.get_running_loop().time
    began_s, is_stored = seconds(), False
    with bound_contextvars(batch=batch.id):
        try:
            yield
            is_stored = True
        finally:
            took_s = seconds() - began_s
            if not is_stored:
                _say(batch, "the store did not acknowledge a batch", took_s)
            elif took_s >= SLOW_S:
                _say(batch, "the store took long for a batch", took_s)


def _say(batch: Batch, what: str, took_s: float) -> None:
    events = sum(len(piece.events) for piece in batch.slices)
    log.warning(what, took_s=round(took_s, 3), events=events, partitions=len(batch.slices))
