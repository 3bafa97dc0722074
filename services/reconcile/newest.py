"""Newest-wins states: the one that Redis must hold for each symbol, compared with the one that it holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.reconcile.facts import Found, Published, same_book


@dataclass
class Newest:
    """`stale`: holds an older publication. `wrong`: holds something that was never published, or nothing."""

    expected: int = 0
    stale: int = 0
    wrong: int = 0

    def add(self, other: "Newest") -> None:
        """Sum up symbols."""
        self.expected += other.expected
        self.stale += other.stale
        self.wrong += other.wrong


def newest_in_store(
    published: Sequence[Published],
    arrived: Mapping[int, list[Found]],
    held: Found | None,
    depths: frozenset[int] | None = None,
) -> Newest:
    """Compare what is held of one symbol with its newest publication that reached Kafka, by its copies in `arrived`.

    Newest is by the exchange's time, then its sequence, then the order of publication. The store lets no time count
    for more than a minute ahead of its receipt; no simulated exchange goes so far. Whether the newest of all may be
    missing from Kafka is Kafka's own count.
    """
    able = [state for state in published if state.order in arrived]
    if not able:
        return Newest(wrong=held is not None and not _is_one_of(published, held, depths))
    newest = max(able, key=age_key)
    if held is None or not _is_one_of(published, held, depths):
        return Newest(expected=1, wrong=1)
    if not _is_one_of([newest], held, depths):
        return Newest(expected=1, stale=1)
    came = any(copy.received_at_us == held.received_at_us for copy in arrived[newest.order])
    return Newest(expected=1, wrong=not came)


def age_key(state: Published) -> tuple[int, int, int]:
    """What "newest" means, from the facts of a ticker (time first) or a book (sequence, then time)."""
    head, is_book, _ = state.facts.partition("|")
    if not is_book:
        return int(head.split(" ", 1)[0]), 0, state.order
    sequence, event_at_us = head.split(" ")
    return (0 if event_at_us == "-" else int(event_at_us)), (0 if sequence == "-" else int(sequence)), state.order


def _is_one_of(states: Sequence[Published], held: Found, depths: frozenset[int] | None) -> bool:
    if depths is None:
        return any(state.facts == held.facts for state in states)
    return any(same_book(state.facts, held.facts, depths, state.heard) for state in states)
