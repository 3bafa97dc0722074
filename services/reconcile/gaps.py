"""Which missing publications a recorded gap explains."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

EVERY_EXCHANGE = "*"


@dataclass(frozen=True)
class Gap:
    """Between `from_us` and `to_us` (None: not over) events may be missing. None in a field means all."""

    exchange: str
    channel: str | None
    symbols: frozenset[str] | None
    from_us: int | None
    to_us: int | None
    closed: bool = False

    def explains(self, channel: str, symbol: str, at_us: int) -> bool:
        """Say whether an event of this gap's exchange, published at `at_us`, may be missing.

        A gap of a market's trades explains its last ticker and book too: gaps are told of trades alone, and a
        producer that was killed heard nothing at all.
        """
        return (
            self.channel in (None, "trade", channel)
            and (self.symbols is None or symbol in self.symbols)
            and (self.from_us is None or self.from_us <= at_us)
            and (self.to_us is None or at_us <= self.to_us)
        )


Span = tuple[int, int]
"""From when to when, both included, in microseconds UTC."""


class Gaps:
    """All recorded gaps; with `only_within`, they explain nothing that was published outside of these spans.

    Who knows when a producer was really away gives those, so that one that is deaf finds no excuse in its own gaps.
    """

    def __init__(self, gaps: Iterable[Gap] = (), only_within: Sequence[Span] | None = None) -> None:
        self._only_within = only_within
        self._of_exchange: dict[str, list[Gap]] = {}
        self.open = self.closed = 0
        for gap in gaps:
            self._of_exchange.setdefault(gap.exchange, []).append(gap)
            self.closed += gap.closed
            self.open += not gap.closed

    def explain(self, exchange: str, channel: str, symbol: str, at_us: int) -> bool:
        """Say whether some open gap explains that this event is missing; a closed one was filled."""
        if self._only_within is not None and not any(first <= at_us <= last for first, last in self._only_within):
            return False
        gaps = [*self._of_exchange.get(exchange, ()), *self._of_exchange.get(EVERY_EXCHANGE, ())]
        return any(not gap.closed and gap.explains(channel, symbol, at_us) for gap in gaps)
