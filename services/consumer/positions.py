"""Where to start reading a partition, from what the store remembers and what the log still holds. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.consumer.decode import TopicAndPartition


@dataclass(frozen=True)
class Bounds:
    """The log of one partition: first offset that is kept, and offset of the next record to come."""

    start: int
    end: int


@dataclass(frozen=True)
class Outside:
    """A stored position that the log does not reach: records from `stored` on are gone, unread.

    Or of a store that forgot its position, `stored` being the one that was committed to Kafka as advice: what the log
    no longer has is then neither there nor here.
    """

    topic: str
    partition: int
    stored: int
    bounds: Bounds
    is_forgotten: bool = False

    @property
    def reason(self) -> str:
        """What is missing, for people. Offsets `stored` up to and without the log's start; or the log was cut."""
        where = f"{self.topic} partition {self.partition}"
        if self.is_forgotten:
            return (
                f"{where}: the store remembers nothing, though its consumer had come to offset {self.stored}; "
                f"Kafka no longer has what was before offset {self.bounds.start}"
            )
        if self.stored < self.bounds.start:
            return f"{where}: offsets {self.stored} to {self.bounds.start - 1} were deleted before they were read"
        return (
            f"{where}: Kafka lost its log from offset {self.bounds.end} on, of which {self.stored} had been read; "
            f"reading again from offset {self.bounds.start}"
        )


@dataclass(frozen=True)
class Starts:
    """Offset to start at by partition, and the partitions whose stored position lies outside the log."""

    offsets: Mapping[TopicAndPartition, int]
    outside: tuple[Outside, ...]


def went_back(
    stored: Mapping[TopicAndPartition, int | None],
    advised: Mapping[TopicAndPartition, int],
    begun: Mapping[TopicAndPartition, int],
) -> Mapping[TopicAndPartition, int]:
    """Records by partition that the store had once and has no more, by what was committed to Kafka when it had them.

    A store that was restored from a back-up, or lost its last second with the power. One that remembers nothing stands
    where it has `begun`; without that it is a cache, which is filled again and says so in the log.
    """
    stands = {key: begun.get(key) if position is None else position for key, position in stored.items()}
    behind = {key: advised.get(key, 0) - position for key, position in stands.items() if position is not None}
    return {key: records for key, records in behind.items() if records > 0}


def starts(
    stored: Mapping[TopicAndPartition, int | None],
    bounds: Mapping[TopicAndPartition, Bounds],
    refill: Mapping[TopicAndPartition, int],
    advised: Mapping[TopicAndPartition, int],
) -> Starts:
    """Decide for every partition: its stored position; without one, `refill` where given, else the log's start.

    A stored position outside the log starts at the log's start too, and is told apart so that nobody misses it. So is
    a position that is gone though `advised` shows that there was one, where Kafka deleted records since the log began.
    """
    offsets: dict[TopicAndPartition, int] = {}
    outside: list[Outside] = []
    for key, position in stored.items():
        log = bounds[key]
        if position is None:
            offsets[key] = refill.get(key, log.start)
            if log.start and (once := advised.get(key, log.start)) != log.start:
                outside.append(Outside(*key, once, log, is_forgotten=True))
        elif log.start <= position <= log.end:
            offsets[key] = position
        else:
            offsets[key] = log.start
            outside.append(Outside(*key, position, log))
    return Starts(offsets, tuple(outside))
