"""Latency as it is going, from samples: trades that Redis holds, looked up in the sinks' batch journals. Pure.

A journal says when a store acknowledged a batch of offsets, and a trade carries our stamp of its arrival. The exact
figures, from the moment that the exchange published each trade, are in the report.
"""

from collections import deque
from collections.abc import Iterable

from services.reconcile.latency import JournalLine, Partition, Percentiles, WrittenAt, percentiles

_SETTLE_US = 1_500_000
_WINDOW = 400
_TRADES_KNOWN = 4_000
_BATCHES_KEPT = 5_000


class LatencySampler:
    """Looks a sample up once it is old enough for every store to have written it, so that slow ones count too."""

    def __init__(self) -> None:
        self._written: dict[str, WrittenAt] = {}
        self._waiting: dict[tuple[Partition, int], int] = {}
        self._known: dict[tuple[Partition, int], None] = {}
        self._found: dict[str, deque[int]] = {}

    def add_batches(self, lines: Iterable[JournalLine]) -> None:
        """Note what stores wrote."""
        for line in lines:
            self._written.setdefault(line.sink, WrittenAt(most=_BATCHES_KEPT)).add(line)

    def add_trade(self, partition: Partition, offset: int, received_at_us: int) -> None:
        """Note a trade to look up later."""
        if (partition, offset) in self._known:
            return
        self._known[partition, offset] = None
        self._waiting[partition, offset] = received_at_us
        if len(self._known) > _TRADES_KNOWN:
            del self._known[next(iter(self._known))]

    def figures(self, now_us: int) -> dict[str, Percentiles]:
        """Percentiles of the last samples, by sink."""
        settled = [key for key, received_at_us in self._waiting.items() if received_at_us < now_us - _SETTLE_US]
        for partition, offset in settled:
            received_at_us = self._waiting.pop((partition, offset))
            for sink, written in self._written.items():
                done_at_us = written.at_us(partition, offset)
                if done_at_us is not None:
                    self._found.setdefault(sink, deque(maxlen=_WINDOW)).append(done_at_us - received_at_us)
        found = {sink: percentiles(values) for sink, values in self._found.items()}
        return {sink: figures for sink, figures in found.items() if figures}
