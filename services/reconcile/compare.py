"""Expected against found: what is lost, doubled, out of order or wrong. Sets of ids, exact values, order of arrival."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from services.reconcile.facts import Found, Published, book_head, same_book

Explained = Callable[[Published], bool]
"""Says whether a recorded gap explains that this publication is missing."""


@dataclass
class Counts:
    """How one store did on one channel. `expected` are publications, `found` those of them that are there."""

    expected: int = 0
    found: int = 0
    lost: int = 0
    duplicated: int = 0
    out_of_order: int = 0
    wrong: int = 0

    def add(self, other: "Counts") -> None:
        """Sum up symbols."""
        self.expected += other.expected
        self.found += other.found
        self.lost += other.lost
        self.duplicated += other.duplicated
        self.out_of_order += other.out_of_order
        self.wrong += other.wrong


@dataclass
class TradesInKafka:
    """The trades of one symbol in its partition."""

    counts: Counts
    unheard: int
    arrived: dict[str, list[Found]]
    """Every copy of each published trade, by id: what the stores may hold."""


def trades_in_kafka(published: Mapping[str, Published], found: Iterable[Found], explained: Explained) -> TradesInKafka:
    """Compare one symbol's log with the truth.

    Order is that of first occurrences: a repeat (overlapping connections, a snapshot after a reconnect) says nothing
    new, and a backfilled trade comes late by nature. An id that was never published is wrong.
    """
    result = TradesInKafka(Counts(expected=len(published)), 0, {})
    counts, newest = result.counts, -1
    for copy in found:
        truth = published.get(copy.id)
        if truth is None:
            counts.wrong += 1
            continue
        counts.wrong += copy.facts != truth.facts
        copies = result.arrived.setdefault(copy.id, [])
        copies.append(copy)
        if len(copies) > 1:
            counts.duplicated += 1
        elif not copy.backfilled:
            counts.out_of_order += truth.order < newest
            newest = max(newest, truth.order)
    counts.found = len(result.arrived)
    for trade_id, truth in published.items():
        if trade_id not in result.arrived:
            is_explained = explained(truth)
            counts.lost += not is_explained
            result.unheard += is_explained or not truth.heard
    return result


def trades_in_store(
    expected: Mapping[str, Published],
    found: Sequence[Found],
    arrived: Mapping[str, list[Found]],
    published: Mapping[str, Published],
    *,
    ordered: bool,
) -> Counts:
    """Compare what a store holds of one symbol with the publications that it must hold, each exactly once.

    A trade must agree with the truth, and in what the truth cannot know with some copy that Kafka holds. `published`
    is everything: what is there without being `expected` (any more) is no fault, what was never published is wrong.
    """
    counts = Counts(expected=len(expected))
    seen: set[str] = set()
    newest = -1
    for row in found:
        truth = published.get(row.id)
        if truth is None or row.facts != truth.facts or not _came_from(row, arrived.get(row.id, ())):
            counts.wrong += 1
        if truth is None:
            continue
        if row.id in seen:
            counts.duplicated += 1
            continue
        seen.add(row.id)
        if ordered and not _backfilled(arrived.get(row.id, ())):
            counts.out_of_order += truth.order < newest
            newest = max(newest, truth.order)
    counts.found = sum(trade_id in expected for trade_id in seen)
    counts.lost = counts.expected - counts.found
    return counts


def newest_trades(expected: Mapping[str, Published], cap: int, held: int) -> dict[str, Published]:
    """What a stream of one symbol must still hold: its newest `cap` trades, or as many as it does hold beyond that."""
    kept = max(min(cap, len(expected)), held)
    return dict(list(expected.items())[len(expected) - kept :])


def _came_from(row: Found, copies: Collection[Found]) -> bool:
    return not copies or any(row.received_at_us == copy.received_at_us for copy in copies)


def _backfilled(copies: Sequence[Found]) -> bool:
    return bool(copies) and copies[0].backfilled


@dataclass
class StatesInKafka:
    """The tickers or books of one symbol in its partition: newest wins, so not every one must arrive."""

    counts: Counts
    unheard: int = 0
    conflated: int = 0
    arrived: dict[int, list[Found]] = field(default_factory=dict)
    """Copies by the truth's `order`."""


def states_in_kafka(
    published: Sequence[Published], found: Iterable[Found], explained: Explained, depths: frozenset[int] | None = None
) -> StatesInKafka:
    """Compare one symbol's tickers, or books where `depths` is given (see `facts.same_book`), with the truth.

    They carry no id, so each copy is matched by everything it says: with the next publication of that content, so
    that equal ones in a row are told apart by their order; a repeat is one of the last of them. One that is missing
    was conflated if a newer one of its symbol arrived, and is lost otherwise.
    """
    result = StatesInKafka(Counts(expected=len(published)))
    matcher = _Matcher(published, depths)
    newest = -1
    for copy in found:
        candidates = matcher.orders(copy)
        if not candidates:
            result.counts.wrong += 1
            continue
        fresh = [order for order in candidates if order not in result.arrived]
        order = next((order for order in fresh if order > newest), (fresh or candidates[-1:])[0])
        result.counts.duplicated += not fresh
        result.counts.out_of_order += bool(fresh) and order < newest
        result.arrived.setdefault(order, []).append(copy)
        newest = max(newest, order)
    result.counts.found = len(result.arrived)
    for state in published:
        if state.order not in result.arrived:
            _count_missing(result, state, newest, explained)
    return result


def _count_missing(result: StatesInKafka, state: Published, newest: int, explained: Explained) -> None:
    is_last = state.order > newest
    is_explained = is_last and explained(state)
    if not state.heard or is_explained:
        result.unheard += 1
    elif not is_last:
        result.conflated += 1
    result.counts.lost += is_last and not is_explained


class _Matcher:
    """Finds the publications that a copy can be."""

    def __init__(self, published: Sequence[Published], depths: frozenset[int] | None) -> None:
        self._depths = depths
        self._by_key: dict[str, list[Published]] = {}
        for state in published:
            self._by_key.setdefault(self._key(state.facts), []).append(state)

    def orders(self, copy: Found) -> list[int]:
        """Places in the truth's order, ascending."""
        candidates = self._by_key.get(self._key(copy.facts), ())
        depths = self._depths
        if depths is None:
            return [state.order for state in candidates]
        return [state.order for state in candidates if same_book(state.facts, copy.facts, depths, state.heard)]

    def _key(self, facts: str) -> str:
        return facts if self._depths is None else book_head(facts)
