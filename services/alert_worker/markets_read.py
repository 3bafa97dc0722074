"""Which markets of an exchange are read, as the producers' trade connections say. Pure.

Each says what it carries when it stands, and again and again from then on.
"""

from shared.events import FeedEvent

UNREAD_AFTER_US = 1_800_000_000
"""Connections repeat that they stand in turn, each 5 minutes, or 10 while Kafka is slow: who misses several is read no
more."""


class MarketsRead:
    """Of one exchange."""

    def __init__(self) -> None:
        self._carried: dict[str, tuple[str | None, int]] = {}
        """By symbol, the connection that last said it carries it, and when; 0 when it carries it no more."""
        self._gone: set[str] = set()
        self._first_us = self._newest_us = 0

    def hear(self, event: FeedEvent) -> None:
        """A record of the feed topic, in its order."""
        symbols = set(event.symbols or ())
        if event.kind == "gone":
            self._gone |= symbols
        elif event.kind == "listed":
            self._gone -= symbols
        elif event.kind == "connected" and event.channel == "trade" and event.symbols is not None:
            self._first_us = self._first_us or event.at_us
            self._newest_us = event.at_us
            if event.to_us is None:  # one that stands leaves out those that are stalled
                dropped = {one for one, (carrier, _) in self._carried.items() if carrier == event.connection}
                self._carried |= dict.fromkeys(dropped, (event.connection, 0))
            self._carried |= dict.fromkeys(symbols, (event.connection, event.at_us))

    def has(self, symbol: str) -> bool:
        """Whether a market is read; so is one of which nobody could have said yet that it is."""
        _, at_us = self._carried.get(symbol, (None, self._first_us))
        return symbol not in self._gone and self._newest_us - at_us <= UNREAD_AFTER_US
