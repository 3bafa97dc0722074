"""Puts the producer together: lists, adapter, connections, publisher. The only place that picks implementations."""

import asyncio
import time
from collections.abc import Sequence
from functools import partial
from typing import get_args

import structlog

from services.producer.candle_filling import CandleFilling
from services.producer.catalogue import Market
from services.producer.endings import EndingKind
from services.producer.exchanges import ADAPTERS
from services.producer.exchanges.base import AdapterOptions, ExchangeAdapter, Listing
from services.producer.feed import Feed
from services.producer.gaps import Tail
from services.producer.list_news import ListNews, publish_instruments
from services.producer.list_watch import watch_list
from services.producer.newcomers import Newcomers
from services.producer.plan import Connection, connections, owned
from services.producer.progress import tell_progress
from services.producer.publisher import TOPICS_WRITTEN, Publisher
from services.producer.reading import Reading
from services.producer.rest import Rest
from services.producer.selection import Selection, select
from services.producer.session import Means
from services.producer.standing import tell_standing
from services.producer.symbol_watch import watch_symbols
from services.producer.tail import read_tail, unheard
from services.producer.tokens import Budget
from shared import kafka, lifecycle, metrics
from shared.clock import now_us
from shared.errors import WrongUse
from shared.liveness import Liveness
from shared.partitioning import Shard
from shared.settings import BinanceSettings, ExchangeSettings, Settings
from shared.topic_ids import wait_for_topic_ids
from shared.topics import TRADES

DRAIN_WITHIN_S = 5.0
_BATCH_BYTES = 256 << 10
log = structlog.get_logger(__name__)


def run(exchange: str, shard: Shard) -> int:
    """Read one exchange until told to stop; returns the exit code."""
    return lifecycle.run(f"producer-{exchange}", partial(produce, exchange, shard))


async def produce(exchange: str, shard: Shard, settings: Settings, stop: asyncio.Event, liveness: Liveness) -> None:
    """The whole life of a producer. Raises WrongUse, Unreachable, or whatever nobody foresaw."""
    if shard.count > TRADES.partitions:
        raise WrongUse(f"--shard {shard}: there are {TRADES.partitions} partitions to share, so at most as many shards")
    own = _settings_of(settings, exchange)
    rest = Rest(exchange, own.rest_url, settings.state.directory)
    selection = await lifecycle.unless_stopped(stop, _select(settings, rest, liveness))
    await kafka.wait_until_reachable(settings.kafka, settings.start.wait_s, stop, liveness.tells)
    await kafka.check_rights(settings.kafka, "producer")
    make_adapter = partial(_adapter, settings, exchange, own)
    adapter = make_adapter(selection.markets)
    make_plan = partial(_plan, adapter, own, shard)
    plan = make_plan(selection.symbols, selection.book_symbols)
    _count_from_zero(adapter)
    publisher = _publisher(settings, f"producer-{exchange}-{shard.index}", adapter.trade_exchange)
    _publish_instruments(publisher, selection, plan)
    await lifecycle.unless_stopped(stop, wait_for_topic_ids(settings.kafka, TOPICS_WRITTEN, settings.start.wait_s))
    tail = await lifecycle.unless_stopped(stop, _tail(settings, adapter, shard, plan))
    means = _means(adapter, publisher, shard)
    filling = CandleFilling(rest, adapter.trade_exchange, shard, publisher, now_us)
    traded = _traded(plan)

    def cover(markets: Sequence[Market]) -> None:
        if "trade" in own.channels:
            filling.cover(_listings(markets))

    cover([market for market in selection.markets if market.symbol in traded])
    log.info("reading", exchange=exchange, shard=str(shard), symbols=len(selection.symbols), connections=len(plan))
    async with asyncio.TaskGroup() as group:
        reading = Reading(group)
        newcomers = Newcomers(reading, means, tail.clock_offset_us(), make_adapter, make_plan, cover)
        names = [work.exchange for work in plan] or [adapter.exchange]
        owns = partial(_owns, shard, adapter.trade_exchange)
        news = ListNews(selection, publisher, list(dict.fromkeys(names)), owns, newcomers, now_us)
        publishing = group.create_task(publisher.run(), name="publisher")
        progress = tell_progress(adapter.exchange, publisher, reading.feeds, liveness, now_us, lambda: rest.wish)
        telling = group.create_task(progress, name="progress")
        candles = group.create_task(filling.run(settings.kafka), name="candles")
        reading.begin(
            Feed(work, means, unheard(tail, work.exchange, work.symbols), tail.clock_offset_us(), tail.why)
            for work in plan
        )
        await news.take(selection.news)
        asking = group.create_task(
            watch_list(rest, selection.known, own.list_every_s, now_us, news.take), name="list of markets"
        )
        standing = group.create_task(tell_standing(publisher, reading.feeds), name="standing")
        watching = group.create_task(_watch_symbols(rest, adapter, reading.feeds, shard), name="silent symbols")
        await stop.wait()
        # Hang up first, then bring home what was received.
        asking.cancel()
        watching.cancel()
        standing.cancel()
        candles.cancel()
        await reading.end()
        if not await publisher.drain(DRAIN_WITHIN_S):
            log.error("Kafka did not take everything in time; the next start writes a gap for it")
        publishing.cancel()
        telling.cancel()


async def _watch_symbols(rest: Rest, adapter: ExchangeAdapter, feeds: Sequence[Feed], shard: Shard) -> None:
    if adapter.exchange == adapter.trade_exchange:  # of aggregated trades the exchange's answer has no ids
        await watch_symbols(rest, feeds, shard.count, now_us)


def _count_from_zero(adapter: ExchangeAdapter) -> None:
    heard = [(counter, (adapter.exchange,)) for counter in (metrics.FRAMES, metrics.INVALID_FRAMES)]
    lost = [(counter, (adapter.trade_exchange,)) for counter in (metrics.TRADES_DROPPED, metrics.GAPS)]
    ended = [(metrics.CONNECTIONS_LOST, (adapter.exchange, kind)) for kind in get_args(EndingKind)]
    asked = [(metrics.SILENT_SYMBOLS, (adapter.exchange, answer)) for answer in ("quiet", "stalled", "unanswered")]
    refused = [(metrics.RECORDS_REFUSED, (topic.name,)) for topic in TOPICS_WRITTEN]
    metrics.count_from_zero(*heard, *lost, *ended, *asked, *refused)


def _publisher(settings: Settings, client_id: str, trade_exchange: str) -> Publisher:
    return Publisher(
        lambda: kafka.make_producer(
            settings.kafka,
            client_id,
            max_batch_size=_BATCH_BYTES,
            # Batches are small when the market is calm, and then zstd costs four times as much for a fifth less.
            compression_type="snappy",
        ),
        trade_exchange,
        settings.kafka.flush_ms,
        now_us,
    )


def _settings_of(settings: Settings, exchange: str) -> ExchangeSettings:
    if exchange not in ADAPTERS:
        raise WrongUse(f"no exchange is called {exchange!r}; there are {', '.join(ADAPTERS)}")
    own: ExchangeSettings = getattr(settings, exchange)
    return own


async def _select(settings: Settings, rest: Rest, liveness: Liveness) -> Selection:
    own = _settings_of(settings, rest.exchange)
    other = next(name for name in ADAPTERS if name != rest.exchange)
    return await select(
        rest,
        Rest(other, _settings_of(settings, other).rest_url, settings.state.directory),
        own.symbols,
        own.orderbook_symbols if "orderbook" in own.channels else (),
        settings.start.wait_s,
        settings.state.directory,
        liveness.waits,
    )


def _adapter(settings: Settings, exchange: str, own: ExchangeSettings, markets: Sequence[Market]) -> ExchangeAdapter:
    listings = _listings(markets)
    stream = own.trade_stream if isinstance(own, BinanceSettings) else "trade"
    return ADAPTERS[exchange](AdapterOptions(own.websocket_url, listings, settings.orderbook.levels, stream))


def _listings(markets: Sequence[Market]) -> dict[str, Listing]:
    return {market.symbol: Listing(market.symbol, market.base, market.quote) for market in markets}


def _plan(  # noqa: PLR0913, PLR0917  # every argument is one independent choice
    adapter: ExchangeAdapter,
    own: ExchangeSettings,
    shard: Shard,
    symbols: Sequence[str],
    book_symbols: Sequence[str],
    first: int = 1,
) -> list[Connection]:
    return connections(
        adapter.exchange,
        adapter.trade_exchange,
        shard=shard,
        symbols=owned(symbols, adapter.trade_exchange, shard),
        book_symbols=owned(book_symbols, adapter.trade_exchange, shard),
        channels=own.channels,
        limit=adapter.conduct.streams_a_connection,
        first=first,
    )


def _publish_instruments(publisher: Publisher, selection: Selection, plan: Sequence[Connection]) -> None:
    mine = {symbol for work in plan for symbol in work.symbols}
    markets = [market for market in selection.markets if market.symbol in mine]
    publish_instruments(publisher, markets, dict.fromkeys(work.exchange for work in plan), now_us())


def _owns(shard: Shard, trade_exchange: str, symbol: str) -> bool:
    return bool(owned([symbol], trade_exchange, shard))


async def _tail(settings: Settings, adapter: ExchangeAdapter, shard: Shard, plan: Sequence[Connection]) -> Tail:
    partitions, traded = shard.partitions(TRADES.partitions), _traded(plan)
    return await read_tail(settings.kafka, adapter.trade_exchange, partitions, traded, now_us())


def _traded(plan: Sequence[Connection]) -> set[str]:
    return {symbol for work in plan if work.carries_trades for symbol in work.symbols}


def _means(adapter: ExchangeAdapter, publisher: Publisher, shard: Shard) -> Means:
    return Means(adapter, publisher, now_us, time.monotonic, Budget.shared(adapter.conduct.connects, shard.count))
