"""Once a second: whether what was received gets to Kafka, or why nothing is on its way.

An exchange that is away is the feeds' matter: they try again and tell. What we say ourselves, of markets and their
candles, makes no producer ready that hears none of them. Kafka away is told here and is no reason to
start over, for a new process would have lost what this one holds.
"""

import asyncio
from collections.abc import Mapping, Sequence

from services.producer.feed import Feed
from services.producer.lanes import Place
from services.producer.publisher import Publisher
from shared.liveness import Liveness

_EVERY_S = 1.0
_CLIENT_GETS_S = 40.0
"""Longer than a broker takes to come back, and than the others take to agree on who leads instead. An idempotent client
never gives a batch up by itself, and the process would hold what nobody sends again, for ever if it is one partition's
while others go on."""


class Looks:
    """For how many looks each partition's batch has been on its way. Pure."""

    def __init__(self) -> None:
        self._seen: dict[tuple[Place, int], int] = {}

    def look(self, on_the_way: Mapping[Place, int]) -> dict[Place, int]:
        """The looks since the first one that saw this batch, by partition. `on_the_way`: numbers of batches."""
        self._seen = {batch: self._seen.get(batch, -1) + 1 for batch in on_the_way.items()}
        return {place: looks for (place, _), looks in self._seen.items()}


async def tell_progress(publisher: Publisher, feeds: Sequence[Feed], liveness: Liveness) -> None:
    """Go on until cancelled."""
    seen, unacknowledged_s, looks = 0, 0.0, Looks()
    while True:
        await asyncio.sleep(_EVERY_S)
        moved, seen = publisher.acknowledged - seen, publisher.acknowledged
        up = sum(feed.is_up for feed in feeds)
        unacknowledged_s = 0.0 if moved or publisher.is_idle else unacknowledged_s + _EVERY_S
        connected = _connected(feeds, up)
        held_s = {place: count * _EVERY_S for place, count in looks.look(publisher.on_the_way).items()}
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
        if stuck := sorted(place for place, seconds in held_s.items() if seconds >= _CLIENT_GETS_S):
            where = ", ".join(f"{topic}/{partition}" for topic, partition in stuck)
            publisher.give_up_client(f"a batch was not acknowledged for {_CLIENT_GETS_S:.0f} s: {where}")


def _connected(feeds: Sequence[Feed], up: int) -> str:
    reasons = {feed.last_ending: None for feed in feeds if feed.last_ending and not feed.is_up}
    return f"{up} of {len(feeds)} connections up" + "".join(f"; {reason}" for reason in list(reasons)[:1])
