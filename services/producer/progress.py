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
from shared.liveness import Lack, Liveness

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


async def tell_progress(  # noqa: PLR0913, PLR0917 - what it looks at, and whom it tells
    exchange: str,
    publisher: Publisher,
    feeds: Sequence[Feed],
    liveness: Liveness,
    now_us: NowMicros,
    more: Callable[[], str] = str,
) -> None:
    """Go on until cancelled. `more`: what else there is to say of the exchange, empty for nothing."""
    seen, held, clock = 0, Held(), asyncio.get_running_loop().time
    while True:
        await asyncio.sleep(_EVERY_S)
        moved, seen = publisher.acknowledged - seen, publisher.acknowledged
        up = sum(feed.is_up for feed in feeds)
        says = "; ".join(filter(None, (_figures(publisher, moved, now_us()), _connected(feeds, up), more())))
        away, unheard = _kafka_missing(publisher, moved), _exchange_missing(exchange, up, len(feeds))
        silent = sum(feed.is_up and feed.is_silent for feed in feeds)
        if away or (unheard and not (moved and up)):
            liveness.waits(says)
        else:
            liveness.moved(says if moved else f"{says}; idle: nothing comes")
        liveness.lacks(away or unheard or _silence(exchange, silent, len(feeds)))
        if not publisher.is_away and (stuck := held.too_long(publisher.on_the_way, clock())):
            where = ", ".join(f"{topic}/{partition}" for topic, partition in stuck)
            publisher.give_up_client(f"a batch was not acknowledged for too long: {where}")


def _figures(publisher: Publisher, moved: int, now_us: int) -> str:
    rate, lag = f"{moved / _EVERY_S:,.0f} records/s to Kafka", f"{publisher.unacknowledged:,} unacknowledged"
    return figures(rate, lag, publisher.newest_trade_us, now_us)


def _kafka_missing(publisher: Publisher, moved: int) -> Lack | None:
    """Kafka and why, where that keeps it from bringing anything there; None when it got there, or nothing came."""
    if publisher.is_away:
        return Lack("Kafka", "Kafka is away, holding what comes")
    return None if moved or publisher.is_idle else Lack("Kafka", "Kafka acknowledges nothing")


def _exchange_missing(exchange: str, up: int, feeds: int) -> Lack | None:
    """The same of the exchange: also of a part of its markets."""
    if up == feeds:
        return None
    some, none = f"{up} of {feeds} connections to {exchange} are up", f"no connection to {exchange} is up"
    return Lack(exchange, some, in_part=True) if up else Lack(exchange, none)


def _silence(exchange: str, silent: int, feeds: int) -> Lack | None:
    """It may be a market that has gone quiet, so it is told and is no reason not to be ready."""
    why = f"nothing comes on {silent} of {feeds} connections to {exchange}"
    return Lack(exchange, why, in_part=True) if silent else None


def _connected(feeds: Sequence[Feed], up: int) -> str:
    reasons = {feed.last_ending: None for feed in feeds if feed.last_ending and not feed.is_up}
    return f"{up} of {len(feeds)} connections up" + "".join(f"; {reason}" for reason in list(reasons)[:1])
