"""Faults of the network between the services and what is behind each link: slow, narrow, stalled, cut."""

import asyncio
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from tests.faults.fault import Fault, Struck
from tests.faults.tcp_proxy import Weather

if TYPE_CHECKING:
    from tests.faults.world import World

_LASTS_S = 5.0
_STALL_S = 10.0
_CUT_S = 3.0
_CLOSE_AFTER_S = 2.0


async def bad_weather(
    link: str, weather: Weather, world: "World", _random: Random, lasts_s: float = _LASTS_S
) -> Struck:
    """The network is like that for some seconds."""
    world.links[link].weather = weather
    await asyncio.sleep(lasts_s)
    world.links[link].weather = Weather()
    return Struck()


async def half_open(link: str, world: "World", _random: Random) -> Struck:
    """Nothing passes and nobody is told; then every connection is reset."""
    world.links[link].weather = Weather(is_stalled=True)
    await asyncio.sleep(_STALL_S)
    world.links[link].reset()
    world.links[link].weather = Weather()
    return Struck()


async def lagging_then_reset(link: str, world: "World", _random: Random) -> Struck:
    """What is sent lags by seconds, and then the connection ends with all that was on its way."""
    world.links[link].weather = Weather(latency_s=0.05, slice_bytes=1_000)
    await asyncio.sleep(_LASTS_S)
    world.links[link].reset()
    world.links[link].weather = Weather()
    return Struck()


async def closed_slowly(link: str, world: "World", _random: Random) -> Struck:
    """The ends of connections are told late: services are restarted while they are."""
    world.links[link].weather = Weather(close_after_s=_CLOSE_AFTER_S)
    for name in world.services.names:
        await world.services.strike(name)
    await asyncio.sleep(_LASTS_S)
    world.links[link].weather = Weather()
    return Struck(len(world.services.names))


async def cut(link: str, world: "World", _random: Random) -> Struck:
    """Connections are reset, and new ones refused for some seconds."""
    await world.links[link].refuse()
    world.links[link].reset()
    await asyncio.sleep(_CUT_S)
    await world.links[link].listen()
    return Struck()


_WEATHERS = {
    "slow": ("30 to 60 ms each way, in slices of 1,000 bytes", Weather(0.03, 0.03, slice_bytes=1_000)),
    "narrow": ("200 kB/s", Weather(bytes_per_s=200_000)),
    "unreliable": ("1 % of all chunks reset their connection", Weather(reset_share=0.01)),
}


def _of(link: str, *, bound_s: float = 5, makes_gap: bool = False) -> list[Fault]:
    """The faults of one link."""
    strikes = {
        **{name: (says, partial(bad_weather, link, weather)) for name, (says, weather) in _WEATHERS.items()},
        "half-open": ("nothing passes for 10 s, then resets", partial(half_open, link)),
        "lagging": ("slow enough to lag by seconds, then reset", partial(lagging_then_reset, link)),
        "cut": ("reset and refused for 3 s", partial(cut, link)),
    }
    return [
        Fault("F24", f"{link}-link-{name}", says, strike, bound_s, makes_gap, stage="proxied")
        for name, (says, strike) in strikes.items()
    ]


_SLOW_BROKER = {
    # Each chunk of a connection waits for the one before it, so that a line this slow is narrow as well.
    "500-ms": ("0.5 s there and back, for 10 s", Weather(latency_s=0.25), 10.0),
    "5-s": ("5 s there and back, for 30 s", Weather(latency_s=2.5), 30.0),
}

FAULTS = [
    *_of("kafka"),
    *_of("redis"),
    *_of("postgres"),
    # An exchange is called ever more seldom, lest it ban us: after some seconds of refusals a call may wait eight.
    *_of("exchanges", bound_s=10, makes_gap=True),
    *(
        Fault(
            "F24",
            f"{link}-link-closes-slowly",
            "ends are told after 2 s",
            strike,
            bound_s=10 if link == "exchanges" else 8,
            makes_gap=True,
            stage="proxied",
        )
        for link in ("kafka", "redis", "postgres", "exchanges")
        for strike in (partial(closed_slowly, link),)
    ),
    *(
        Fault("F9", f"kafka-slow-by-{name}", says, strike, bound_s=15, stage="proxied")
        for name, (says, weather, lasts_s) in _SLOW_BROKER.items()
        for strike in (partial(bad_weather, "kafka", weather, lasts_s=lasts_s),)
    ),
]
