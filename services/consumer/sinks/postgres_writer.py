"""One batch to PostgreSQL: what it needs beforehand, then positions, rows and candles in one transaction."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import structlog
from aiokafka.structs import TopicPartition
from asyncpg.prepared_stmt import PreparedStatement

from services.consumer.batch import Batch
from services.consumer.sinks import postgres_rows
from services.consumer.sinks.base import Kept, PositionMoved, Tally, Written
from services.consumer.sinks.postgres_anew import AnewGaps, made_anew, markets_in
from services.consumer.sinks.postgres_days import Days
from services.consumer.sinks.postgres_session import Session
from services.consumer.sinks.ticker_minutes import Passing, TickerMinutes
from shared.events import Channel, Event, Ticker, Trade
from shared.topics import ALERTS, DEAD_LETTERS, FEED, INSTRUMENTS, TICKERS, TRADES, Topic

_SQL = {path.stem: path.read_text(encoding="utf-8") for path in (Path(__file__).parent / "sql").glob("*.sql")}
E = TypeVar("E", bound=Event)
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class _RareTable:
    """A topic of few records, written row by row; an event that is not `stored` has no row."""

    topic: Topic
    sql: str
    row: Callable[[Any], postgres_rows.Row]
    stored: Callable[[Any], bool] = lambda _event: True


_RARE = (
    _RareTable(INSTRUMENTS, _SQL["write_instrument"], postgres_rows.instrument_row),
    _RareTable(FEED, _SQL["write_gap"], postgres_rows.gap_row, stored=lambda event: event.kind == "gap"),
    _RareTable(ALERTS, _SQL["write_alert"], postgres_rows.alert_row),
    _RareTable(DEAD_LETTERS, _SQL["write_dead_letter"], postgres_rows.dead_letter_row),
)
_KEPT: Mapping[str, tuple[Topic, Channel]] = {TRADES.name: (TRADES, "trade"), TICKERS.name: (TICKERS, "ticker")}
_RareRows = list[tuple[_RareTable, list[postgres_rows.Row]]]
TOPICS = (TRADES, TICKERS, *(table.topic for table in _RARE))


class Writer:
    """The session that writes, and what it knows: positions, ids of instruments."""

    def __init__(self, session: Session, days: Days, owner: str) -> None:
        self._session = session
        self._days = days
        self._owner = owner
        self._ids: dict[tuple[str, str], int] = {}
        self._positions: dict[TopicPartition, int | None] = {}
        self._minutes = TickerMinutes()
        self._anew = AnewGaps()
        self._unanswered = False
        self.is_made_anew = False
        self.answered = 0
        session.add_query_logger(self._note_answer)
        self.tally = Tally()
        self._market: PreparedStatement[asyncpg.Record] | None = None

    async def take_over(self, topic_ids: Mapping[TopicPartition, str]) -> dict[TopicPartition, int | None]:
        """Write the owner into the positions, waiting for what the last one is still committing; return them."""
        partitions = sorted(topic_ids)
        await self._learn_ids()
        async with self._session.transaction():
            stored = await self._session.fetch("SELECT topic, partition, topic_id FROM sink_position")
            before = {TopicPartition(r["topic"], r["partition"]): r["topic_id"] for r in stored}
            records = await self._session.fetch(
                _SQL["own_positions"],
                [p.topic for p in partitions],
                [p.partition for p in partitions],
                [topic_ids[p] for p in partitions],
                self._owner,
            )
            await self._anew.begin(self._session, made_anew(before, topic_ids), self._ids)
        self._positions = {TopicPartition(r["topic"], r["partition"]): r["next_offset"] for r in records}
        self.is_made_anew = any(r["next_offset"] is None and r["generation"] > 1 for r in records)
        self.tally = Tally(sum(r["batches"] for r in records), sum(r["unacknowledged"] for r in records))
        self._market = await self._session.prepare(_SQL["write_market"])
        await self._days.make_ahead(self._session)
        newest = await self._session.fetch(_SQL["newest_ticker_minutes"])
        self._minutes.remember((r["exchange"], r["symbol"], r["minute"]) for r in newest)
        return dict(self._positions)

    async def write(self, batch: Batch) -> Written:
        """Store the batch and its positions, or nothing. Raises PositionMoved."""
        self._unanswered = True
        trades, tickers = _events(batch, TRADES, Trade), _events(batch, TICKERS, Ticker)
        await self._prepare_for(trades, tickers)
        rare = _rare_rows(batch)
        passing = self._minutes.look(batch.slices, self._ids)
        ends = await self._anew.look(self._session, trades, self._ids)
        if rare or passing.spans or ends:
            async with self._session.transaction():
                new_trades = await self._write_market(batch, trades, tickers)
                new = {table.topic.name: await self._write_rare(table, rows) for table, rows in rare}
                await self._carry(passing)
                await self._anew.write(self._session, ends)
        else:
            # Alone, the statement is its own transaction: one round trip a batch.
            new_trades, new = await self._write_market(batch, trades, tickers), {}
        self._unanswered = False
        self.tally = replace(self.tally, acknowledged=self.tally.acknowledged + 1)
        self._minutes.passed(passing)
        self._anew.passed(ends)
        self._positions |= {TopicPartition(s.topic, s.partition): s.next_offset for s in batch.slices}
        repeated = {table.topic.name: len(rows) - new[table.topic.name] for table, rows in rare}
        return Written(
            new=new | {TRADES.name: new_trades, TICKERS.name: len(tickers)},
            repeated=repeated | {TRADES.name: len(trades) - new_trades},
        )

    async def kept(self, place: TopicPartition) -> Kept | None:
        """What is stored of the partition's markets; None for topics that are no market's."""
        if place.topic not in _KEPT:
            return None
        topic, channel = _KEPT[place.topic]
        markets = markets_in([place], topic, self._ids)
        return Kept(channel, await self._session.fetchval(_SQL[f"newest_{channel}"], markets))

    async def close(self) -> None:
        """Give the positions up, unless a write got no answer, which the next owner then counts; end the session."""
        try:
            if not self._unanswered:
                await self._session.execute("UPDATE sink_position SET owner = '' WHERE owner = $1", self._owner)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            log.warning("could not give up the positions: the next owner counts it", reason=repr(error))
        await self._session.close(timeout=5)

    def _note_answer(self, _: object = None) -> None:
        self.answered += 1

    async def _prepare_for(self, trades: Sequence[Trade], tickers: Sequence[Ticker]) -> None:
        """Days and instruments that the rows need, committed before them: they are true whatever becomes of the batch,
        and so is what we remember of them.
        """
        await self._days.make(self._session, postgres_rows.days_of(trades))
        unnamed = postgres_rows.missing_instruments((*trades, *tickers), self._ids)
        if unnamed:
            columns = zip(*((e.exchange, e.symbol, e.base, e.quote) for e in unnamed.values()), strict=True)
            await self._session.execute(_SQL["name_instruments"], *map(list, columns))
            await self._learn_ids()

    async def _learn_ids(self) -> None:
        records = await self._session.fetch("SELECT exchange, symbol, id FROM instrument")
        self._ids = {(r["exchange"], r["symbol"]): r["id"] for r in records}

    async def _write_market(self, batch: Batch, trades: Sequence[Trade], tickers: Sequence[Ticker]) -> int:
        """Move the positions and write trades, candles and tickers. Return how many trades were new."""
        if self._market is None:
            raise RuntimeError("take over the positions first")
        done = await self._market.fetchrow(
            *self._moves(batch),
            self._owner,
            *postgres_rows.trade_arrays(trades, self._ids),
            *postgres_rows.ticker_columns(tickers, self._ids),
        )
        self._note_answer()  # of a statement that was prepared asyncpg's loggers hear nothing
        if done is None or done["moved"] != len(batch.slices):
            places = ", ".join(f"{s.topic}/{s.partition} at {s.first_offset}" for s in batch.slices)
            raise PositionMoved(f"batch {batch.id}: a stored position is not what this process left there: {places}")
        return int(done["trades"])

    async def _carry(self, passing: Passing) -> None:
        """Give every market a row in every minute that is over, from its last ticker."""
        late = [(self._ids[market], minute) for market, minute in passing.late]
        if late:
            await self._session.executemany(_SQL["correct_carried_tickers"], late)
        spans = [(self._ids[span.market], span.from_minute, span.to_minute) for span in passing.spans]
        if spans:
            await self._session.execute(_SQL["carry_tickers"], *map(list, zip(*spans, strict=True)))

    def _moves(self, batch: Batch) -> tuple[list[str], list[int], list[int | None], list[int]]:
        slices = batch.slices
        expected = [
            None if self._positions[TopicPartition(s.topic, s.partition)] is None else s.first_offset for s in slices
        ]
        return [s.topic for s in slices], [s.partition for s in slices], expected, [s.next_offset for s in slices]

    async def _write_rare(self, table: _RareTable, rows: list[postgres_rows.Row]) -> int:
        return len(await self._session.fetchmany(table.sql, rows))


def _events(batch: Batch, topic: Topic, event_type: type[E]) -> list[E]:
    return [e for s in batch.slices if s.topic == topic.name for e in s.events if isinstance(e, event_type)]


def _rare_rows(batch: Batch) -> _RareRows:
    events = {table: _events(batch, table.topic, table.topic.event) for table in _RARE}
    found = [(table, [table.row(e) for e in events[table] if table.stored(e)]) for table in _RARE]
    return [(table, rows) for table, rows in found if rows]
