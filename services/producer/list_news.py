"""Tells what a newer list of the exchange changed, and lets what is new and asked for be read at once."""

from collections.abc import Callable, Iterable, Sequence

import structlog

from services.producer import catalogue
from services.producer.catalogue import Market
from services.producer.market_list import Changes
from services.producer.newcomers import Newcomers
from services.producer.publisher import Publisher
from services.producer.selection import Selection
from shared.clock import NowMicros
from shared.events import FeedEvent, FeedKind
from shared.partitioning import symbol_key
from shared.topics import INSTRUMENTS

READ_NOW = "listed: read from now on"
READ_LATER = "listed: read after the producer's next start, which has opened connections enough for new markets"
NOT_READ = "listed: not read, the settings do not ask for it or choose by turnover at the start"
GONE = "the exchange does not list it any more, or no longer trades it"
log = structlog.get_logger(__name__)


class ListNews:
    """Of the markets that are read, and of new and leaving ones that are traded for the same currencies.

    `exchanges` are the names that records go under; `owns` says which symbols are this shard's.
    """

    def __init__(  # noqa: PLR0913, PLR0917  # what it knows, and whom it tells
        self,
        selection: Selection,
        publisher: Publisher,
        exchanges: Sequence[str],
        owns: Callable[[str], bool],
        newcomers: Newcomers,
        now: NowMicros,
    ) -> None:
        self._selection, self._publisher, self._exchanges = selection, publisher, exchanges
        self._owns, self._newcomers, self._now = owns, newcomers, now
        self._quotes = {market.quote for market in selection.markets}
        self._read = {symbol for symbol in selection.symbols if owns(symbol)}
        self._told = set(self._read)

    async def take(self, changes: Changes) -> None:
        """Publish, tell and begin what follows from a list, and keep it for bad days."""
        if not any(changes):
            return
        listed, gone = self._of_ours(changes.listed), self._of_ours(changes.gone)
        new = [m for m in self._of_ours((*changes.listed, *changes.other)) if self._is_to_be_read(m)]
        self._told |= {market.symbol for market in (*listed, *new)}
        other = [market for market in changes.other if market.symbol in self._told]
        publish_instruments(self._publisher, (*listed, *other), self._exchanges, self._now())
        publish_instruments(self._publisher, gone, self._exchanges, self._now(), are_gone=True)
        books = [market.symbol for market in new if self._selection.takes_book(market)]
        has_begun = not new or self._newcomers.begin(new, books, self._selection.known.before_us)
        self._read |= {market.symbol for market in new if has_begun}
        self._read -= {market.symbol for market in gone}
        asked = {market.symbol for market in new}
        self._announce("listed", READ_NOW if has_begun else READ_LATER, new)
        self._announce("listed", NOT_READ, [market for market in listed if market.symbol not in asked])
        self._announce("gone", GONE, gone)
        await self._selection.keep()

    def _of_ours(self, markets: Iterable[Market]) -> list[Market]:
        return [market for market in markets if market.quote in self._quotes and self._owns(market.symbol)]

    def _is_to_be_read(self, market: Market) -> bool:
        return market.symbol not in self._read and self._selection.takes(market)

    def _announce(self, kind: FeedKind, reason: str, markets: Sequence[Market]) -> None:
        if not markets:
            return
        symbols = [market.symbol for market in markets]
        log.warning("the exchange's list changed", exchange=self._exchanges[0], reason=reason, symbols=symbols)
        for exchange in self._exchanges:
            event = FeedEvent(kind=kind, exchange=exchange, reason=reason, at_us=self._now(), symbols=symbols)
            self._publisher.announce(event)


def publish_instruments(
    publisher: Publisher, markets: Iterable[Market], exchanges: Iterable[str], at_us: int, *, are_gone: bool = False
) -> None:
    """What is known of each market, under every name that its exchange's records go by."""
    names = list(exchanges)
    for market in markets:
        for exchange in names:
            record = catalogue.instrument(market, exchange, at_us, is_gone=are_gone)
            publisher.put(INSTRUMENTS, symbol_key(exchange, market.symbol), record)
