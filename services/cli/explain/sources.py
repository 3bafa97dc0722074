"""Where an explanation takes its trades from: files, the trades topic, or Postgres; each says what it holds instead."""

import heapq
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from aiokafka.structs import ConsumerRecord, TopicPartition

from services.alert_worker.backtest.history_files import read_market
from services.alert_worker.backtest.minutes import Minute, as_trades
from services.alert_worker.explanation import Span
from services.alert_worker.records import Market
from services.alert_worker.samples import LEGS
from services.cli.backtest_inputs import MOST_FROM_TOPIC, trades_of
from services.cli.points_in_time import KST
from shared.errors import WrongUse
from shared.events import Candle, Trade
from shared.kafka import PartitionReader
from shared.partitioning import partition_of, symbol_key
from shared.settings import KafkaSettings
from shared.topics import CANDLES, TOPIC_OF_EVENT, TRADES
from shared.wire import InvalidRecord, read_record

if TYPE_CHECKING:
    import asyncpg

Say = Callable[[str], None]
E = TypeVar("E", Trade, Candle)
_US = 1_000_000
_AFTER_US = 5 * _US
"""What comes this much after the span still decides about its end."""

_CANDLES_US = 24 * 3_600 * _US
_STAMPS_WITHIN_S = 10.0
_SAY_EVERY = 20_000
_NAMED = 8
_EXACT_US = 15 * 60 * _US
"""From this long before the span on Postgres is asked for trades; minutes do for what was before."""


@dataclass(frozen=True)
class Found:
    """Trades in the order of their arrival, and what they were taken from; the exchange's own minutes, where that
    holds them. `unread`: why there are no trades, where that is not because nobody traded."""

    market: Market
    source: str
    trades: list[Trade]
    candles: list[Candle] = field(default_factory=list)
    unread: str = ""


class NotHeld(WrongUse):
    """A source does not hold the time; the line says what it holds."""


def market_asked(text: str) -> Market:
    """``KRW-BTC`` (Upbit), ``BTCUSDT`` (Binance) or ``exchange:symbol``. Raises WrongUse."""
    if ":" in text:
        return read_market(text)
    return read_market(f"upbit:{text}" if "-" in text else f"binance:{text}")


def other_sides(market: Market) -> list[Market]:
    """The same coin on the other exchange, under each name that its trades may travel by."""
    if (market.exchange, market.quote) == ("upbit", "KRW"):
        return [Market(name, f"{market.base}USDT", market.base, "USDT") for name in ("binance", "binance_agg")]
    if (market.exchange, market.quote) in LEGS:
        return [Market("upbit", f"KRW-{market.base}", market.base, "KRW")]
    return []


def of_files(files: Collection[Path], asked: str, market: Market | None, span: Span, warm_up_us: int) -> Found:
    """Trades of all files as one market. Raises WrongUse."""
    exchange, _, symbol = asked.rpartition(":")
    from_us, until_us = span.from_us - warm_up_us, span.to_us + _AFTER_US
    kept: list[Trade] = []
    first_us, last_us = 0, 0
    others: dict[str, None] = {}
    traded: Market | None = None
    for trade in _merged(files, market):
        if trade.symbol != symbol or (exchange and trade.exchange != exchange):
            others[f"{trade.exchange}:{trade.symbol}"] = None
        else:
            traded = traded or Market(trade.exchange, trade.symbol, trade.base, trade.quote)
            first_us, last_us = first_us or trade.traded_at_us, trade.traded_at_us
        if from_us <= trade.traded_at_us <= until_us:
            kept.append(trade)
        elif trade.traded_at_us > until_us and traded is not None:
            break
    name = ", ".join(file.name for file in files)
    if traded is None:
        raise WrongUse(f"{name}: holds no trade of {asked}: {_some(others)}")
    if not first_us <= span.to_us or (last_us < span.from_us):
        raise NotHeld(f"{name}: holds {traded.symbol} {between(first_us, last_us)}, and not {between(*span)}")
    kept.sort(key=attrgetter("received_at_us"))
    return Found(traded, name, kept)


def _merged(files: Iterable[Path], market: Market | None) -> Iterator[Trade]:
    return heapq.merge(*(trades_of(file, market) for file in files), key=attrgetter("traded_at_us"))


async def of_topic(settings: KafkaSettings, market: Market, span: Span, warm_up_us: int, say: Say) -> Found:
    """Trades of the market and of its other side that the topic holds, and candles of the day before.

    Raises NotHeld or WrongUse.
    """
    keys = [symbol_key(one.exchange, one.symbol) for one in (market, *other_sides(market))]
    partitions = sorted({TopicPartition(TRADES.name, partition_of(key, TRADES.partitions)) for key in keys})
    own = TopicPartition(TRADES.name, partition_of(keys[0], TRADES.partitions))
    reader = PartitionReader(settings, "explain")
    try:
        await reader.connect()
        firsts, ends = await reader.log_starts(partitions), await reader.log_ends(partitions)
        await _check_held(reader, own, firsts[own], ends[own], span)
        starts = await reader.offsets_since(partitions, (span.from_us - warm_up_us) // 1000)
        stops = await reader.offsets_since(partitions, (span.to_us + 12 * _AFTER_US) // 1000)
        trades = await _read(reader, Trade, starts, stops, {key.encode() for key in keys}, say)
        told = [TopicPartition(CANDLES.name, partition.partition) for partition in partitions]
        starts = await reader.offsets_since(told, (span.from_us - _CANDLES_US) // 1000)
        stops = await reader.offsets_since(told, span.to_us // 1000)
        candles = await _read(reader, Candle, starts, stops, {key.encode() for key in keys}, say)
    finally:
        await reader.close()
    if not any((trade.exchange, trade.symbol) == (market.exchange, market.symbol) for trade in trades):
        since = between(span.from_us - warm_up_us, span.to_us)
        raise NotHeld(f"{TRADES.name}: holds no trade of {keys[0]} {since}")
    trades.sort(key=attrgetter("received_at_us"))
    candles.sort(key=attrgetter("received_at_us"))
    return Found(market, TRADES.name, trades, candles)


async def _check_held(reader: PartitionReader, own: TopicPartition, first: int, end: int, span: Span) -> None:
    if first >= end:
        raise NotHeld(f"{TRADES.name}: holds no trade at all in the market's partition")
    stamps = [
        stamp
        for offset in (first, end - 1)
        for stamp in (await reader.stamps_ms({own: offset}, _STAMPS_WITHIN_S)).values()
    ]
    oldest_us, newest_us = 1_000 * min(stamps, default=0), 1_000 * max(stamps, default=0)
    if span.to_us < oldest_us or span.from_us > newest_us:
        raise NotHeld(f"{TRADES.name}: holds what came in {between(oldest_us, newest_us)}, and not {between(*span)}")


async def _read(  # noqa: PLR0913, PLR0917  # what to read of where, for whom
    reader: PartitionReader,
    event: type[E],
    starts: dict[TopicPartition, int],
    stops: dict[TopicPartition, int],
    keys: Collection[bytes],
    say: Say,
) -> list[E]:
    found: list[E] = []
    total = sum(max(0, stops[p] - start) for p, start in starts.items())
    read, said = 0, 0
    left = {p: start for p, start in starts.items() if start < stops[p]}
    if left:
        await reader.start(left)
    while left:
        for partition, records in (await reader.batch(timeout_ms=500, max_records=5_000)).items():
            for record in records:
                if record.offset < stops[partition] and record.key in keys:
                    found += _decoded(event, record)
            read += len(records)
        for partition in list(left):
            if await reader.position(partition) >= stops[partition]:
                del left[partition]
        if len(found) > MOST_FROM_TOPIC:
            raise WrongUse(f"more than {MOST_FROM_TOPIC:,} trades: say a shorter --warm-up")
        if read - said >= _SAY_EVERY:
            said = read
            say(f"{TOPIC_OF_EVENT[event].name}: {min(read, total):,} of {total:,} records read")
    return found


def _decoded(event: type[E], record: ConsumerRecord) -> list[E]:
    try:
        return [read_record(event, record)]
    except InvalidRecord:
        return []  # those who store the topic keep it as a dead letter


_INSTRUMENT = "SELECT id FROM instrument WHERE exchange = $1 AND symbol = $2"
_SYMBOLS = "SELECT exchange || ':' || symbol FROM instrument ORDER BY 1"
_HELD = "SELECT min(opened_at), max(opened_at) FROM candle_1m WHERE instrument_id = $1"
_CANDLES = """
    SELECT opened_at, open::text, high::text, low::text, close::text, volume::float8
    FROM candle_1m WHERE instrument_id = $1 AND opened_at >= $2 AND opened_at < $3 ORDER BY opened_at
"""
_TRADES = """
    SELECT trade_id::text, price::text, quantity::text, side, traded_at, received_at, origin
    FROM trade WHERE instrument_id = $1 AND traded_at >= $2 AND traded_at <= $3 ORDER BY received_at LIMIT $4
"""


async def of_postgres(dsn: str, market: Market, span: Span, warm_up_us: int) -> Found:
    """The market's trades around the span after minutes of the time before; all minutes where no trades are kept; and
    the same of its other side, with which it is compared.

    Raises NotHeld, WrongUse, Unreachable.
    """
    async with connected(dsn) as connection:
        return await _of_tables(connection, market, span, warm_up_us)


@asynccontextmanager
async def connected(dsn: str) -> "AsyncIterator[asyncpg.Connection]":
    """A connection to PostgreSQL. Raises Unreachable."""
    import asyncpg

    from services.cli.stores import told

    with told():
        connection = await asyncpg.connect(dsn, timeout=5, command_timeout=60)
        try:
            yield connection
        finally:
            await connection.close()


async def _of_tables(connection: "asyncpg.Connection", market: Market, span: Span, warm_up_us: int) -> Found:
    number = await connection.fetchval(_INSTRUMENT, market.exchange, market.symbol)
    name = f"{market.exchange}:{market.symbol}"
    if number is None:
        known = [str(row[0]) for row in await connection.fetch(_SYMBOLS)]
        close = get_close_matches(name, known, 1)
        meant = f"did you mean {close[0]}?" if close else _some(dict.fromkeys(known))
        raise WrongUse(f"PostgreSQL: knows no market {name}: {meant}")
    [(first, last)] = await connection.fetch(_HELD, number)
    held = None if first is None else (as_us(first), as_us(last) + 60 * _US)
    if held is None or span.to_us < held[0] or span.from_us > held[1]:
        holds = "nothing" if held is None else between(*held)
        raise NotHeld(f"PostgreSQL: holds {name} {holds}, and not {between(*span)}")
    minutes, trades = await _of_table_rows(connection, number, market, span, warm_up_us)
    source = "PostgreSQL (trade, before that candle_1m)" if trades else "PostgreSQL (candle_1m)"
    played = [*minutes, *trades]
    for other in other_sides(market):
        number = await connection.fetchval(_INSTRUMENT, other.exchange, other.symbol)
        beside = await _of_table_rows(connection, number, other, span, warm_up_us)
        played = sorted([*played, *beside[0], *beside[1]], key=attrgetter("received_at_us"))
    return Found(market, source, played)


async def _of_table_rows(
    connection: "asyncpg.Connection", number: int | None, market: Market, span: Span, warm_up_us: int
) -> tuple[list[Trade], list[Trade]]:
    """Minutes as trades, and then trades; no minutes are as good as the trades of their time."""
    exact_us, until_us = (span.from_us - _EXACT_US) // (60 * _US) * 60 * _US, span.to_us + _AFTER_US
    rows = await connection.fetch(_TRADES, number, as_time(exact_us), as_time(until_us), MOST_FROM_TOPIC)
    to_us = exact_us if rows else until_us
    candles = await connection.fetch(_CANDLES, number, as_time(span.from_us - warm_up_us), as_time(to_us))
    minutes = [Minute(as_us(row[0]), row[1], row[2], row[3], row[4], row[5]) for row in candles]
    return list(as_trades(minutes, market)), [_trade(market, row) for row in rows]


def _trade(market: Market, row: Any) -> Trade:
    trade_id, price, quantity, side, traded_at, received_at, origin = row
    return Trade(
        exchange=market.exchange, symbol=market.symbol, base=market.base, quote=market.quote, trade_id=trade_id,
        price=price, quantity=quantity, side=side, traded_at_us=as_us(traded_at), received_at_us=as_us(received_at),
        origin=origin,
    )  # fmt: skip


def between(from_us: int, to_us: int) -> str:
    """``from … to …`` in Korean time."""
    first, last = (datetime.fromtimestamp(at // _US, UTC).astimezone(KST) for at in (from_us, to_us))
    until = f"{last:%H:%M:%S}" if first.date() == last.date() else f"{last:%Y-%m-%d %H:%M:%S}"
    return f"from {first:%Y-%m-%d %H:%M:%S} to {until} KST"


def _some(names: Collection[str]) -> str:
    some = ", ".join(sorted(names)[:_NAMED])
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"it holds {some or 'nothing'}{more}"


def as_time(at_us: int) -> datetime:
    """As PostgreSQL takes it."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)


def as_us(at: datetime) -> int:
    """Microseconds since the epoch."""
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
