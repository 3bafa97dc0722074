"""From the moment an exchange published a trade to the moment a store acknowledged it."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec
from msgspec import Struct

from shared.errors import WrongUse

Partition = tuple[str, int]
"""(topic, partition)"""


class JournalLine(Struct, gc=False):
    """One batch that a store acknowledged at `done_at_us`: (topic, partition, first offset, next offset) each."""

    sink: str
    done_at_us: int
    slices: list[tuple[str, int, int, int]]


class Percentiles(NamedTuple):
    """Milliseconds."""

    p50: float
    p99: float
    max: float


class WrittenAt:
    """When one sink had each offset: the first batch that covers it, since a repeated batch changes nothing.

    `most` bounds how many batches of a partition are remembered, the newest.
    """

    def __init__(self, lines: Iterable[JournalLine] = (), most: int | None = None) -> None:
        self._batches: dict[Partition, list[tuple[int, int, int]]] = {}
        self._most = most
        for line in lines:
            self.add(line)

    def add(self, line: JournalLine) -> None:
        """Note the next batch."""
        for topic, partition, first, upto in line.slices:
            batches = self._batches.setdefault((topic, partition), [])
            if not batches or upto > batches[-1][1]:
                batches.append((first, upto, line.done_at_us))
            if self._most is not None and len(batches) > 2 * self._most:
                del batches[: self._most]

    def at_us(self, partition: Partition, offset: int) -> int | None:
        """Microseconds UTC, None when no batch covers the offset."""
        batches = self._batches.get(partition, [])
        place = bisect_right(batches, offset, key=lambda batch: batch[1])
        if place == len(batches) or offset < batches[place][0]:
            return None
        return batches[place][2]


def read_journal(lines: Iterable[bytes]) -> dict[str, list[JournalLine]]:
    """Read the journals of any number of sinks, by sink. A last line that was cut by a kill is left out."""
    decoder = msgspec.json.Decoder(JournalLine)
    of_sink: dict[str, list[JournalLine]] = {}
    for number, text in enumerate(lines, start=1):
        try:
            line = decoder.decode(text)
        except msgspec.DecodeError as error:
            if not text.endswith(b"\n"):
                continue
            raise WrongUse(f"line {number} of the batch journal cannot be read: {error}") from None
        of_sink.setdefault(line.sink, []).append(line)
    return of_sink


def percentiles(values_us: Sequence[int]) -> Percentiles | None:
    """Nearest-rank percentiles; None of nothing."""
    if not values_us:
        return None
    ranked = sorted(values_us)

    def rank(share: float) -> float:
        return ranked[max(0, -(-len(ranked) * round(share * 1000) // 1000) - 1)] / 1000

    return Percentiles(rank(0.5), rank(0.99), ranked[-1] / 1000)


def latencies_us(
    published: Iterable[tuple[int, Partition, int]], written: Mapping[str, WrittenAt]
) -> dict[str, list[int]]:
    """By sink, the latency of each (published_at_us, partition, offset) that the sink's journal covers."""
    found: dict[str, list[int]] = {sink: [] for sink in written}
    for published_at_us, partition, offset in published:
        for sink, at in written.items():
            done_at_us = at.at_us(partition, offset)
            if done_at_us is not None:
                found[sink].append(done_at_us - published_at_us)
    return found
