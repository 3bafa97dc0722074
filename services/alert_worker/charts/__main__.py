"""Draws one chart in a process of its own: a request on stdin, an answer on stdout, both JSON.

The memory that a drawing library takes is given back with the process, and its work never delays a decision: who
decides, stores or receives has the processor first.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator

import msgspec
from aiokafka.structs import TopicPartition

from services.alert_worker.charts.bars import HOUR_US, MINUTE_US, Bars, span
from services.alert_worker.charts.picture import Chart, Mark, draw, price_text
from services.alert_worker.charts.request import ChartAnswer, ChartRequest
from services.alert_worker.topic_reader import read_partitions
from shared.events import Candle, Trade
from shared.partitioning import partition_of, symbol_key
from shared.settings import KafkaSettings, load_settings
from shared.topics import CANDLES, TRADES, Topic
from shared.wire import InvalidRecord, decode

MOST_RECORDS = 1_000_000
"""Of the partition, all symbols counted: what is older than that is left out of a very busy hour."""

_NICE = 5


def main() -> None:
    """See the module."""
    os.nice(_NICE)
    request = msgspec.json.decode(sys.stdin.buffer.read(), type=ChartRequest)
    bars = asyncio.run(gather(load_settings().kafka, request))
    sys.stdout.buffer.write(msgspec.json.encode(answer(request, bars)))


async def gather(settings: KafkaSettings, request: ChartRequest) -> Bars:
    """Read the hour from the topics of trades and, where those do not reach back, of the exchange's minutes."""
    bars = Bars(request.to_us - HOUR_US, request.to_us)
    key = symbol_key(request.exchange, request.symbol)
    since_ms = (request.received_at_us - HOUR_US) // 1000
    async for value in _values(settings, TRADES, key, since_ms):
        try:
            bars.add(decode(Trade, value))
        except InvalidRecord:
            continue
    if bars.first_us < request.to_us - HOUR_US + 2 * MINUTE_US:
        return bars
    async for value in _values(settings, CANDLES, key, None):
        try:
            bars.add_minute(decode(Candle, value))
        except InvalidRecord:
            continue
    return bars


async def _values(settings: KafkaSettings, topic: Topic, key: str, since_ms: int | None) -> AsyncIterator[bytes]:
    wanted, partition = key.encode(), TopicPartition(topic.name, partition_of(key, topic.partitions))
    async for record in read_partitions(settings, [partition], since_ms, MOST_RECORDS):
        if record.key == wanted and record.value is not None:
            yield record.value


def answer(request: ChartRequest, gathered: Bars) -> ChartAnswer:
    """The picture of what was gathered."""
    bars, bar_s = gathered.drawn()
    if not bars:
        return ChartAnswer(bars=0)
    to_us = bars[-1].opened_at_us + bar_s * 1_000_000
    from_us = span(bars, to_us, bar_s)
    png = draw(
        Chart(
            request.title, request.quote, bars, from_us, to_us, bar_s,
            marks=[Mark(mark.at_us, mark.label, mark.tone) for mark in request.marks],
            reference=request.reference, reference_label=request.reference_label,
            volume_label=request.volume_label, korean_colours=request.korean_colours,
        )
    )  # fmt: skip
    return ChartAnswer(
        bars=len(bars),
        minutes=round((to_us - bars[0].opened_at_us) / 60e6),
        low=price_text(min(bar.low for bar in bars)),
        high=price_text(max(bar.high for bar in bars)),
        last=price_text(bars[-1].close),
        png=png,
    )


if __name__ == "__main__":
    main()
