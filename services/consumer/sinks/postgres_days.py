"""The days of `trade`: made ahead and when a trade needs one, dropped when everything in them is old."""

from datetime import timedelta

import asyncpg
import structlog

from services.consumer.sinks.postgres_letters import HOUR_US, OldLetters
from services.consumer.sinks.postgres_rows import DAY_US, EPOCH, date_of
from services.consumer.sinks.postgres_session import Session
from shared.clock import NowMicros

log = structlog.get_logger(__name__)
DAYS_AHEAD = 3
TRIES_AGAIN_US = HOUR_US // 6
"""While a drop waits for its lock, new inserts wait behind it."""
_WAITS_FOR_AUDITOR = """
SELECT NOT trade_day_audited($1::date)
    AND EXISTS (SELECT FROM trade WHERE traded_at >= $1::date::timestamptz AND traded_at < ($1::date + 1)::timestamptz)
"""
"""A day without trades is kept for its first one instead."""


class Days:
    """Which days have a table, as far as this process knows. A day that another process drops ends ours, which
    makes it anew at its next start.
    """

    def __init__(self, retention_days: int, now_us: NowMicros) -> None:
        self._retention = timedelta(days=retention_days)
        self._now_us = now_us
        self._letters = OldLetters(now_us)
        self._known: set[int] = set()
        self._made_ahead_in: int | None = None
        self._dropped_on: int | None = None
        self._tried_in: int | None = None

    def missing(self, days: set[int]) -> set[int]:
        """Those of `days` that have no table yet."""
        return days - self._known

    async def make(self, session: Session, days: set[int]) -> None:
        """Make what is missing of `days`. Safe beside others who do the same."""
        for day in sorted(self.missing(days)):
            if await session.fetchval("SELECT make_trade_day($1)", date_of(day)):
                log.info("made a day of trades", day=str(date_of(day)))
            self._known.add(day)

    async def keep(self, session: Session) -> None:
        """Called again and again: with every hour of the clock make days ahead, with every midnight drop old ones;
        and drop old dead letters.

        Where somebody reads at midnight, drops are tried again every ten minutes.
        """
        now_us = self._now_us()
        hour, day, turn = now_us // HOUR_US, now_us // DAY_US, now_us // TRIES_AGAIN_US
        if hour != self._made_ahead_in:
            await self.make_ahead(session)
            self._made_ahead_in = hour
        if day != self._dropped_on and turn != self._tried_in:
            self._tried_in = turn
            if await self.drop_old(session):
                self._dropped_on = day
        await self._letters.drop(session)

    async def make_ahead(self, session: Session) -> None:
        """Make today and the days after it, so that midnight finds its table ready."""
        today = self._now_us() // DAY_US
        await self.make(session, set(range(today, today + DAYS_AHEAD + 1)))

    async def drop_old(self, session: Session) -> bool:
        """Drop the days that are past retention. Return whether none had to be kept because somebody reads it."""
        now_us, kept, unaudited = self._now_us(), 0, []
        oldest = date_of(now_us // DAY_US) - self._retention
        at = EPOCH + timedelta(microseconds=now_us)
        for record in await session.fetch("SELECT day FROM trade_day WHERE day < $1 ORDER BY day", oldest):
            try:
                dropped = await session.fetchval(
                    "SELECT drop_trade_day($1, $2, $3)", record["day"], self._retention, at
                )
            except asyncpg.LockNotAvailableError:
                log.warning("a day past retention is in use, it is kept for now", day=str(record["day"]))
                kept += 1
                continue
            if dropped:
                self._known = {day for day in self._known if date_of(day) != record["day"]}
                log.info("dropped a day of trades", day=str(record["day"]), retention_days=self._retention.days)
            elif await session.fetchval(_WAITS_FOR_AUDITOR, record["day"]):
                unaudited.append(record["day"])
        if unaudited:
            # An auditor that was switched off would keep every day from then on, and nobody would know why.
            log.warning("days past retention wait for their auditor", oldest=str(unaudited[0]), days=len(unaudited))
        return not kept
