"""The faults that tests strike: after each, all that was published is in every store, once, in order."""

from random import Random
from typing import Any

import asyncpg
import pytest
from redis.asyncio import Redis

from tests.faults.catalogue import FAULTS
from tests.faults.conftest import SEED
from tests.faults.fault import Fault, Struck
from tests.faults.harness import Strikes
from tests.faults.plan import Planned, choose, plan
from tests.faults.world import World

QUICK = [
    pytest.param(
        one,
        id=f"{one.fault.code}-{one.fault.name}",
        marks=[pytest.mark.long] if one.fault.target == "test-long" else [],
    )
    for one in plan(choose(FAULTS, quick=True), SEED)["plain"]
]

pytestmark = [pytest.mark.servers, pytest.mark.timeout(240), pytest.mark.asyncio(loop_scope="module")]


@pytest.mark.parametrize("planned", QUICK)
async def test_every_invariant_holds(strikes: Strikes, planned: Planned) -> None:
    outcome = await strikes.strike(planned)

    assert outcome.broken == []
    assert outcome.published > 0


async def test_what_is_really_lost_and_doubled_is_noticed(strikes: Strikes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strikes, "lost_after_s", 0.0)  # nobody holds it, as we know
    outcome = await strikes.strike(Planned(Fault("F0", "sabotage", "done by hand", sabotage, bound_s=10), "luck"))

    assert outcome.broken == ["2 lost", "1 doubled", "1 out of order"]


async def sabotage(world: World, _random: Random) -> Struck:
    """A trade less in each store, one twice in Redis, and two there that changed places."""
    await world.market.pause()
    await world.at_rest()
    connection = await asyncpg.connect(world.settings.postgres.dsn.get_secret_value())
    await connection.execute("DELETE FROM trade WHERE (tableoid, ctid) = (SELECT tableoid, ctid FROM trade LIMIT 1)")
    await connection.close()
    async with Redis.from_url(world.settings.redis.url.get_secret_value()) as redis:
        entries = await redis.xrange("trades:upbit:KRW-BTC")
        await redis.delete("trades:upbit:KRW-BTC")
        for entry_id, fields in spoiled(entries):
            await redis.xadd("trades:upbit:KRW-BTC", fields, id=entry_id)
    await world.market.resume()
    return Struck()


def spoiled(entries: Any) -> list[tuple[str, Any]]:
    """Without its third entry; the last two have changed places; the second is there once more, behind itself."""
    numbers = [int(entry_id.split(b"-")[1]) for entry_id, _ in entries]
    fields = [values for _, values in entries]
    fields[-2:] = fields[:-3:-1]
    rows = dict(zip(numbers, fields, strict=True))
    rows[numbers[2]] = fields[1]
    return [(f"1-{number}", values) for number, values in rows.items()]
