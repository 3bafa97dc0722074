"""What Redis needs with every market of both exchanges at the stream cap. `python -m benchmarks.redis_memory [SHARE]`.

Starts a Valkey of its own, writes through the sink, and prints the memory that the data took. SHARE (default 1) writes
only that share of the markets and scales the result up.
"""

import asyncio
import random
import sys
from collections.abc import Iterator

from aiokafka.structs import TopicPartition
from pydantic import SecretStr
from redis.asyncio import Redis

from devstack.places import DataDirectory
from devstack.server import Server
from devstack.valkey_server import Valkey
from services.consumer.batch import Batch, Slice
from services.consumer.sinks.redis_sink import RedisSink
from shared.events import Event, OrderBook, Ticker, Trade
from shared.settings import RedisSettings, Settings
from shared.topics import ORDERBOOKS, TICKERS, TRADES, Topic

UPBIT_MARKETS, BINANCE_MARKETS = 855, 1500
BATCH_TRADES = 1000
NOW_US = 1_790_000_000_000_000


def markets(share: float) -> list[tuple[str, str, str, str]]:
    """(exchange, symbol, base, quote) of a share of the markets of both exchanges."""
    upbit = [("upbit", f"KRW-C{i:03}", f"C{i:03}", "KRW") for i in range(round(UPBIT_MARKETS * share))]
    return upbit + [("binance", f"C{i:04}USDT", f"C{i:04}", "USDT") for i in range(round(BINANCE_MARKETS * share))]


def trades(market: tuple[str, str, str, str], count: int, rng: random.Random) -> Iterator[Trade]:
    """Trades as long as real ones: Upbit's ids have 17 digits, prices and quantities eight behind the point."""
    exchange, symbol, base, quote = market
    first_id = 17_583_412_345_670_000 if exchange == "upbit" else 4_100_000_000
    price = rng.uniform(0.1, 90_000)
    for i in range(count):
        traded_at_us = NOW_US + i * 700_000
        yield Trade(
            exchange=exchange,
            symbol=symbol,
            base=base,
            quote=quote,
            trade_id=str(first_id + i * (1000 if exchange == "upbit" else 1)),
            price=f"{price * rng.uniform(0.99, 1.01):.8f}",
            quantity=f"{rng.expovariate(10):.8f}1",
            side=rng.choice(("buy", "sell")),
            traded_at_us=traded_at_us // 1000 * 1000,
            received_at_us=traded_at_us + rng.randrange(5_000, 90_000),
        )


def newest(market: tuple[str, str, str, str], rng: random.Random) -> tuple[Ticker, OrderBook]:
    """A ticker and an order book of 15 levels of the market."""
    names = dict(zip(("exchange", "symbol", "base", "quote"), market, strict=True))
    number = f"{rng.uniform(0.1, 90_000):.8f}"
    numbers = dict.fromkeys(("price", "open", "high", "low", "volume_24h", "turnover_24h"), number)
    levels = [(number, number)] * 15
    ticker = Ticker(**names, **numbers, window="utc_day", event_at_us=NOW_US, received_at_us=NOW_US, bid_price=number)
    return ticker, OrderBook(**names, bids=levels, asks=levels, sequence=1, received_at_us=NOW_US)


class Writer:
    """Hands events to the sink in batches, all of a topic's first partition."""

    def __init__(self, sink: RedisSink) -> None:
        self._sink = sink
        self._next: dict[str, int] = {}

    async def write(self, topic: Topic, events: list[Event]) -> None:
        for at in range(0, len(events), BATCH_TRADES):
            some = events[at : at + BATCH_TRADES]
            first = self._next.get(topic.name, 0)
            after = self._next[topic.name] = first + len(some)
            await self._sink.write(Batch("b", (Slice(topic.name, 0, first, after, list(range(first, after)), some),)))


async def measure(address: str, share: float) -> tuple[int, int]:
    """(bytes that the data took, symbols written)."""
    settings = Settings(redis=RedisSettings(url=SecretStr(address)))
    client, sink = Redis.from_url(address), RedisSink(settings)
    await sink.open({TopicPartition(topic.name, 0): "id" for topic in sink.topics})
    empty = (await client.info("memory"))["used_memory"]
    rng, writer, chosen = random.Random(7), Writer(sink), markets(share)
    for market in chosen:
        # One entry beyond the cap, so that Redis trims, as it does for ever after.
        await writer.write(TRADES, list(trades(market, settings.redis.stream_cap + 100, rng)))
        ticker, book = newest(market, rng)
        await writer.write(TICKERS, [ticker])
        await writer.write(ORDERBOOKS, [book])
    used = (await client.info("memory"))["used_memory"]
    await sink.close()
    await client.aclose()
    return used - empty, len(chosen)


def main() -> None:
    share = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    directory = DataDirectory()
    server = Server(Valkey(directory.path, maxmemory="0"))
    try:
        server.start()
        used, symbols = asyncio.run(measure(server.address, share))
    finally:
        server.stop()
        directory.close()
    cap, all_symbols = RedisSettings().stream_cap, UPBIT_MARKETS + BINANCE_MARKETS
    print(f"{symbols} symbols x {cap} trades, ticker and order book: {used / 1e6:.0f} MB")
    print(
        f"all {all_symbols} symbols: {used / symbols * all_symbols / 1e6:.0f} MB, {used / symbols / cap:.1f} B a trade"
    )


if __name__ == "__main__":
    main()
