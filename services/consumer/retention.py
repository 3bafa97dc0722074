"""How near the records that a store has not taken yet are to the end of what Kafka keeps, and when to say so. Pure."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from services.consumer.positions import Bounds

TELL_AT = 0.5
OVER_AT = 0.25
"""Lower than `TELL_AT`, so that an episode does not flicker."""
WATCHED_RECORDS = 0.05
"""Share of a log that must be unread before its oldest record is looked at."""
_S = 1000


@dataclass(frozen=True)
class Unread:
    """What a reader has yet to read of one partition.

    `retention_ms` is None where Kafka keeps records for ever. `next_at_ms` is Kafka's stamp of the next record to be
    read, `oldest_at_ms` that of the oldest one kept, where Kafka deleted some before it; each None where nobody knows.
    """

    topic: str
    position: int
    bounds: Bounds
    retention_ms: int | None
    next_at_ms: int | None = None
    oldest_at_ms: int | None = None

    @property
    def records(self) -> int:
        """Records between the position and the log's end that Kafka still has."""
        return max(0, self.bounds.end - max(self.position, self.bounds.start))

    @property
    def share(self) -> float:
        """Of all records that Kafka has, how many are unread."""
        return self.records / max(1, self.bounds.end - self.bounds.start)

    @property
    def may_be_near(self) -> bool:
        """Whether it is worth knowing how old the oldest record kept is."""
        return self.bounds.start > 0 and self.share >= WATCHED_RECORDS


@dataclass(frozen=True)
class Lag:
    """One topic: records unread, age of the oldest of them, and of what Kafka keeps how much that uses up (1.0: all).

    `keeps_ms` is how long Kafka keeps a record there: by time, or by bytes where that is what deletes.
    """

    topic: str
    records: int
    age_ms: int
    keeps_ms: int | None
    ratio: float

    @property
    def told(self) -> str:
        """For people."""
        keeps = "" if self.keeps_ms is None else f", of {_span(self.keeps_ms)} that Kafka keeps"
        return f"{self.records:,} records wait, the oldest for {_span(self.age_ms)}{keeps} ({self.ratio:.0%})"


def lags(unread: Iterable[Unread], now_ms: int) -> dict[str, Lag]:
    """The lag of each topic: records of all its partitions, all else of the one that is nearest to losing some."""
    found: dict[str, Lag] = {}
    for one in unread:
        lag, so_far = _lag(one, now_ms), found.get(one.topic)
        worst = lag if so_far is None or lag.ratio >= so_far.ratio else so_far
        records = lag.records + (so_far.records if so_far else 0)
        found[one.topic] = Lag(one.topic, records, worst.age_ms, worst.keeps_ms, worst.ratio)
    return found


def _lag(unread: Unread, now_ms: int) -> Lag:
    age_ms = 0 if unread.next_at_ms is None else max(0, now_ms - unread.next_at_ms)
    keeps_ms, ratio = unread.retention_ms, 0.0
    if keeps_ms is not None and unread.records:
        ratio = age_ms / keeps_ms
        kept_ms = keeps_ms if unread.oldest_at_ms is None else now_ms - unread.oldest_at_ms
        if kept_ms < keeps_ms:  # records went before their time: it is the log's size that deletes
            keeps_ms, ratio = kept_ms, max(ratio, unread.share)
    if unread.position < unread.bounds.start:
        ratio = max(1.0, ratio)
    return Lag(unread.topic, unread.records, age_ms, keeps_ms, ratio)


def begun(lags: Mapping[str, Lag], told: Collection[str]) -> list[Lag]:
    """The topics of which people must be told now, in the order of their names."""
    return [lag for topic, lag in sorted(lags.items()) if lag.ratio >= TELL_AT and topic not in told]


def over(lags: Mapping[str, Lag], told: Collection[str]) -> list[Lag]:
    """The topics that were told of and are well again."""
    return [lags[topic] for topic in sorted(told) if topic in lags and lags[topic].ratio < OVER_AT]


def _span(ms: int) -> str:
    seconds = ms / _S
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"
