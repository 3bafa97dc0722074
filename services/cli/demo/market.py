"""One market from its opening to its last record: waits for the listeners, opens, stops, drains."""

import asyncio
from contextlib import suppress
from time import monotonic

from services.cli.demo.drain import drain
from services.cli.demo.interrupts import Interrupts
from services.cli.demo.monitor import Monitor
from services.cli.demo.options import DemoOptions
from services.cli.demo.picture import Picture
from services.cli.demo.screens import save_screenshot
from services.cli.demo.stage import Stage
from shared.errors import Unreachable
from shared.topics import TRADES

_LISTENERS_WITHIN_S = 60.0
_POLL_S = 0.05
_SURELY_S = 1.0
"""A connection whose other end was killed may still seem to stand for a moment."""


async def play(
    options: DemoOptions, stage: Stage, monitor: Monitor, picture: Picture, interrupts: Interrupts
) -> list[str]:
    """Play until `seconds` are over, the recording ends, or a person stops it. What did not come to rest."""
    picture.phase = "waiting for the producers to subscribe"
    if options.live:
        await _until_something_comes(stage, monitor)
    elif unheard := await _unheard(stage):
        raise Unreachable(unheard)
    interrupts.market_opens()
    if not options.live:
        await stage.simulated.open_market()
    monitor.market_opens()
    picture.phase = "market open"
    await _until_over(options, stage, interrupts)
    if options.screenshot is not None:
        save_screenshot(picture, options.screenshot)
    if options.live:  # the real market does not stop; we stop listening
        await stage.supervisor.stop([name for name in stage.supervisor.names if name.startswith("producer-")])
    else:
        await stage.simulated.stop_market()
    monitor.market_stops()
    unheard = None
    if not options.live:  # one that was killed a moment ago tells what it missed only when it listens again
        picture.phase = "market stopped, waiting for every feed to be heard"
        unheard = await _unheard(stage, for_s=_SURELY_S)
    return [*filter(None, [unheard]), *await drain(monitor, stage.supervisor, picture)]


async def _unheard(stage: Stage, for_s: float = 0.0) -> str | None:
    """Wait until every feed has had a listener for so long; a sentence when some had none in time."""
    since_s = monotonic()
    deadline_s = since_s + _LISTENERS_WITHIN_S
    while True:
        heard = (await stage.simulated.status())["subscriptions"]
        if heard < stage.wanted.expected:
            since_s = monotonic()
        elif monotonic() - since_s >= for_s:
            return None
        if monotonic() > deadline_s:
            return (
                f"only {heard} of {stage.wanted.expected} feeds were subscribed within {_LISTENERS_WITHIN_S:.0f} s: "
                f"see the producers' logs in {stage.directory}"
            )
        await asyncio.sleep(_POLL_S)


async def _until_something_comes(stage: Stage, monitor: Monitor) -> None:
    within_s = min(stage.settings.start.wait_s, _LISTENERS_WITHIN_S)
    deadline_s, first = monotonic() + within_s, None
    while True:
        await monitor.looked()
        held = monitor.progress.held(TRADES) if monitor.progress is not None else 0
        first = held if first is None else first
        if held > first:
            return
        if monotonic() > deadline_s:
            raise Unreachable(
                f"no exchange sent a trade within {within_s:.0f} s: see the producers' logs in {stage.directory}"
            )


async def _until_over(options: DemoOptions, stage: Stage, interrupts: Interrupts) -> None:
    """Wait for the time, the person, or the end of a recording."""
    with suppress(TimeoutError):
        async with asyncio.timeout(options.seconds):
            while not interrupts.stop_market.is_set():
                if (await stage.simulated.status())["market"] == "ended":
                    return
                with suppress(TimeoutError):
                    await asyncio.wait_for(interrupts.stop_market.wait(), 0.2)
