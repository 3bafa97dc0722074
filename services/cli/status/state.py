"""What is shown of a running deployment, as plain values. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import floor


@dataclass(frozen=True)
class Flow:
    """One topic in Kafka: offsets that were given out so far, and how many a second since the look before, if any."""

    topic: str
    records: int
    per_s: float | None


@dataclass(frozen=True)
class TopicLag:
    """One topic in one store: the sum of its positions, and how many records Kafka has beyond them.

    `retention_ratio`: age of the oldest of these as a share of what Kafka keeps; at 1 records are lost to the store.
    """

    store: str
    topic: str
    position: int
    behind: int
    retention_ratio: float


@dataclass(frozen=True)
class NewestTrade:
    """The newest trade of one exchange in one store, by our stamp of its arrival."""

    store: str
    exchange: str
    age_s: float


@dataclass(frozen=True)
class Delay:
    """How long after a moment a store had everything that Kafka held at it; None: longer than was waited for."""

    store: str
    ms: float | None


@dataclass(frozen=True)
class Reach:
    """How far back Redis holds every trade of an exchange; `symbol` is the market that it holds for the shortest."""

    exchange: str
    symbol: str
    trades: int
    age_s: float


@dataclass(frozen=True)
class Success:
    """Batches that a store was given since it began, restarts included, and how many it acknowledged at the first try.

    A consumer that ended without giving up in good order counts as one batch that was not. `percent` is None before
    the first batch, and never rounded up to 100.
    """

    store: str
    batches: int
    first_try: int
    percent: float | None

    @classmethod
    def of(cls, store: str, acknowledged: int, unacknowledged: int) -> "Success":
        """From what the store counted."""
        batches = acknowledged + unacknowledged
        percent = floor(acknowledged * 100_000 / batches) / 1000 if batches else None
        return cls(store, batches, acknowledged, percent)


@dataclass(frozen=True)
class State:
    """One look at everything; `away` says by name why one of the three was not looked at."""

    at_us: int
    flows: list[Flow]
    lags: list[TopicLag]
    newest: list[NewestTrade]
    delays: list[Delay]
    reach: list[Reach]
    success: list[Success]
    away: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Stream:
    """The trades of one market in Redis: how many, and when the oldest and the newest came in."""

    exchange: str
    symbol: str
    trades: int
    oldest_us: int
    newest_us: int


def reaches(streams: list[Stream], cap: int, now_us: int) -> list[Reach]:
    """By exchange, the market of which Redis holds the shortest time. One below its cap has given nothing up yet."""
    found: dict[str, Stream] = {}
    for one in streams:
        other = found.setdefault(one.exchange, one)
        full = one.trades >= cap
        if full == (other.trades >= cap):
            # Among those that gave trades up the shortest counts, otherwise how long Redis has been there.
            better = one.oldest_us > other.oldest_us if full else one.oldest_us < other.oldest_us
        else:
            better = full
        if better:
            found[one.exchange] = one
    return [
        Reach(exchange, one.symbol, one.trades, (now_us - one.oldest_us) / 1_000_000)
        for exchange, one in sorted(found.items())
    ]


def newest_trades(streams: list[Stream], in_postgres_us: Mapping[str, int], now_us: int) -> list[NewestTrade]:
    """The newest trade of each exchange in each store."""
    newest: dict[tuple[str, str], int] = {("postgres", exchange): us for exchange, us in in_postgres_us.items()}
    for one in streams:
        place = ("redis", one.exchange)
        newest[place] = max(newest.get(place, 0), one.newest_us)
    return [
        NewestTrade(store, exchange, round((now_us - received_us) / 1_000_000, 3))
        for (store, exchange), received_us in sorted(newest.items())
    ]


def rates(before: State | None, now: dict[str, int], at_us: int) -> list[Flow]:
    """How fast topics grew since the look before; `now` is how many records each was given so far."""
    past = {} if before is None else {flow.topic: flow.records for flow in before.flows}
    took_s = 0.0 if before is None else (at_us - before.at_us) / 1_000_000
    return [
        Flow(topic, records, (records - past[topic]) / took_s if topic in past and took_s > 0 else None)
        for topic, records in now.items()
    ]
