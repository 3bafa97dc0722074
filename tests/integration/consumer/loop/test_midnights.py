"""38 midnights under load, with Kafka in the path and a clock of the sink's own: each day made, dropped, reconciled."""

import asyncio
import time
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

import asyncpg
import msgspec
import pytest

from services.consumer.app import partitions_of, serve
from services.consumer.migrate import migrate
from services.consumer.sinks import SINKS, postgres_ownership
from services.consumer.sinks.postgres_days import DAYS_AHEAD
from services.consumer.sinks.postgres_sink import PostgresSink
from shared.clock import now_us
from shared.liveness import Liveness
from shared.partitioning import Shard
from shared.settings import PostgresSettings, Settings
from shared.topics import TRADES
from tests.integration.consumer.loop.conftest import SYMBOLS, Tape, trade

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

DAY_US, MINUTE_US = 86_400_000_000, 60_000_000
MIDNIGHTS, RETENTION_DAYS = 38, 10
MINUTES = (0, 1, 719, 1438, 1439)
AT_ONCE = 20
HANGS_S = 300
EPOCH = date(1970, 1, 1)
DAYS = "SELECT day FROM trade_day ORDER BY day"
HELD = "SELECT trade_id, (extract(epoch FROM traded_at) * 1000000)::bigint FROM trade ORDER BY 1"


@dataclass
class Past:
    """Everything that was published: when it was traded and received, by trade id. `clock_us` is the sink's now."""

    tape: Tape
    clock_us: int
    moments: list[tuple[int, int]] = field(default_factory=list)

    async def publish(self) -> None:
        """Trades of this minute, and late ones of yesterday and of a week ago, in turn over the symbols."""
        sent = []
        for late_us in (*(n * MINUTE_US // AT_ONCE for n in range(AT_ONCE)), -DAY_US, -7 * DAY_US):
            number, traded_at_us = len(self.moments), self.clock_us + late_us
            self.moments.append((traded_at_us, self.clock_us))
            event = trade(SYMBOLS[number % len(SYMBOLS)], number)
            event = msgspec.structs.replace(event, traded_at_us=traded_at_us, received_at_us=self.clock_us)
            sent.append(await self.tape.send(event))
        await asyncio.gather(*sent)

    def gone(self) -> set[int]:
        """The days whose newest trade was received before what is kept."""
        newest = {traded // DAY_US: received for traded, received in self.moments}
        oldest = self.clock_us // DAY_US - RETENTION_DAYS
        return {day for day, received_at_us in newest.items() if received_at_us // DAY_US < oldest}

    def kept(self, first: int) -> list[date]:
        """The days that are to be there, those made ahead among them."""
        ahead = range(first, self.clock_us // DAY_US + DAYS_AHEAD + 1)
        made = {*ahead, *(traded_at_us // DAY_US for traded_at_us, _ in self.moments)}
        return [EPOCH + timedelta(days=day) for day in sorted(made - self.gone())]

    def held(self) -> list[tuple[int, int]]:
        """(id, traded at) of the trades that are to be there."""
        gone = self.gone()
        return [(number, at_us) for number, (at_us, _) in enumerate(self.moments) if at_us // DAY_US not in gone]


async def test_each_day_is_made_dropped_and_reconciled_while_kafka_is_read(
    tape: Tape, fresh_database: PostgresSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = now_us() // DAY_US - MIDNIGHTS - 2  # behind the server's clock; of 38 days one ends a month
    past = Past(tape, first * DAY_US)
    await asyncio.to_thread(migrate, fresh_database, 5)
    row = replace(SINKS["postgres"], make=lambda settings: PostgresSink(settings, lambda: past.clock_us))
    monkeypatch.setitem(SINKS, "postgres", row)
    monkeypatch.setattr(postgres_ownership, "_CHECK_S", 0.05)
    kept = fresh_database.model_copy(update={"retention_days": RETENTION_DAYS})
    settings, stop = Settings(kafka=tape.kafka, postgres=kept), asyncio.Event()
    owned = partitions_of([TRADES], Shard())
    serving = asyncio.create_task(serve("postgres", owned, settings, stop, Liveness(time.monotonic, 600, 600)))
    owner = await asyncpg.connect(fresh_database.dsn.get_secret_value(), server_settings={"timezone": "UTC"})

    async def until(query: str, expected: list[tuple[Any, ...]]) -> None:
        found: list[tuple[Any, ...]] = []
        while found != expected and not serving.done():
            await asyncio.sleep(0.02)
            found = [tuple(one.values()) for one in await owner.fetch(query)]
        assert found == expected

    async with asyncio.timeout(HANGS_S):
        for today in range(first, first + MIDNIGHTS + 1):
            past.clock_us = today * DAY_US
            await until(DAYS, [(day,) for day in past.kept(first)])
            for minute in MINUTES:
                past.clock_us = today * DAY_US + minute * MINUTE_US
                await past.publish()
            await until(HELD, past.held())
        assert past.gone()
        assert await owner.fetchval("SELECT sum(trades) FROM candle_1m") == len(past.moments)
    stop.set()
    await serving
    await owner.close()
