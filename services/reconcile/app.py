"""Wires the reconciliation: a truth log and batch journals in, the report out."""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.reconcile.episodes import episodes
from services.reconcile.facts import Symbol
from services.reconcile.found import Cache, Rows
from services.reconcile.gaps import Gaps, Span
from services.reconcile.kafka_reader import read_alerts, read_log
from services.reconcile.latency import Percentiles, WrittenAt, latencies_us, percentiles, read_journal
from services.reconcile.postgres_reader import read_rows
from services.reconcile.redis_reader import read_cache
from services.reconcile.report import Report, build
from services.reconcile.stores import Comparison, book_depths
from services.reconcile.truth import Truth, read_truth
from shared.errors import Unreachable
from shared.kafka import wait_until_reachable
from shared.redaction import without_secrets
from shared.settings import Settings
from shared.topic_ids import wait_for_topic_ids
from shared.topics import TOPICS, TRADES

_WAIT_S = 10


async def reconcile(
    settings: Settings,
    truth_file: Path,
    journals: Sequence[Path] = (),
    gaps_within: Sequence[Span] | None = None,
) -> Report:
    """Compare everything and count; `report.judge` is still to be called. Raises WrongUse and Unreachable.

    `gaps_within`: when trades may really have been missed, for those who know it; recorded gaps count only there.
    """
    wait_s = min(_WAIT_S, settings.start.wait_s)
    await wait_until_reachable(settings.kafka, wait_s)
    await wait_for_topic_ids(settings.kafka, TOPICS, wait_s)
    with truth_file.open("rb") as lines:
        truth = read_truth(lines)
    symbols = {*truth.trades, *truth.tickers, *truth.books}
    log = await read_log(settings.kafka, truth.first_at_us)
    cache = await _redis(settings, symbols, truth.first_at_us)
    rows = await _postgres(settings, truth)
    gaps = Gaps(rows.gaps, gaps_within)
    comparison = Comparison(truth, log, gaps)
    compared = comparison.compare(cache, rows, settings.redis.stream_cap, book_depths(settings.orderbook.levels))
    report = build(truth.seconds, truth.published, compared, gaps, _latency(truth, comparison, journals))
    report.alerts = episodes(*await read_alerts(settings.kafka, truth.first_at_us))
    return report


async def _redis(settings: Settings, symbols: Iterable[Symbol], since_us: int) -> Cache:
    url = settings.redis.url.get_secret_value()
    try:
        async with Redis.from_url(url, socket_timeout=30, socket_connect_timeout=_WAIT_S) as client:
            return await read_cache(client, symbols, since_us)
    except (OSError, RedisError, ValueError) as error:
        raise Unreachable(f"Redis at {without_secrets(url)}: {error}") from None


async def _postgres(settings: Settings, truth: Truth) -> Rows:
    async with _postgres_connection(settings.postgres.dsn.get_secret_value()) as connection:
        return await read_rows(connection, truth.first_at_us, truth.first_traded_us)


@asynccontextmanager
async def _postgres_connection(dsn: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    try:
        connection = await asyncpg.connect(dsn, timeout=_WAIT_S, command_timeout=60)
    except (OSError, TimeoutError, asyncpg.PostgresError, ValueError) as error:
        raise Unreachable(f"PostgreSQL at {without_secrets(dsn)}: {error}") from None
    try:
        yield connection
    finally:
        await connection.close()


def _lines(files: Iterable[Path]) -> Iterator[bytes]:
    for file in files:
        with file.open("rb") as lines:
            yield from lines


def _latency(truth: Truth, comparison: Comparison, journals: Sequence[Path]) -> dict[str, Percentiles]:
    written = {sink: WrittenAt(lines) for sink, lines in read_journal(_lines(journals)).items()}
    published = (
        (truth.trades[symbol][trade_id].published_at_us, (TRADES.name, copies[0].partition), copies[0].offset)
        for symbol, in_kafka in comparison.in_kafka.items()
        for trade_id, copies in in_kafka.arrived.items()
    )
    found = {sink: percentiles(values) for sink, values in latencies_us(published, written).items()}
    return {sink: figures for sink, figures in found.items() if figures}
