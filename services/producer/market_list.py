"""What an exchange lists, and what a newer list of it changes. Pure.

A market that is missing counts as gone when two lists in a row lack it: one that is cut short takes nothing away.
One that appears without a spot side is left out until it has one; the first list of all is taken whole, for what was
switched off before we looked may come back.
"""

from collections.abc import Sequence
from typing import NamedTuple

from msgspec.structs import replace

from services.producer.catalogue import Market


class Changes(NamedTuple):
    """What a list changed: markets that appeared, that left, and those of which the exchange says something else."""

    listed: tuple[Market, ...] = ()
    gone: tuple[Market, ...] = ()
    other: tuple[Market, ...] = ()


class MarketList:
    """All markets by the newest list, and those that are missing from it alone."""

    def __init__(self, markets: Sequence[Market] = ()) -> None:
        self._markets = {market.symbol: market for market in markets}
        self._missing: set[str] = set()
        self._read_at_us: int | None = None
        self.before_us: int | None = None
        """When the list before the newest was read, by this process."""

    @property
    def markets(self) -> list[Market]:
        """Everything that is not gone for certain."""
        return list(self._markets.values())

    def renew(self, fresh: Sequence[Market], at_us: int) -> Changes:
        """Take in a whole list that was read at `at_us`. The first one of all changes nothing."""
        known = self._markets
        newest = {market.symbol: market for market in fresh if market.spot or not known or market.symbol in known}
        dated = [self._dated(market, at_us) for market in newest.values()]
        absent = [market for symbol, market in known.items() if symbol not in newest]
        gone = tuple(market for market in absent if market.symbol in self._missing)
        changes = Changes(
            listed=tuple(market for market in dated if known and market.symbol not in known),
            gone=gone,
            other=tuple(market for market in dated if known.get(market.symbol, market) != market),
        )
        self.before_us, self._read_at_us = self._read_at_us, at_us
        self._missing = {market.symbol for market in absent if market not in gone}
        kept = [known[symbol] for symbol in known if symbol in self._missing]
        self._markets = {market.symbol: market for market in (*dated, *kept)}
        return changes

    def _dated(self, market: Market, at_us: int) -> Market:
        """When it appeared stays with it for as long as it is listed."""
        before = self._markets.get(market.symbol)
        if before is not None:
            return replace(market, listed_at_us=before.listed_at_us)
        return replace(market, listed_at_us=at_us if self._markets else None)
