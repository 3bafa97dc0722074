"""38 midnights under load, with Kafka in the path and a clock of the sink's own: each day made, dropped, reconciled.

Trades come all the while, so that days are attached and dropped under running inserts.
"""

import asyncio
import time
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

import asyncpg
import pytest
from msgspec import structs

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

DAY_US, SECOND_US = 86_400_000_000, 1_000_000
MIDNIGHTS, RETENTION_DAYS = 38, 10
LATE_DAYS = (0, 0, 0, 0, 0, 0, 0, 0, 1, 7)
"""Of the trades that come at once, how late each is."""
PAUSE_S = 0.02
HOURS = (1, 6, 11, 12, 18, 23)
HANGS_S = 300
EPOCH = date(1970, 1, 1)
DAYS = "SELECT day FROM trade_day ORDER BY day"
HELD = "SELECT trade_id, (extract(epoch FROM traded_at) * 1000000)::bigint FROM trade ORDER BY 1"
EVER_HELD = "SELECT coalesce(sum(trades), 0)::bigint FROM candle_1m"


@dataclass
class Past:
    """Everything that was published: when it was traded, by trade id. `clock_us` is the sink's now.

    `received_us`: of each day of trades when the newest one was received.
    """

    tape: Tape
    clock_us: int
    traded_at_us: list[int] = field(default_factory=list)
    received_us: dict[int, int] = field(default_factory=dict)

    async def publish(self, until: asyncio.Event) -> None:
        """Some 500 trades a second, of now, of yesterday and of a week ago, in turn over the symbols."""
        while not until.is_set():
            await asyncio.gather(*[await self._send(days) for days in LATE_DAYS])
            await asyncio.sleep(PAUSE_S)

    async def _send(self, late_days: int) -> Any:
        number, at_us = len(self.traded_at_us), self.clock_us - late_days * DAY_US
        self.traded_at_us.append(at_us)
        self.received_us[at_us // DAY_US] = self.clock_us
        event = trade(SYMBOLS[number % len(SYMBOLS)], number)
        return await self.tape.send(structs.replace(event, traded_at_us=at_us, received_at_us=self.clock_us))

    def gone(self) -> set[int]:
        """The days whose newest trade was received before what is kept."""
        oldest = self.clock_us // DAY_US - RETENTION_DAYS
        return {day for day, received_us in self.received_us.items() if received_us // DAY_US < oldest}

    def kept(self, first: int) -> list[date]:
        """The days that are to be there, those made ahead among them."""
        ahead = range(first, self.clock_us // DAY_US + DAYS_AHEAD + 1)
        return [EPOCH + timedelta(days=day) for day in sorted({*ahead, *self.received_us} - self.gone())]

    def held(self) -> list[tuple[int, int]]:
        """(id, traded at) of the trades that are to be there."""
        gone = self.gone()
        return [(number, at_us) for number, at_us in enumerate(self.traded_at_us) if at_us // DAY_US not in gone]


async def test_each_day_is_made_dropped_and_reconciled_while_trades_come(
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
    enough = asyncio.Event()
    publishing = asyncio.create_task(past.publish(enough))

    async def until_days_are_right() -> None:
        """The clock goes on meanwhile, for a drop that did not get its lock is tried again some minutes later."""
        while [day["day"] for day in await owner.fetch(DAYS)] != past.kept(first):
            assert not serving.done()
            await asyncio.sleep(PAUSE_S)
            past.clock_us += 10 * SECOND_US

    async def until_stored(trades: int) -> None:
        while await owner.fetchval(EVER_HELD) < trades:
            assert not serving.done()
            await asyncio.sleep(PAUSE_S)

    async with asyncio.timeout(HANGS_S):
        for today in range(first, first + MIDNIGHTS + 1):
            past.clock_us = today * DAY_US
            await until_days_are_right()
            for hour in HOURS:
                past.clock_us = today * DAY_US + hour * 3600 * SECOND_US
                await until_stored(len(past.traded_at_us) + 1)
        enough.set()
        await publishing
        await until_stored(len(past.traded_at_us))
    assert past.gone()
    assert [tuple(one.values()) for one in await owner.fetch(HELD)] == past.held()
    assert await owner.fetchval(EVER_HELD) == len(past.traded_at_us)
    stop.set()
    await serving
    await owner.close()
