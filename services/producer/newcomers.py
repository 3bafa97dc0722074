"""Opens connections for markets that appeared after the start; the next start plans them with all others."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from services.producer.catalogue import Market
from services.producer.exchanges.base import ExchangeAdapter
from services.producer.feed import Feed
from services.producer.plan import Connection
from services.producer.reading import Reading
from services.producer.session import Means

MOST_CONNECTIONS = 20
WHY = "the market was listed before it was subscribed"


class Newcomers:
    """`adapter` makes one that knows the given markets; `plan` takes symbols, those with books, and a first number.

    `cover` hears of every market that is read from now on.
    """

    def __init__(  # noqa: PLR0913, PLR0917  # what a plan is made from, and whom it tells
        self,
        reading: Reading,
        means: Means,
        clock_offset_us: int,
        adapter: Callable[[Sequence[Market]], ExchangeAdapter],
        plan: Callable[[Sequence[str], Sequence[str], int], list[Connection]],
        cover: Callable[[Sequence[Market]], None],
    ) -> None:
        self._reading, self._means, self._clock_offset_us = reading, means, clock_offset_us
        self._adapter, self._plan, self._cover = adapter, plan, cover
        self._added = 0

    def begin(self, markets: Sequence[Market], books: Sequence[str], since_us: int | None) -> bool:
        """Read them, and the books of some; False beyond the bound.

        What was traded from `since_us` on is told as a gap, for the exchange listed them after that.
        """
        symbols = [market.symbol for market in markets]
        plan = self._plan(symbols, books, len(self._reading.feeds) + 1)
        if self._added + len(plan) > MOST_CONNECTIONS:
            return False
        self._added += len(plan)
        means = replace(self._means, adapter=self._adapter(markets))
        heard_until_us = {} if since_us is None else dict.fromkeys(symbols, since_us)
        self._reading.begin(Feed(work, means, heard_until_us, self._clock_offset_us, WHY) for work in plan)
        self._cover(markets)
        return True
