"""What a sink is given: decoded records of several partitions, with the positions before and after them."""

from dataclasses import dataclass

from shared.events import Event


@dataclass(frozen=True)
class Slice:
    """Records of one partition in their order.

    The stored position must be `first_offset` before the write and becomes `next_offset` by it; records between the
    two that are not in `events` were unreadable and are dead letters already, or are of no market (`shared.canary`).
    """

    topic: str
    partition: int
    first_offset: int
    next_offset: int
    offsets: list[int]
    events: list[Event]


@dataclass(frozen=True)
class Batch:
    """Slices of distinct partitions; `id` names the batch in every line of the log that is about it, as `batch`."""

    id: str
    slices: tuple[Slice, ...]
