"""Once a second: whether what was received gets to Kafka, or why nothing is on its way.

An exchange that is away is the feeds' matter: they try again and tell. What we say ourselves, of markets and their
candles, makes no producer ready that hears none of them. Kafka away is told here and is no reason to
start over, for a new process would have lost what this one holds.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from services.producer.feed import Feed
from services.producer.lanes import Place
from services.producer.publisher import Publisher
from shared.liveness import Liveness

_EVERY_S = 1.0
_CLIENT_GETS_S, _CLIENT_GETS_AT_MOST_S = 40.0, 1_280.0
"""Longer than a broker takes to come back, and than the others take to agree on who leads instead. An idempotent client
never gives a batch up by itself, and the process would hold what nobody sends again, for ever if it is one partition's
while others go on. A partition that another client does not help gets twice as long each time: each replacement
interrupts the others."""


class Held:
    """Which partitions' batches have been on their way for too long. Pure."""

    def __init__(self) -> None:
        self._since_s: dict[tuple[Place, int], float] = {}
        self._patience_s: dict[Place, float] = {}

    def too_long(self, on_the_way: Mapping[Place, int], now_s: float) -> list[Place]:
        """Those that now have been; another client is to be had for them. `on_the_way`: numbers of batches."""
        self._since_s = {batch: self._since_s.get(batch, now_s) for batch in on_the_way.items()}
        self._patience_s = {place: s for place, s in self._patience_s.items() if place in on_the_way}
        found = [
            place
            for (place, _), since_s in self._since_s.items()
            if now_s - since_s >= self._patience_s.get(place, _CLIENT_GETS_S)
        ]
        for place in found:
            patience_s = self._patience_s.get(place, _CLIENT_GETS_S)
            self._patience_s[place] = min(2 * patience_s, _CLIENT_GETS_AT_MOST_S)
        return sorted(found)


async def tell_progress(
    publisher: Publisher, feeds: Sequence[Feed], liveness: Liveness, more: Callable[[], str] = str
) -> None:
    """Go on until cancelled. `more`: what else there is to say of the exchange, empty for nothing."""
    seen, unacknowledged_s, held, clock = 0, 0.0, Held(), asyncio.get_running_loop().time
    while True:
        await asyncio.sleep(_EVERY_S)
        moved, seen = publisher.acknowledged - seen, publisher.acknowledged
        up = sum(feed.is_up for feed in feeds)
        unacknowledged_s = 0.0 if moved or publisher.is_idle else unacknowledged_s + _EVERY_S
        connected = "; ".join(filter(None, (_connected(feeds, up), more())))
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
        if not publisher.is_away and (stuck := held.too_long(publisher.on_the_way, clock())):
            where = ", ".join(f"{topic}/{partition}" for topic, partition in stuck)
            publisher.give_up_client(f"a batch was not acknowledged for too long: {where}")


def _connected(feeds: Sequence[Feed], up: int) -> str:
    reasons = {feed.last_ending: None for feed in feeds if feed.last_ending and not feed.is_up}
    return f"{up} of {len(feeds)} connections up" + "".join(f"; {reason}" for reason in list(reasons)[:1])
