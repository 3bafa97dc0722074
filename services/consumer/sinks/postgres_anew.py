"""What a topic that was made anew may have cost: gap rows from the newest that is stored to the new log's first.

How far the old log reached beyond what was read of it, nobody can know any more; it may be nothing. A restored store
begins where its back-up ended, so the rows then span everything since.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
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
_COLUMN = {
    TRADES.name: "trades",
    TICKERS.name: "tickers",
    INSTRUMENTS.name: "instruments",
    FEED.name: "feed",
    ALERTS.name: "alerts",
    DEAD_LETTERS.name: "dead_letters",
}
"""Where newest_before_anew.sql says how far a topic is stored."""
Market = tuple[str, str]
"""(exchange, symbol)"""
End = tuple[str, str, datetime, datetime | None, datetime | None]
"""(exchange, symbol, first trade that came, newest one stored before it, first new one: None while all are repeats)"""
log = structlog.get_logger(__name__)


def made_anew(before: Mapping[TopicPartition, str], now: Mapping[TopicPartition, str]) -> dict[TopicPartition, str]:
    """Of the topics' ids of `now` those of partitions that were stored under another one."""
    return {place: topic_id for place, topic_id in now.items() if before.get(place, topic_id) != topic_id}


def markets_in(partitions: Collection[TopicPartition], topic: Topic, ids: InstrumentIds) -> list[int]:
    """The instruments whose symbol lies in one of the partitions of `topic`."""
    numbers = {p.partition for p in partitions if p.topic == topic.name}
    return [id_ for key, id_ in ids.items() if partition_of(symbol_key(*key), topic.partitions) in numbers]


def trades_of(markets: Collection[Market], trades: Iterable[Trade]) -> dict[Market, list[Trade]]:
    """The trades of these markets in their order."""
    found: dict[Market, list[Trade]] = {}
    if markets:
        for trade in trades:
            if (market := (trade.exchange, trade.symbol)) in markets:
                found.setdefault(market, []).append(trade)
    return found


class AnewGaps:
    """Gap rows of topics made anew, and of which markets the new log's first new trade is still to come."""

    def __init__(self) -> None:
        self._open: set[Market] = set()

    async def begin(self, session: Session, anew: Mapping[TopicPartition, str], ids: InstrumentIds) -> None:
        """Write the rows, in the transaction in which the positions are taken. A row that is there stays as it is."""
        if anew:
            (newest,) = await session.fetch(_SQL["newest_before_anew"])
            topics = {place.topic: topic_id for place, topic_id in anew.items()}
            for topic, topic_id in topics.items():
                at = newest[_COLUMN[topic]]
                await session.execute(_SQL["begin_topic_anew"], topic, topic_id, EVERY_EXCHANGE, at)
                log.error("gap: a topic was made anew, its old log may have held more than was read", topic=topic)
                metrics.GAPS.labels(EVERY_EXCHANGE).inc()
            if (of_trades := topics.get(TRADES.name)) is not None:
                markets = markets_in(anew, TRADES, ids)
                await session.execute(_SQL["begin_markets_anew"], TRADES.name, of_trades, markets)
        self._open = {(r["exchange"], r["symbol"]) for r in await session.fetch(_SQL["open_anew"])}

    async def look(self, session: Session, trades: Sequence[Trade], ids: InstrumentIds) -> list[End]:
        """What the trades say of rows without an end. Asked before they are stored, to know which ones are new."""
        found: list[End] = []
        for (exchange, symbol), own in trades_of(self._open, trades).items():
            trade_ids, times = [int(t.trade_id) for t in own], [t.traded_at_us for t in own]
            (row,) = await session.fetch(_SQL["find_end_anew"], ids[exchange, symbol], trade_ids, times)
            found.append((exchange, symbol, row["first_at"], row["before_at"], row["to_at"]))
        return found

    async def write(self, session: Session, ends: Sequence[End]) -> None:
        """Set what `look` found, in the transaction of the trades."""
        await session.executemany(_SQL["end_anew"], ends)

    def passed(self, ends: Iterable[End]) -> None:
        """Called once that transaction is over."""
        self._open -= {(exchange, symbol) for exchange, symbol, _, _, to_at in ends if to_at is not None}
