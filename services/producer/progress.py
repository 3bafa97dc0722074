"""Once a second: whether what was received gets to Kafka, or why nothing is on its way.

An exchange that is away is the feeds' matter: they try again and tell. What we say ourselves, of markets and their
candles, makes no producer ready that hears none of them. Kafka away is told here and is no reason to
start over, for a new process would have lost what this one holds.
"""

import asyncio
from collections.abc import Sequence

from services.producer.feed import Feed
from services.producer.publisher import Publisher
from shared.liveness import Liveness

_EVERY_S = 1.0
_CLIENT_GETS_S = 40.0
"""Longer than a broker takes to come back. An idempotent client never gives a batch up by itself, and the process would
look stuck while it holds what nobody sends again."""


async def tell_progress(publisher: Publisher, feeds: Sequence[Feed], liveness: Liveness) -> None:
    """Go on until cancelled."""
    seen, unacknowledged_s = 0, 0.0
    while True:
        await asyncio.sleep(_EVERY_S)
        moved, seen = publisher.acknowledged - seen, publisher.acknowledged
        up = sum(feed.is_up for feed in feeds)
        unacknowledged_s = 0.0 if moved or publisher.is_idle else unacknowledged_s + _EVERY_S
        connected = _connected(feeds, up)
        if publisher.is_away:
            liveness.waits(f"Kafka is away, holding what comes; {connected}")
        elif moved and (up or not feeds):
            liveness.moved(f"{moved / _EVERY_S:,.0f} records/s to Kafka; {connected}")
        elif publisher.is_idle and up == len(feeds):
            liveness.moved(f"idle: nothing comes; {connected}")
        elif moved or publisher.is_idle:
            liveness.waits(connected)
        else:
            liveness.waits(f"Kafka has acknowledged nothing for {unacknowledged_s:.0f} s; {connected}")
            if unacknowledged_s >= _CLIENT_GETS_S:
                publisher.give_up_client(f"nothing acknowledged for {unacknowledged_s:.0f} s")
                unacknowledged_s = 0.0


def _connected(feeds: Sequence[Feed], up: int) -> str:
    reasons = {feed.last_ending: None for feed in feeds if feed.last_ending and not feed.is_up}
    return f"{up} of {len(feeds)} connections up" + "".join(f"; {reason}" for reason in list(reasons)[:1])
