"""From when to when trades may be missing, said so that nothing missing lies outside. Pure.

A trade that is missing was published after the last one that Kafka holds of its symbol, and before the exchange
confirmed the next subscription. Two clocks tell when that was, ours and the exchange's; a gap covers both.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from shared.events import FeedEvent, Trade
from shared.partitioning import partition_of, symbol_key
from shared.topics import TRADES

STANDS = "it stands"
"""Why `connected` is said again of a connection: until its `to_us` nothing of its symbols is missing."""
NOT_RUNNING = "the producer was not running"
FORGOTTEN = f"{NOT_RUNNING}, and for some symbols nothing tells since when"
LATE_US = 2_000_000
"""Upbit sends trades up to two seconds late, and clocks differ by about as much."""

CLOCK_BACK_US = 3_600_000_000
"""As long a gap is where our clock was set back meanwhile, and nobody knows by how much."""


@dataclass(frozen=True)
class Heard:
    """The times of a trade that was heard, by our clock and by the exchange's."""

    received_at_us: int
    traded_at_us: int

    def complete_until_us(self, clock_offset_us: int) -> int:
        """Up to when, by our clock, everything before this trade has come too.

        A line that lags brings trades long after they were published: what followed them is missing from then on,
        and not only from when this one came.
        """
        return min(self.received_at_us, self.traded_at_us + clock_offset_us)


@dataclass
class Tail:
    """What Kafka's end tells about one exchange.

    `last`: each symbol's last stream trade. `connected_us`: when each symbol's connection last was confirmed; what was
    missed before that has its gap already. `stands_us`: up to when it was said to stand, which is said of all again and
    again. `together`: the symbols of that connection.
    `forgotten_us`: from when on those may be missing of which nothing was found; None: they were never subscribed.
    """

    last: dict[str, Heard] = field(default_factory=dict)
    connected_us: dict[str, int] = field(default_factory=dict)
    stands_us: dict[str, int] = field(default_factory=dict)
    together: dict[str, tuple[str, ...]] = field(default_factory=dict)
    forgotten_us: int | None = None

    @property
    def why(self) -> str:
        """The reason of the gaps that end with the first connections."""
        return NOT_RUNNING if self.forgotten_us is None else FORGOTTEN

    def clock_offset_us(self) -> int:
        """How far the exchange's clock is behind ours; large when an old recording is played. Never negative.

        The smallest difference seen: repeats of an old trade after a subscription look older than they are.
        """
        return max(0, min((h.received_at_us - h.traded_at_us for h in self.last.values()), default=0))

    def heard_until_us(self, exchange: str, symbol: str) -> int | None:
        """Up to when nothing of this symbol is missing in Kafka; None when it was never subscribed.

        Where it has no trade of its own in the tail, one of its connection and partition speaks for it: what came
        before that on one line was written before that into one partition. That the tail of the trades begins later
        than the last connection proves nothing: the producer may have ended in between, and another filled it. That its
        connection stood proves nothing against a trade of its own: it may have stalled while the others went on.
        """
        offset_us, partition = self.clock_offset_us(), _partition(exchange, symbol)
        witnesses = [symbol] if symbol in self.last else self.together.get(symbol, ())
        heard_us = [
            self.last[one].complete_until_us(offset_us)
            for one in witnesses
            if one in self.last and _partition(exchange, one) == partition
        ]
        if symbol in self.connected_us:
            heard_us.append(self.connected_us[symbol])
        if symbol in self.stands_us and symbol not in self.last:
            heard_us.append(self.stands_us[symbol])
        return max(heard_us, default=self.forgotten_us)


def _partition(exchange: str, symbol: str) -> int:
    return partition_of(symbol_key(exchange, symbol), TRADES.partitions)


@dataclass(frozen=True)
class Gap:
    """Trades of these symbols may be missing between the two times, both included."""

    symbols: tuple[str, ...]
    from_us: int
    to_us: int


def missed_since(heard_until_us: Mapping[str, int], confirmed_at_us: int) -> dict[str, int]:
    """Of which symbols something may be missing when a subscription was confirmed, and since when, by our clock.

    Of none that was heard until that very moment. What was heard after it, was heard before our clock was set back.
    """
    return {
        symbol: us if us < confirmed_at_us else confirmed_at_us - CLOCK_BACK_US
        for symbol, us in heard_until_us.items()
        if us != confirmed_at_us
    }


def gaps_after(
    heard_until_us: Mapping[str, int], clock_offset_us: int, confirmed_at_us: int, early: Iterable[object] = ()
) -> list[Gap]:
    """The gaps that end with a confirmed subscription.

    `heard_until_us` by symbol, our clock. `early`: what came on the new connection before it was confirmed; its
    trades are not missing, and show where the exchange's clock is. Symbols are put together when the length of
    their gaps is about the same, within a factor of two, so that a start writes a handful and not hundreds.
    """
    traded = (event.traded_at_us for event in early if isinstance(event, Trade))
    to_us = max(confirmed_at_us, max(traded, default=0)) + LATE_US
    by_length: dict[int, list[str]] = {}
    for symbol, heard_us in heard_until_us.items():
        by_length.setdefault((max(0, confirmed_at_us - heard_us) // 1_000_000).bit_length(), []).append(symbol)
    return [
        Gap(
            tuple(sorted(symbols)),
            max(0, min(heard_until_us[symbol] for symbol in symbols) - clock_offset_us - LATE_US),
            to_us,
        )
        for _, symbols in sorted(by_length.items())
    ]


def gap_event(gap: Gap, exchange: str, connection: str | None, reason: str, at_us: int) -> FeedEvent:
    """A gap as the record that the stores and the auditor read."""
    return FeedEvent(
        kind="gap",
        exchange=exchange,
        channel="trade",
        symbols=list(gap.symbols),
        connection=connection,
        from_us=gap.from_us,
        to_us=gap.to_us,
        reason=reason,
        at_us=at_us,
    )


class Dropped:
    """What was given up because Kafka was away for too long, as one gap; bounded by the number of symbols."""

    def __init__(self) -> None:
        self._symbols: set[str] = set()
        self._from_us = self._to_us = 0

    def note(self, trade: Trade) -> None:
        """One trade is lost."""
        first, last = sorted((trade.traded_at_us, trade.received_at_us))
        self._add((trade.symbol,), first, last)

    def note_gap(self, event: FeedEvent) -> None:
        """The record of a gap of these symbols cannot be kept for itself."""
        self._add(event.symbols or (), event.from_us or 0, event.to_us or 0)

    def _add(self, symbols: Iterable[str], from_us: int, to_us: int) -> None:
        self._from_us = min(self._from_us, from_us) if self._symbols else from_us
        self._to_us = max(self._to_us, to_us)
        self._symbols.update(symbols)

    def __bool__(self) -> bool:
        return bool(self._symbols)

    def gap(self) -> Gap:
        """Everything noted since the last call, as one gap. Call it only when something was noted."""
        gap = Gap(tuple(sorted(self._symbols)), max(0, self._from_us - LATE_US), self._to_us)
        self._symbols, self._to_us = set(), 0
        return gap


def note_connected(tail: Tail, events: Sequence[FeedEvent], exchange: str) -> None:
    """Add what the feed topic says about connections; `events` in any order, since the newest counts."""
    for event in events:
        if event.kind == "connected" and event.channel == "trade" and event.exchange == exchange:
            known, at_us = (tail.connected_us, event.at_us) if event.to_us is None else (tail.stands_us, event.to_us)
            symbols = tuple(event.symbols or ())
            newest = [one for one in symbols if at_us >= max(tail.connected_us.get(one, 0), tail.stands_us.get(one, 0))]
            tail.together |= dict.fromkeys(newest, symbols)
            known |= {symbol: max(at_us, known.get(symbol, 0)) for symbol in symbols}
