"""How a position is spelled in Redis: ``position:{topic}``, one field a partition. Pure.

The field's value is ``<next offset> <generation> <topic id> <owner token>``. The next offset is ``-`` before the first
batch, the token is ``-`` when its owner gave up in good order. The generation begins the ids of stream entries; it is
raised when the topic is not the one it was, because offsets then begin anew and Redis would take every new id for an
old one.
"""

from dataclasses import dataclass, replace

from services.consumer.batch import Slice

OWNER_KEY = "position:owner:"
"""Followed by the token: a key that lives as long as its owner refreshes it."""
TALLY_KEY = "position:batches"
"""Hash of how many batches were acknowledged and how many perhaps not, by the first partition of who wrote them."""
BEGUN_KEY = "position:begun"
"""Hash of ``<begun> <early until>`` by partition (see `Position`); without a field, or with zeros, nothing is early."""
TALLY_KINDS = ACKNOWLEDGED, UNACKNOWLEDGED = "acknowledged:", "unacknowledged:"


@dataclass(frozen=True)
class Position:
    """Where one partition stands in Redis. `next_offset` is None before the first batch.

    `begun` is the generation with which the topic was made anew, 0 when it never was. It is kept beside (`BEGUN_KEY`),
    because a generation begins as well where Kafka lost its log's end, and there nothing was written early. All that
    was written early lies before the offset `early_until`: once the position is there, `begun` is 0 again.
    """

    next_offset: int | None
    generation: int
    topic_id: str
    owner: str
    begun: int = 0
    early_until: int = 0

    @classmethod
    def parse(cls, text: str) -> "Position":
        """Read the field's value. Raises ValueError when it is none of ours."""
        offset, generation, topic_id, owner = text.split(" ")
        return cls(None if offset == "-" else int(offset), int(generation), topic_id, owner)

    def __str__(self) -> str:
        offset = "-" if self.next_offset is None else self.next_offset
        return f"{offset} {self.generation} {self.topic_id} {self.owner}"

    def of_topic(self, begun: str) -> "Position":
        """The same position with its field of `BEGUN_KEY`."""
        generation, early_until = map(int, begun.split())
        return replace(self, begun=generation, early_until=early_until)

    def given_up(self) -> "Position":
        """The same position without an owner."""
        return replace(self, owner="-")

    def after(self, piece: Slice) -> "Position":
        """The position that `piece` leads to. Backwards means that Kafka lost its log's end: a new generation."""
        back = piece.next_offset < piece.first_offset
        begun = 0 if piece.next_offset >= self.early_until else self.begun
        return replace(self, next_offset=piece.next_offset, generation=self.generation + back, begun=begun)


def position_key(topic: str) -> str:
    """Key of the hash that holds the positions in `topic`."""
    return f"position:{topic}"
