"""Puts the producer together: lists, adapter, connections, publisher. The only place that picks implementations."""

import asyncio
import time
from collections.abc import Coroutine, Sequence
from functools import partial
from typing import Any

import structlog

from services.producer import catalogue
from services.producer.candle_filling import CandleFilling
from services.producer.exchanges import ADAPTERS
from services.producer.exchanges.base import AdapterOptions, ExchangeAdapter, Listing, Rate
from services.producer.feed import Feed
from services.producer.plan import Connection, connections, owned
from services.producer.progress import tell_progress
from services.producer.publisher import TOPICS_WRITTEN, Publisher
from services.producer.rest import Rest
from services.producer.selection import Selection, select
from services.producer.session import Means
from services.producer.tail import read_tail, unheard
from services.producer.tokens import Budget
from shared import kafka, lifecycle
from shared.clock import now_us
from shared.errors import WrongUse
from shared.liveness import Liveness
from shared.partitioning import Shard, symbol_key
from shared.settings import BinanceSettings, Settings, UpbitSettings
from shared.topic_ids import wait_for_topic_ids
from shared.topics import INSTRUMENTS, TRADES

HANG_UP_WITHIN_S = 2.0
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
    selection = await lifecycle.unless_stopped(stop, _select(settings, exchange))
    await kafka.wait_until_reachable(settings.kafka, settings.start.wait_s, stop)
    adapter = _adapter(settings, exchange, own, selection)
    plan = _plan(adapter, selection, own, shard)
    publisher = Publisher(
        lambda: kafka.make_producer(
            settings.kafka,
            f"producer-{exchange}-{shard.index}",
            max_batch_size=_BATCH_BYTES,
            # Batches are small when the market is calm, and then zstd costs four times as much for a fifth less.
            compression_type="snappy",
        ),
        adapter.trade_exchange,
        settings.kafka.flush_ms,
        now_us,
    )
    _publish_instruments(publisher, adapter, selection, plan)
    feeds = await lifecycle.unless_stopped(stop, _feeds(settings, adapter, publisher, plan, shard))
    filling = CandleFilling(exchange, own.rest_url, adapter.trade_exchange, shard, publisher, now_us)
    traded = {symbol for work in plan if work.carries_trades for symbol in work.symbols}
    filling.cover({symbol: listing for symbol, listing in _listings(selection).items() if symbol in traded})
    log.info("reading", exchange=exchange, shard=str(shard), symbols=len(selection.symbols), connections=len(plan))
    await _until_stopped(publisher, feeds, filling.run(settings.kafka), stop, liveness)


async def _until_stopped(
    publisher: Publisher,
    feeds: Sequence[Feed],
    filling: Coroutine[Any, Any, None],
    stop: asyncio.Event,
    liveness: Liveness,
) -> None:
    """Run until told to stop; then hang up first and bring home what was received."""
    async with asyncio.TaskGroup() as group:
        publishing = group.create_task(publisher.run(), name="publisher")
        telling = group.create_task(tell_progress(publisher, feeds, liveness), name="progress")
        asking = group.create_task(filling, name="candles")
        reading = [group.create_task(feed.run()) for feed in feeds]
        await stop.wait()
        asking.cancel()
        for feed in feeds:
            group.create_task(feed.hang_up())
        await _ended(reading)
        if not await publisher.drain(DRAIN_WITHIN_S):
            log.error("Kafka did not take everything in time; the next start writes a gap for it")
        publishing.cancel()
        telling.cancel()


async def _ended(reading: Sequence["asyncio.Task[None]"]) -> None:
    """Give them a moment to hang up in good order; what is connecting or reconnecting is given up."""
    if reading:  # a shard may own none of few symbols
        _, late = await asyncio.wait(reading, timeout=HANG_UP_WITHIN_S)
        for task in late:
            task.cancel()
        await asyncio.wait(reading)


def _settings_of(settings: Settings, exchange: str) -> UpbitSettings | BinanceSettings:
    if exchange not in ADAPTERS:
        raise WrongUse(f"no exchange is called {exchange!r}; there are {', '.join(ADAPTERS)}")
    own: UpbitSettings | BinanceSettings = getattr(settings, exchange)
    return own


async def _select(settings: Settings, exchange: str) -> Selection:
    own = _settings_of(settings, exchange)
    other = next(name for name in ADAPTERS if name != exchange)
    return await select(
        Rest(exchange, own.rest_url),
        Rest(other, _settings_of(settings, other).rest_url),
        own.symbols,
        own.orderbook_symbols if "orderbook" in own.channels else (),
        settings.start.wait_s,
        settings.state.directory,
    )


def _adapter(
    settings: Settings, exchange: str, own: UpbitSettings | BinanceSettings, selection: Selection
) -> ExchangeAdapter:
    listings = _listings(selection)
    stream = own.trade_stream if isinstance(own, BinanceSettings) else "trade"
    return ADAPTERS[exchange](AdapterOptions(own.websocket_url, listings, settings.orderbook.levels, stream))


def _listings(selection: Selection) -> dict[str, Listing]:
    return {market.symbol: Listing(market.symbol, market.base, market.quote) for market in selection.markets}


def _plan(
    adapter: ExchangeAdapter, selection: Selection, own: UpbitSettings | BinanceSettings, shard: Shard
) -> list[Connection]:
    return connections(
        adapter.exchange,
        adapter.trade_exchange,
        shard=shard,
        symbols=owned(selection.symbols, adapter.trade_exchange, shard),
        book_symbols=owned(selection.book_symbols, adapter.trade_exchange, shard),
        channels=own.channels,
        limit=adapter.conduct.streams_a_connection,
    )


def _publish_instruments(
    publisher: Publisher, adapter: ExchangeAdapter, selection: Selection, plan: Sequence[Connection]
) -> None:
    mine = {symbol for work in plan for symbol in work.symbols}
    for exchange in dict.fromkeys(work.exchange for work in plan):
        for market in selection.markets:
            if market.symbol in mine:
                record = catalogue.instrument(market, exchange, now_us())
                publisher.put(INSTRUMENTS, symbol_key(exchange, market.symbol), record)


async def _feeds(
    settings: Settings, adapter: ExchangeAdapter, publisher: Publisher, plan: Sequence[Connection], shard: Shard
) -> list[Feed]:
    await wait_for_topic_ids(settings.kafka, TOPICS_WRITTEN, settings.start.wait_s)
    partitions = shard.partitions(TRADES.partitions)
    tail = await read_tail(settings.kafka, adapter.trade_exchange, partitions)
    # Processes of one exchange may share an address, and limits are counted by address.
    rates = [Rate(rate.count, rate.seconds * shard.count) for rate in adapter.conduct.connects]
    means = Means(adapter, publisher, now_us, time.monotonic, Budget(rates))
    return [Feed(work, means, unheard(tail, work.exchange, work.symbols), tail.clock_offset_us()) for work in plan]
