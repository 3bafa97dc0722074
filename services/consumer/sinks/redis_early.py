"""What may have been written of a topic made anew before that was known, read from Redis page by page."""

from collections.abc import Mapping

import structlog

from services.consumer.sinks.redis_blob import MOST_EARLY, Early, SymbolKey, early_entries, early_span, trades_key
from services.consumer.sinks.redis_connection import Connection, Script
from services.consumer.sinks.redis_positions import Position

_PAGE = 1000  # of eight streams: reading a thousand entries holds Redis for a millisecond or two
_EARLY = Script("redis_early.lua")
log = structlog.get_logger(__name__)


async def read_early(connection: Connection, stand: Mapping[SymbolKey, Position]) -> dict[SymbolKey, list[Early]]:
    """Of each symbol the newest entries of the log before, at most `MOST_EARLY`. Raises StoreFailed."""
    found: dict[SymbolKey, list[Early]] = {key: [] for key, at in stand.items() if at.begun}
    unfinished = list(found)
    while unfinished:
        spans = [(trades_key(*key), *early_span(stand[key], found[key])) for key in unfinished]
        pages = await connection.run(_EARLY, (_PAGE, spans))
        for key, page in zip(list(unfinished), map(early_entries, pages), strict=True):
            found[key] += page
            if len(page) < _PAGE or len(found[key]) >= MOST_EARLY:
                unfinished.remove(key)
    beyond = [":".join(key) for key, early in found.items() if len(early) >= MOST_EARLY]
    if beyond:
        log.warning(
            "a topic was made anew: only the newest entries move; what was received before them is taken as stored",
            symbols=beyond,
            newest=MOST_EARLY,
        )
    return found
