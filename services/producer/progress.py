"""Once a second: whether what was received gets to Kafka, or why nothing is on its way.

An exchange that is away is the feeds' matter: they try again and tell. Kafka away is told here and is no reason to
start over, for a new process would have lost what this one holds.
"""

import asyncio
from collections.abc import Sequence

from services.producer.feed import Feed
from services.producer.publisher import Publisher
from shared.liveness import Liveness

_EVERY_S = 1.0
_CLIENT_GIVES_UP_S = 90.0
"""A Kafka client fails by itself what is not acknowledged in time, and is replaced; one that does not is stuck."""


async def tell_progress(publisher: Publisher, feeds: Sequence[Feed], liveness: Liveness) -> None:
    """Go on until cancelled."""
    seen, unacknowledged_s = 0, 0.0
    while True:
        await asyncio.sleep(_EVERY_S)
        moved, seen = publisher.acknowledged - seen, publisher.acknowledged
        up = sum(feed.is_up for feed in feeds)
        unacknowledged_s = 0.0 if moved or publisher.is_idle else unacknowledged_s + _EVERY_S
        connected = f"{up} of {len(feeds)} connections up"
        if publisher.is_away:
            liveness.waits(f"Kafka is away, holding what comes; {connected}")
        elif moved:
            liveness.moved(f"{moved / _EVERY_S:,.0f} records/s to Kafka; {connected}")
        elif publisher.is_idle and up == len(feeds):
            liveness.moved(f"idle: nothing comes; {connected}")
        elif publisher.is_idle:
            liveness.waits(connected)
        elif unacknowledged_s < _CLIENT_GIVES_UP_S:
            liveness.waits(f"Kafka has acknowledged nothing for {unacknowledged_s:.0f} s; {connected}")
