"""Says again and again of each connection that it stands, and up to when Kafka holds all that came on it.

Whoever starts after a long outage then finds, for each symbol, a time not long before the outage: where a gap begins.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from services.producer.feed import Feed
from services.producer.publisher import Publisher

TELL_EVERY_S = 300.0
"""Of a symbol without a trade at the end of its partition, a gap may begin so much too early; a week's are some
thousand records, which a start reads within a second or two when it has to."""


async def tell_standing(publisher: Publisher, feeds: Sequence[Feed]) -> None:
    """Go on until cancelled."""
    while True:
        await asyncio.sleep(TELL_EVERY_S)
        standing = [(feed, feed.confirmed_at_us, feed.complete_us) for feed in feeds if feed.stands]
        put = publisher.trades_put
        with suppress(TimeoutError):
            async with asyncio.timeout(TELL_EVERY_S):
                await publisher.until_holds(put)
                for feed, confirmed_at_us, complete_us in standing:
                    if feed.stands and feed.confirmed_at_us == confirmed_at_us:
                        feed.tell_standing(complete_us)
