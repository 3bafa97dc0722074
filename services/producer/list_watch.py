"""Asks the exchange for its list again and again, beside the tape, which never waits for it."""

import asyncio
import random
from collections.abc import Awaitable, Callable

import structlog

from services.producer.market_list import Changes, MarketList
from services.producer.rest import ListUnavailable, Rest
from shared.clock import NowMicros
from shared.metrics import LISTS

log = structlog.get_logger(__name__)

LONGEST_S = 3_600.0
_SPREAD = 0.1
"""Shards of one exchange may share an address, and shall not ask at the same moment."""


def pause_s(every_s: float, refusals: int, luck: float) -> float:
    """How long until the list is asked for again after so many refusals in a row; `luck` in [0, 1) spreads it."""
    longest = max(every_s, LONGEST_S)
    return min(longest, every_s * 2.0 ** min(refusals, 12)) * (1 + _SPREAD * luck)


async def watch_list(
    rest: Rest, known: MarketList, every_s: float, now: NowMicros, take: Callable[[Changes], Awaitable[None]]
) -> None:
    """Go on until cancelled; `take` hears what every list changed, were it nothing."""
    refusals = 0
    while True:
        await asyncio.sleep(max(pause_s(every_s, refusals, random.random()), rest.quiet_s))
        try:
            fresh = await rest.markets(known.markets)
        except ListUnavailable as error:
            refusals += 1
            LISTS.labels(rest.exchange, "refused").inc()
            log.warning(
                "the exchange gave no list", exchange=rest.exchange, reason=str(error), in_a_row=refusals,
                wants_us_to_wait_s=round(error.wait_s),
            )  # fmt: skip
            continue
        refusals = 0
        LISTS.labels(rest.exchange, "read").inc()
        await take(known.renew(fresh, now()))
