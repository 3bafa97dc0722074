"""Once a second: whether what was received gets to Kafka, or why nothing is on its way.

An exchange that is away is the feeds' matter: they try again and tell. What we say ourselves, of markets and their
candles, makes no producer ready that hears none of them. Kafka away is told here and is no reason to
start over, for a new process would have lost what this one holds. So systemd's watchdog is fed for as long as this loop
runs, and whoever asks whether the producer serves (`/readyz`) hears that it waits.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from services.producer.feed import Feed
from services.producer.lanes import Place
from services.producer.publisher import Publisher
from shared.clock import NowMicros
from shared.figures import figures
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
    publisher: Publisher, feeds: Sequence[Feed], liveness: Liveness, now_us: NowMicros, more: Callable[[], str] = str
) -> None:
    """Go on until cancelled. `more`: what else there is to say of the exchange, empty for nothing."""
    seen, held, clock = 0, Held(), asyncio.get_running_loop().time
    while True:
        await asyncio.sleep(_EVERY_S)
        moved, seen = publisher.acknowledged - seen, publisher.acknowledged
        up = sum(feed.is_up for feed in feeds)
        says = "; ".join(filter(None, (_figures(publisher, moved, now_us()), _connected(feeds, up), more())))
        if (missing := _missing(publisher, moved, up, len(feeds))) is not None:
            liveness.waits(f"waiting for {liveness.waits_s:.0f} s: {missing}; {says}")
        else:
            liveness.moved(says if moved else f"{says}; idle: nothing comes")
        if not publisher.is_away and (stuck := held.too_long(publisher.on_the_way, clock())):
            where = ", ".join(f"{topic}/{partition}" for topic, partition in stuck)
            publisher.give_up_client(f"a batch was not acknowledged for too long: {where}")


def _figures(publisher: Publisher, moved: int, now_us: int) -> str:
    rate, lag = f"{moved / _EVERY_S:,.0f} records/s to Kafka", f"{publisher.unacknowledged:,} unacknowledged"
    return figures(rate, lag, publisher.newest_trade_us, now_us)


def _missing(publisher: Publisher, moved: int, up: int, feeds: int) -> str | None:
    """What keeps it from bringing anything to Kafka; None when something got there, or nothing came to be brought."""
    if publisher.is_away:
        return "Kafka is away, holding what comes"
    if not moved and not publisher.is_idle:
        return "Kafka acknowledges nothing"
    if up == feeds or (moved and up):
        return None
    return "not every connection to the exchange is up" if up else "no connection to the exchange is up"


def _connected(feeds: Sequence[Feed], up: int) -> str:
    reasons = {feed.last_ending: None for feed in feeds if feed.last_ending and not feed.is_up}
    return f"{up} of {len(feeds)} connections up" + "".join(f"; {reason}" for reason in list(reasons)[:1])
