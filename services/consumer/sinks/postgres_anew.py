"""What a topic that was made anew may have cost: gap rows from the newest that is stored to the new log's first.

How far the old log reached beyond what was read of it, nobody can know any more; it may be nothing. A restored store
begins where its back-up ended, so the rows then span everything since.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog
from aiokafka.structs import TopicPartition

from services.consumer.feed import EVERY_EXCHANGE
from services.consumer.sinks.postgres_rows import InstrumentIds
from services.consumer.sinks.postgres_session import Session
from shared import metrics
from shared.events import Trade
from shared.partitioning import partition_of, symbol_key
from shared.topics import ALERTS, DEAD_LETTERS, FEED, INSTRUMENTS, TICKERS, TRADES, Topic

_SQL = {path.stem: path.read_text(encoding="utf-8") for path in (Path(__file__).parent / "sql").glob("*anew*.sql")}
_TOPICS = {
    TRADES.name: ("trades", "trade"),
    TICKERS.name: ("tickers", "ticker"),
    INSTRUMENTS.name: ("instruments", "instruments"),
    FEED.name: ("feed", "feed"),
    ALERTS.name: ("alerts", "alerts"),
    DEAD_LETTERS.name: ("dead_letters", "dead_letters"),
}
"""Of each topic where newest_before_anew.sql says how far it is stored, and its rows' channel.

A row without a channel would explain every loss of every market. The last four are no channel of an exchange.
"""
STAYS_OPEN = timedelta(hours=1)
"""A row ends when it was noticed, once trades are read that were received so much later: its market is quiet.

What is missing was in the old log, so not later than that.
"""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Market = tuple[str, str]
"""(exchange, symbol)"""
End = tuple[str, datetime | None, datetime | None]
"""(gap_id, from_at, to_at: None while nothing of the new log is new)"""
log = structlog.get_logger(__name__)


def made_anew(before: Mapping[TopicPartition, str], now: Mapping[TopicPartition, str]) -> dict[TopicPartition, str]:
    """Of the topics' ids of `now` those of partitions that were stored under another one."""
    return {place: topic_id for place, topic_id in now.items() if before.get(place, topic_id) != topic_id}


def markets_in(partitions: Collection[TopicPartition], topic: Topic, ids: InstrumentIds) -> list[int]:
    """The instruments whose symbol lies in one of the partitions of `topic`."""
    numbers = {p.partition for p in partitions if p.topic == topic.name}
    return [id_ for key, id_ in ids.items() if partition_of(symbol_key(*key), topic.partitions) in numbers]


def live_trades(trades: Iterable[Trade]) -> list[Trade]:
    """What came as it was traded: backfill and replayed dead letters say nothing of where a log begins."""
    return [trade for trade in trades if trade.origin != "backfill"]


@dataclass(frozen=True)
class OpenGap:
    """A market's row without an end."""

    market: Market
    from_at: datetime | None
    noticed_at: datetime


def overdue(gaps: Mapping[str, OpenGap], live: Collection[Trade]) -> list[End]:
    """Ends of rows that have waited for too long, by when the newest of the trades was received."""
    newest = _EPOCH + timedelta(microseconds=max((trade.received_at_us for trade in live), default=0))
    return [(id_, gap.from_at, gap.noticed_at) for id_, gap in gaps.items() if gap.noticed_at + STAYS_OPEN < newest]


class AnewGaps:
    """Gap rows of topics made anew, and of which markets the new log's first new trade is still to come."""

    def __init__(self) -> None:
        self._open: dict[str, OpenGap] = {}

    async def begin(self, session: Session, anew: Mapping[TopicPartition, str], ids: InstrumentIds) -> None:
        """Write the rows, in the transaction in which the positions are taken. A row that is there stays as it is."""
        if anew:
            (newest,) = await session.fetch(_SQL["newest_before_anew"])
            topics = {place.topic: topic_id for place, topic_id in anew.items()}
            for topic, topic_id in topics.items():
                column, channel = _TOPICS[topic]
                row = topic, topic_id, EVERY_EXCHANGE, channel, newest[column]
                await session.execute(_SQL["begin_topic_anew"], *row)
                log.error("gap: a topic was made anew, its old log may have held more than was read", topic=topic)
                metrics.GAPS.labels(EVERY_EXCHANGE).inc()
            if (of_trades := topics.get(TRADES.name)) is not None:
                markets = markets_in(anew, TRADES, ids)
                await session.execute(_SQL["begin_markets_anew"], TRADES.name, of_trades, markets)
        self._open = {
            r["gap_id"]: OpenGap((r["exchange"], r["symbol"]), r["from_at"], r["noticed_at"])
            for r in await session.fetch(_SQL["open_anew"])
        }

    async def look(self, session: Session, trades: Sequence[Trade], ids: InstrumentIds) -> list[End]:
        """What the trades say of rows without an end. Asked before they are stored, to know which ones are new."""
        if not self._open:
            return []
        live, markets = live_trades(trades), {gap.market for gap in self._open.values()}
        own = [(ids[t.exchange, t.symbol], t) for t in live if (t.exchange, t.symbol) in markets]
        columns = (
            [id_ for id_, _ in own],
            [int(t.trade_id) for _, t in own],
            [t.traded_at_us for _, t in own],
            [t.received_at_us for _, t in own],
        )
        records = await session.fetch(_SQL["find_ends_anew"], *columns) if own else []
        found: list[End] = [(r["gap_id"], r["from_at"], r["to_at"]) for r in records]
        ended = {gap_id for gap_id, *_ in found}
        return found + [end for end in overdue(self._open, live) if end[0] not in ended]

    async def write(self, session: Session, ends: Sequence[End]) -> None:
        """Set what `look` found, in the transaction of the trades."""
        await session.executemany(_SQL["end_anew"], ends)

    def passed(self, ends: Iterable[End]) -> None:
        """Called once that transaction is over."""
        for gap_id, from_at, to_at in ends:
            gap = self._open.pop(gap_id, None)
            if gap is not None and to_at is None:
                self._open[gap_id] = replace(gap, from_at=from_at)
