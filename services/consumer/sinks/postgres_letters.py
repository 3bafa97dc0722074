"""Dead letters in the record: dropped when they are older than what their topic keeps."""

from datetime import timedelta

import asyncpg
import structlog

from services.consumer.sinks.postgres_rows import DAY_US, EPOCH
from services.consumer.sinks.postgres_session import Session
from shared.clock import NowMicros
from shared.topics import DEAD_LETTERS

log = structlog.get_logger(__name__)
HOUR_US = DAY_US // 24
MOST_AT_ONCE = 500
"""Each is up to 88 kB of text: a second's work at most, so that whoever waits for the same session is not held up."""
_KEPT = timedelta(milliseconds=DEAD_LETTERS.retention_ms or 0)


class OldLetters:
    """Drops what is past retention, whoever stored it."""

    def __init__(self, now_us: NowMicros) -> None:
        self._now_us = now_us
        self._none_left_in: int | None = None

    async def drop(self, session: Session) -> None:
        """Called again and again: the oldest `MOST_AT_ONCE`, until none is left; then again with the next hour."""
        now_us = self._now_us()
        hour = now_us // HOUR_US
        if hour == self._none_left_in:
            return
        at = EPOCH + timedelta(microseconds=now_us)
        try:
            dropped = await session.fetchval("SELECT drop_dead_letters($1, $2, $3)", _KEPT, at, MOST_AT_ONCE)
        except asyncpg.LockNotAvailableError:
            log.warning("the table of dead letters is in use, those past retention are kept for now")
            dropped = 0
        if dropped:
            log.info("dropped dead letters", letters=dropped, retention_days=_KEPT.days)
        if dropped < MOST_AT_ONCE:
            self._none_left_in = hour
