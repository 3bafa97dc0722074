"""Which streams go over which connection. Pure and deterministic: the same settings give the same plan."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from services.producer.exchanges.base import Stream
from shared.events import Channel
from shared.partitioning import Shard, partition_of, symbol_key
from shared.topics import TRADES


@dataclass(frozen=True)
class Connection:
    """One socket's work. `exchange` is the name that its events travel under; trades never share with books."""

    name: str
    exchange: str
    streams: tuple[Stream, ...]

    @property
    def symbols(self) -> list[str]:
        """Its symbols, each once, in order."""
        return list(dict.fromkeys(stream.symbol for stream in self.streams))

    @property
    def carries_trades(self) -> bool:
        """Whether trades can be missed on it."""
        return any(stream.channel == "trade" for stream in self.streams)


def owned(symbols: Sequence[str], exchange: str, shard: Shard) -> list[str]:
    """The symbols of a shard: those of the trades partitions that it owns, so that a partition has one writer."""
    return [s for s in symbols if shard.owns(partition_of(symbol_key(exchange, s), TRADES.partitions))]


def connections(  # noqa: PLR0913  # every argument is one independent choice
    exchange: str,
    trade_exchange: str,
    *,
    shard: Shard,
    symbols: Sequence[str],
    book_symbols: Sequence[str],
    channels: Sequence[Channel],
    limit: int,
    first: int = 1,
) -> list[Connection]:
    """Trades on connections of their own, so that a burst of books never delays them; at most `limit` streams each.

    They are numbered from `first` on.
    """
    trades = [Stream("trade", s) for s in symbols if "trade" in channels]
    others = [Stream("ticker", s) for s in symbols if "ticker" in channels]
    others += [Stream("orderbook", s) for s in book_symbols if "orderbook" in channels]
    return [
        Connection(f"{name}-{shard.index}-{kind}-{number}", name, part)
        for name, kind, streams in ((trade_exchange, "trades", trades), (exchange, "books", others))
        for number, part in enumerate(_parts(streams, limit), first)
    ]


def _parts(streams: Sequence[Stream], limit: int) -> Iterator[tuple[Stream, ...]]:
    """Equal parts of at most `limit`, so that no connection carries much more than another."""
    count = -(-len(streams) // limit)
    for index in range(count):
        yield tuple(streams[index::count])
