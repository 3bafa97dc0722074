"""Who listens to what, and the one place where a message becomes published: sent to its listeners, logged as truth."""

from collections import Counter
from collections.abc import Callable, Iterable

from services.simulator.connection import Connection, Message
from services.simulator.framing import BINARY, TEXT
from services.simulator.publication import Key, Publication, Variant
from services.simulator.truth_log import TruthLog

OPCODES = {"upbit": BINARY}
TRUTH_CHANNELS = ("trade", "ticker", "orderbook")
UNHEARD_DEPTH = 5
DepthOf = Callable[[Variant], int]


class Feed:
    """One channel of one symbol: its listeners by the way they are told, and the last thing said."""

    __slots__ = ("audience", "deaf", "key", "last", "renamed", "silent", "twice")

    def __init__(self, key: Key) -> None:
        self.key = key
        self.audience: dict[Variant, list[Connection]] = {}
        self.last: Publication | None = None
        self.silent = False
        self.deaf: frozenset[Connection] = frozenset()
        """Connections that hear it no more, though they are subscribed."""
        self.twice = False
        self.renamed: tuple[bytes, bytes] | None = None

    def payload(self, publication: Publication, variant: Variant) -> bytes:
        """A message's bytes for a kind of subscriber, a field renamed when a fault says so."""
        told = publication.payload(variant)
        return told if self.renamed is None else told.replace(*self.renamed)


class Hub:
    """The subscriptions of every connection. `depth_of` tells how many levels a variant of a book shows."""

    def __init__(self, truth: TruthLog, depth_of: DepthOf, now_us: Callable[[], int]) -> None:
        self._truth = truth
        self._depth_of = depth_of
        self._now_us = now_us
        self._feeds: dict[Key, Feed] = {}
        self._to_flush: dict[Connection, None] = {}
        self.published: Counter[str] = Counter()
        self.unheard: Counter[str] = Counter()

    def offer(self, keys: Iterable[Key]) -> None:
        """List what can be heard here at all."""
        for key in keys:
            self._feeds.setdefault(key, Feed(key))

    def feed(self, key: Key) -> Feed | None:
        """The feed of a channel and symbol that is offered, else None."""
        return self._feeds.get(key)

    def forget(self, exchange: str, symbol: str) -> None:
        """Leave nothing of a market for those who subscribe later, under any name that its exchange goes by."""
        for key, feed in self._feeds.items():
            if key[0].removesuffix("_agg") == exchange and key[2] == symbol:
                feed.last = None

    def feeds(self) -> Iterable[Feed]:
        """Every feed that is offered."""
        return self._feeds.values()

    def join(self, key: Key, variant: Variant, connection: Connection) -> bool:
        """Let a connection hear a feed from now on. False when it is not offered."""
        feed = self._feeds.get(key)
        if feed is None:
            return False
        listeners = feed.audience.setdefault(variant, [])
        if connection not in listeners:
            listeners.append(connection)
        return True

    def leave(self, connection: Connection, key: Key | None = None, variant: Variant | None = None) -> None:
        """Stop a connection hearing one variant of a feed, a whole feed, or everything."""
        feeds = self._feeds.values() if key is None else [self._feeds[key]] if key in self._feeds else []
        for feed in feeds:
            for told, listeners in list(feed.audience.items()):
                if connection in listeners and variant in (None, told):
                    listeners.remove(connection)
                    if not listeners:
                        del feed.audience[told]

    def subscriptions(self) -> int:
        """How many different (exchange, channel, symbol) of the three channels somebody hears."""
        return sum(1 for feed in self._feeds.values() if feed.audience and feed.key[1] in TRUTH_CHANNELS)

    def hears(self, key: Key) -> bool:
        """Whether anybody is subscribed to a feed."""
        feed = self._feeds.get(key)
        return bool(feed and feed.audience)

    def publish(self, publication: Publication) -> None:
        """Say it to everyone who listens right now, and write it down."""
        exchange, channel, symbol = key = publication.key
        feed = self._feeds[key]
        feed.last = publication
        published_at_us = self._now_us()
        heard, depth = self._say(feed, publication)
        self.published[channel] += 1
        if not heard:
            self.unheard[channel] += 1
        self._truth.write(
            f'{{"exchange":"{exchange}","channel":"{channel}","symbol":"{symbol}",{publication.truth(depth)},'
            f'"published_at_us":{published_at_us},"heard":{heard}}}\n'
        )

    def say(self, publication: Publication) -> None:
        """Say something that is no news of the three channels: it has no place in the truth log."""
        feed = self._feeds.get(publication.key)
        if feed is not None and feed.audience:
            self._say(feed, publication)

    def flush(self) -> None:
        """Let everything said so far leave."""
        for connection in self._to_flush:
            connection.flush()
        self._to_flush.clear()

    def _say(self, feed: Feed, publication: Publication) -> tuple[int, int]:
        """Send to the whole audience; give how many connections took it, and the deepest book among them."""
        if not feed.audience or feed.silent:
            return 0, UNHEARD_DEPTH
        opcode = OPCODES.get(feed.key[0], TEXT)
        took: list[Connection] = []
        depth = 0
        for variant, listeners in feed.audience.items():
            message = Message(opcode, feed.payload(publication, variant))
            for connection in listeners:
                if connection not in feed.deaf and connection.send(message):
                    took.append(connection)
                    self._to_flush[connection] = None
                    if feed.twice:
                        connection.send(message)
            depth = max(depth, self._depth_of(variant))
        heard = len(took) if len(feed.audience) == 1 else len(set(took))
        return heard, depth if heard else UNHEARD_DEPTH
