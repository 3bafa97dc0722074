"""A flood of unreadable records that comes in small batches: no restart lets more of it through, a person may."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from services.consumer.migrate import migrate
from shared.settings import PostgresSettings
from shared.topics import DEAD_LETTERS, TRADES

MOST_DIVERTED = 500
FLOOD = f"more than half of the last thousand records of {TRADES.name} could not be read"


@pytest.fixture(params=["redis", "postgres"])
async def start(
    request: pytest.FixtureRequest, start_consumer: Callable[..., Any], fresh_database: PostgresSettings
) -> Callable[..., Any]:
    await asyncio.to_thread(migrate, fresh_database, 5)
    address = fresh_database.dsn.get_secret_value()

    def start(**settings: str) -> Any:
        return start_consumer(sink=request.param, POSTGRES__DSN=address, START__WAIT_S="20", **settings)

    start.sink = request.param  # type: ignore[attr-defined]
    return start


async def trickle(tape: Any, consumer: Any) -> int:
    """Send ten at a time, that nobody can read, until the consumer ends; how many."""
    sent = 0
    while consumer.running:
        offsets = [
            await tape.producer.send(TRADES.name, b"{", partition=sent // 10 % 2, headers=[("schema", b"trade/1")])
            for _ in range(10)
        ]
        await asyncio.gather(*offsets)
        sent += 10
        await asyncio.sleep(0.02)
    assert await consumer.ended() == 1
    assert FLOOD in consumer.said()[-1]["event"]
    return sent


async def diverted(tape: Any) -> set[tuple[int | None, int | None]]:
    return {(letter.partition, letter.offset) for letter in await tape.read(DEAD_LETTERS)}


@pytest.mark.timeout(120)
async def test_it_stops_again_after_each_restart_until_a_person_lets_it_through(
    tape: Any, start: Callable[..., Any]
) -> None:
    sent = 0
    for _ in range(4):
        consumer = start()
        await consumer.until_said("consuming")
        sent += await trickle(tape, consumer)
        assert MOST_DIVERTED - 50 < len(await diverted(tape)) <= MOST_DIVERTED

    _, _, until = consumer.said()[-1]["event"].rpartition("TAPEWATCH_DEAD_LETTERS__FLOOD_UNTIL=")
    through = start(DEAD_LETTERS__FLOOD_UNTIL=until)
    await tape.trades(120)
    await tape.until_committed(f"tapewatch-{start.sink}")  # type: ignore[attr-defined]
    assert len(await diverted(tape)) == sent
    assert through.running
