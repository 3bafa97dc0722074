"""What a sink must supply. ADDING.md says what else a new one takes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from aiokafka.structs import TopicPartition

from services.consumer.batch import Batch
from shared.errors import TapewatchError
from shared.events import Channel, Event
from shared.topics import Topic


class PositionMoved(TapewatchError):
    """The stored position is not the one that this process left there: another copy wrote, or the store lost data.

    Nothing was written. The process ends, and its next start reads the positions anew.
    """


class StoreFailed(TapewatchError):
    """The store refused or did not answer. The batch may be stored or not: the next start asks the store."""


@dataclass(frozen=True)
class Written:
    """What the store did with a batch, by topic name: rows that were new, and rows that it already held."""

    new: Mapping[str, int]
    repeated: Mapping[str, int]


@dataclass(frozen=True)
class Kept:
    """What a store keeps of a partition for good: events of `channel`, the newest one of `newest_us`, if any."""

    channel: Channel
    newest_us: int | None


@dataclass(frozen=True)
class Tally:
    """What came of all batches of these partitions since the store began, counted by the store itself.

    `unacknowledged`: processes that ended without giving up in good order. Each left at most one batch without an
    answer, so the share is never better than it was.
    """

    acknowledged: int = 0
    unacknowledged: int = 0

    @property
    def first_try(self) -> float | None:
        """Share of all batches that the store acknowledged at the first try; None before the first."""
        tried = self.acknowledged + self.unacknowledged
        return self.acknowledged / tried if tried else None


class Sink(Protocol):
    """One store. Position and data move in one atomic step by compare-and-set."""

    name: str
    topics: tuple[Topic, ...]
    is_record: bool
    """Whether it keeps for good, so that what it lost is told; False of a cache."""

    @property
    def is_standby(self) -> bool:
        """Whether `open` waits for another copy that lives."""
        ...

    @property
    def is_made_anew(self) -> bool:
        """Whether a topic was made anew: the store is then not empty though it has no position; after `open`."""
        ...

    @property
    def tally(self) -> Tally:
        """What came of the batches so far, those of earlier processes included; of use once `open` returned."""
        ...

    @property
    def answered(self) -> int:
        """How many requests of its writes the store has answered; each is bounded, and a batch may take many."""
        ...

    def refuses(self, event: Event) -> str | None:
        """Say why the store can never hold this valid event, None when it can. Pure; asked before the batch is made.

        Such an event becomes a dead letter with this reason. Without the question one record that the store refuses
        would end the process, be read again by the next one, and so on for ever.
        """
        ...

    async def open(self, topic_ids: Mapping[TopicPartition, str]) -> Mapping[TopicPartition, int | None]:
        """Take ownership of the partitions, in standby while another copy holds one of them; return the positions.

        `topic_ids` gives Kafka's id of each partition's topic: a position that was stored under another id belongs
        to a topic that is no more, and counts as None (the generation is raised). None means: from the log's start.
        Raises Unreachable when the store is away for too long, WrongUse when it refuses us.
        """
        ...

    async def write(self, batch: Batch) -> Written:
        """Store the batch and its positions, or nothing. Returns when durable; raises PositionMoved."""
        ...

    async def kept(self, place: TopicPartition) -> Kept | None:
        """What the store keeps of the partition for good, and lacks for good where Kafka lost it; after `open`.

        None where it is a cache, or where what is lost is no market's.
        """
        ...

    async def refresh(self) -> None:
        """Called about once a second when there is nothing to write: keep the ownership alive. Raises PositionMoved."""
        ...

    async def close(self) -> None:
        """Give up ownership and disconnect; not in good order, for the store to count, if a write got no answer."""
        ...
