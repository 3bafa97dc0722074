"""Gathers one day in a process of its own: the request on stdin, the digest on stdout, both JSON.

A day is hundreds of thousands to tens of millions of trades: reading them takes seconds to minutes of a processor,
and the worker that watches is not held up.
"""

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

import msgspec
from aiokafka.structs import TopicPartition

from services.alert_worker.digest.market_day import MarketDay, ranked
from services.alert_worker.digest.request import DAYS_BACK, DigestRequest
from services.alert_worker.messages.bulletins import Digest
from services.alert_worker.outbox import UNTOLD_QUALITIES
from services.alert_worker.topic_reader import partitions_of, read_partitions
from shared import canary
from shared.events import Alert, Event, FeedEvent, Trade
from shared.kafka import PartitionReader
from shared.settings import KafkaSettings, load_settings
from shared.topics import ALERTS, FEED, TRADES, Topic
from shared.wire import InvalidRecord, decode

_MOST = 10
_NEWEST = 200
"""Records at the end of each partition that tell how fresh the tape is."""

E = TypeVar("E", bound=Event)


def main() -> None:
    """See the module."""
    request = msgspec.json.decode(sys.stdin.buffer.read(), type=DigestRequest)
    digest = asyncio.run(gather(load_settings().kafka, request))
    sys.stdout.buffer.write(msgspec.json.encode(digest))


async def gather(settings: KafkaSettings, request: DigestRequest) -> Digest | None:
    """The digest of the day, or of the last one before it that has trades; None when none of a week has."""
    wanted = date.fromisoformat(request.day)
    for back in range(DAYS_BACK):
        day = wanted - timedelta(days=back)
        days = await _markets(settings, day)
        if days:
            movers, unusual = ranked(days, _MOST)
            return Digest(
                day=str(day),
                missing=request.day if back else None,
                movers=movers,
                unusual=unusual,
                ages_s=await _ages_s(settings, request.now_us),
                **await _alerts(settings, day),
                **await _gaps(settings, day),
            )
    return None


async def _markets(settings: KafkaSettings, day: date) -> dict[tuple[str, str], MarketDay]:
    days: dict[tuple[str, str], MarketDay] = {}
    async for trade in _of_day(settings, TRADES, Trade, day):
        if trade.origin == "stream":
            market = (trade.exchange, trade.symbol)
            if market not in days:
                days[market] = MarketDay(trade)
            days[market].add(trade)
    return days


async def _alerts(settings: KafkaSettings, day: date) -> dict[str, Any]:
    opened = [alert async for alert in _of_day(settings, ALERTS, Alert, day) if alert.state == "open"]
    muted = [alert for alert in opened if alert.suppressed_by == "mute"]
    told = sum(alert.suppressed_by is None and alert.data_quality not in UNTOLD_QUALITIES for alert in opened)
    by_symbol = Counter(alert.symbol or f"rule:{alert.kind}" for alert in muted)
    symbols = [f"{name} ×{count}" if count > 1 else name for name, count in by_symbol.most_common()]
    return {"fired": told, "muted": len(muted), "muted_symbols": symbols}


async def _gaps(settings: KafkaSettings, day: date) -> dict[str, Any]:
    gaps = [event async for event in _of_day(settings, FEED, FeedEvent, day) if event.kind == "gap"]
    return {"gaps": len(gaps), "open_gaps": sum(gap.to_us is None for gap in gaps)}


async def _ages_s(settings: KafkaSettings, now_us: int) -> dict[str, Any]:
    newest: dict[str, int] = {}
    async for record in read_partitions(settings, partitions_of(TRADES), most=_NEWEST):
        trade = _read(Trade, record.value)
        if trade is not None and trade.exchange != canary.EXCHANGE:
            newest[trade.exchange] = max(newest.get(trade.exchange, 0), trade.received_at_us)
    return {exchange: max(0, now_us - at_us) // 1_000_000 for exchange, at_us in newest.items()}


async def _of_day(settings: KafkaSettings, topic: Topic, event: type[E], day: date) -> AsyncIterator[E]:
    """What came in on a UTC day, partition by partition."""
    since_ms, until_ms = (_midnight_ms(day + timedelta(days=days)) for days in (0, 1))
    for partition in partitions_of(topic):
        ends = await _offset_at(settings, partition, until_ms)
        async for record in read_partitions(settings, [partition], since_ms):
            if record.offset >= ends:
                break
            found = _read(event, record.value)
            if found is not None and getattr(found, "exchange", None) != canary.EXCHANGE:
                yield found


async def _offset_at(settings: KafkaSettings, partition: TopicPartition, at_ms: int) -> int:
    reader = PartitionReader(settings, "alert-worker-digest")
    try:
        await reader.connect()
        return (await reader.offsets_since([partition], at_ms))[partition]
    finally:
        await reader.close()


def _read(event: type[E], value: bytes | None) -> E | None:
    try:
        return decode(event, value)
    except InvalidRecord:
        return None


def _midnight_ms(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)


if __name__ == "__main__":
    main()
