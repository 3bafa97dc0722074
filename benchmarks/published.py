"""Trades of made-up markets in Kafka, as a producer publishes them."""

import asyncio
import random
from itertools import accumulate

from aiokafka.structs import TopicPartition

from services.producer.publisher import Publisher
from services.reconcile.latency import Partition
from shared.clock import now_us
from shared.events import Trade
from shared.kafka import PartitionReader, make_producer
from shared.settings import KafkaSettings
from shared.topics import TRADES

SYMBOLS = 200
_CHUNK = 10_000
_DRAIN_WITHIN_S = 60.0


class Market:
    """Trades of 200 symbols; of the busiest there are as many as of the hundred and fifty quietest together."""

    def __init__(self, trades_per_s: int, seed: int = 7) -> None:
        self._step_us = 1_000_000 // trades_per_s
        self._random = random.Random(seed)
        self._symbols = [f"COIN{number}USDT" for number in range(SYMBOLS)]
        self._weights = list(accumulate(1 / (rank + 5) for rank in range(SYMBOLS)))
        self._number = 0
        self._at_us = now_us()

    def trades(self, count: int) -> list[Trade]:
        """The next ones."""
        chosen = self._random.choices(self._symbols, cum_weights=self._weights, k=count)
        return [self._trade(symbol) for symbol in chosen]

    def _trade(self, symbol: str) -> Trade:
        self._number = number = self._number + 1
        self._at_us = at_us = self._at_us + self._step_us
        return Trade(
            exchange="binance",
            symbol=symbol,
            base=symbol[:-4],
            quote="USDT",
            trade_id=str(3_735_000_000 + number),
            price=f"{61000 + number % 977}.{number % 100:02}000000",
            quantity=f"0.{number * 7919 % 99991 + 1:05}000",
            side="buy" if number % 3 else "sell",
            traded_at_us=at_us // 1000 * 1000,
            received_at_us=at_us,
        )


async def publish(kafka: KafkaSettings, market: Market, count: int) -> None:
    """Bring `count` trades to Kafka, acknowledged when it returns."""
    publisher = Publisher(lambda: make_producer(kafka, "benchmark", compression_type="snappy"), "binance", 5, now_us)
    running = asyncio.create_task(publisher.run())
    try:
        for at in range(0, count, _CHUNK):
            publisher.publish(market.trades(min(_CHUNK, count - at)))
            if not await publisher.drain(_DRAIN_WITHIN_S):
                raise TimeoutError("Kafka did not take the trades")
    finally:
        running.cancel()


async def trade_ends(kafka: KafkaSettings) -> dict[Partition, int]:
    """The offset that comes next, of every partition of the trades."""
    reader = PartitionReader(kafka, "benchmark")
    await reader.connect()
    try:
        ends = await reader.log_ends([TopicPartition(TRADES.name, number) for number in range(TRADES.partitions)])
    finally:
        await reader.close()
    return {(topic, number): end for (topic, number), end in ends.items() if end}
