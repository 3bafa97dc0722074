"""The same trades written the way that is written first: a pipeline of XADD and HSET, `executemany` of INSERT."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

import asyncpg
from redis.asyncio import Redis

from shared.events import Trade
from shared.settings import Settings
from shared.wire import encode

BATCH = 1000


@dataclass(frozen=True)
class Cost:
    """What a trade costs this process, and how many went in a second."""

    cpu_us: float
    trades_per_s: float


async def redis_pipeline(settings: Settings, trades: Sequence[Trade]) -> Cost:
    """One JSON field a stream entry, and the newest price in a hash; no position, no repeats refused."""
    values = [encode(trade) for trade in trades]
    async with Redis.from_url(settings.redis.url.get_secret_value()) as client:
        watch = _Watch()
        for at in range(0, len(values), BATCH):
            pipeline = client.pipeline(transaction=False)
            for value in values[at : at + BATCH]:
                trade = json.loads(value)
                name = f"{trade['exchange']}:{trade['symbol']}"
                pipeline.xadd(f"naive:{name}", {"trade": value}, maxlen=2000, approximate=True)
                pipeline.hset(f"naive-newest:{name}", mapping={"price": trade["price"], "at": trade["traded_at_us"]})
            await pipeline.execute()
        return watch.cost(len(values))


async def postgres_executemany(settings: Settings, trades: Sequence[Trade]) -> Cost:
    """A table with a text key; no position, no candles."""
    values = [encode(trade) for trade in trades]
    connection = await asyncpg.connect(settings.postgres.dsn.get_secret_value())
    try:
        await connection.execute(
            "CREATE TABLE naive (exchange text, symbol text, trade_id text, price numeric, quantity numeric, side text,"
            " traded_at timestamptz, received_at timestamptz, PRIMARY KEY (exchange, symbol, trade_id))"
        )
        insert = "INSERT INTO naive VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING"
        watch = _Watch()
        for at in range(0, len(values), BATCH):
            await connection.executemany(insert, [_row(json.loads(value)) for value in values[at : at + BATCH]])
        return watch.cost(len(values))
    finally:
        await connection.close()


def _row(trade: dict[str, str]) -> tuple[object, ...]:
    names = (trade["exchange"], trade["symbol"], trade["trade_id"])
    times = (datetime.fromtimestamp(int(trade[key]) / 1e6, UTC) for key in ("traded_at_us", "received_at_us"))
    return (*names, Decimal(trade["price"]), Decimal(trade["quantity"]), trade["side"], *times)


class _Watch:
    def __init__(self) -> None:
        self._cpu_s, self._wall_s = time.process_time(), time.perf_counter()

    def cost(self, trades: int) -> Cost:
        cpu_s, wall_s = time.process_time() - self._cpu_s, time.perf_counter() - self._wall_s
        return Cost(cpu_s / trades * 1e6, trades / wall_s)
