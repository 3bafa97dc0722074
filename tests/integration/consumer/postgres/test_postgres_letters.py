"""Dead letters are kept as long as their topic keeps them, and then go in bites, by the sink's own rights."""

from datetime import timedelta

import asyncpg

from services.consumer.sinks.postgres_days import Days
from services.consumer.sinks.postgres_letters import HOUR_US, MOST_AT_ONCE
from shared.clock import now_us

AGES = "SELECT (now() - at > interval '30 days') AS is_old, count(*) FROM dead_letter GROUP BY 1 ORDER BY 1"


async def test_letters_past_retention_go_a_bite_at_a_time_and_the_others_stay(record, letter):
    await letter(timedelta(days=29, hours=23), copies=3)
    await letter(timedelta(days=30, minutes=1), copies=MOST_AT_ONCE + 2)
    session = await asyncpg.connect(record.settings.postgres.dsn.get_secret_value())
    days = Days(90, now_us)
    await days.keep(session)
    assert await record.rows(AGES) == [(False, 3), (True, 2)]
    await days.keep(session)
    assert await record.rows(AGES) == [(False, 3)]
    await session.close()


async def test_letters_that_have_become_old_go_with_the_next_hour(record, letter):
    session = await asyncpg.connect(record.settings.postgres.dsn.get_secret_value())
    clock_us = now_us() - HOUR_US
    days = Days(90, lambda: clock_us)
    await days.keep(session)
    await letter(timedelta(days=31))
    await days.keep(session)
    assert await record.rows(AGES) == [(True, 1)]
    clock_us += HOUR_US
    await days.keep(session)
    assert await record.rows(AGES) == []
    await session.close()


async def test_a_letter_that_somebody_holds_is_waited_for_by_nobody(record, letter):
    await letter(timedelta(days=31), copies=3)
    session = await asyncpg.connect(record.settings.postgres.dsn.get_secret_value())
    async with record.owner.transaction():
        await record.owner.execute("SELECT FROM dead_letter ORDER BY id LIMIT 1 FOR UPDATE")
        await Days(90, now_us).keep(session)
    assert await record.rows(AGES) == [(True, 1)]
    await session.close()


async def test_a_table_that_somebody_holds_ends_nobody(record, letter):
    await letter(timedelta(days=31))
    session = await asyncpg.connect(record.settings.postgres.dsn.get_secret_value())
    clock_us = now_us()
    days = Days(90, lambda: clock_us)
    async with record.owner.transaction():
        await record.owner.execute("LOCK TABLE dead_letter IN ACCESS EXCLUSIVE MODE")
        await days.keep(session)
    clock_us += HOUR_US
    await days.keep(session)
    assert await record.rows(AGES) == []
    await session.close()
