"""After the market has stopped: waits until everything published has gone all the way, or says what has not."""

from collections.abc import AsyncIterator
from time import monotonic

from services.cli.demo.monitor import Monitor
from services.cli.demo.picture import Picture
from services.cli.demo.services import SINKS
from services.cli.demo.supervision import Supervisor
from services.cli.stores import Positions
from shared.topics import FEED, ORDERBOOKS, TICKERS, TRADES

LIMIT_S = 60.0
_QUIET_S = 1.0
_PRODUCED = {topic.name for topic in (TRADES, TICKERS, ORDERBOOKS, FEED)}
"""The alert worker writes its state for as long as it runs."""
_SLACK_S = 15.0


async def drain(monitor: Monitor, supervisor: Supervisor, picture: Picture) -> list[str]:
    """Stop the producers, then wait for Kafka, the stores, and Slack. What did not come to rest, in sentences."""
    deadline_s = monotonic() + LIMIT_S
    picture.phase = "market stopped, draining"
    faults = []
    # Not the stores yet: while they catch up for long, producers would take the silence for an exchange that stalls.
    if not await _at_rest(monitor, deadline_s, stores=False):
        faults.append(f"Kafka still grew {LIMIT_S:.0f} s after the market stopped")
    await supervisor.stop([name for name in supervisor.names if name.startswith("producer-")])
    if not await _at_rest(monitor, deadline_s, stores=True):
        faults += _behind(monitor)
    async for _ in _looks(monitor, monotonic() + _SLACK_S):
        if picture.is_told:
            return faults
    return [*faults, f"alerts were not in Slack {_SLACK_S:.0f} s after the market stopped"]


async def _at_rest(monitor: Monitor, deadline_s: float, *, stores: bool) -> bool:
    """Wait until what producers write has not grown for a moment and, if asked, the stores hold all of it.

    False at the deadline.
    """
    last: Positions = {}
    since_s = monotonic()
    async for ends, behind in _looks(monitor, deadline_s):
        if ends != last or (stores and behind):
            last, since_s = ends, monotonic()
        elif monotonic() - since_s >= _QUIET_S:
            return True
    return False


async def _looks(monitor: Monitor, deadline_s: float) -> AsyncIterator[tuple[Positions, int]]:
    """Ends of what producers write, and how many records the stores lack, whenever the monitor has looked anew."""
    while monotonic() < deadline_s:
        await monitor.looked()
        progress = monitor.progress
        if progress is not None:
            ends = {place: end for place, end in progress.ends.items() if place[0] in _PRODUCED}
            yield ends, sum(progress.behind_in_all(sink) for sink in SINKS)


def _behind(monitor: Monitor) -> list[str]:
    if monitor.progress is None:
        return ["the stores were never seen"]
    behind = {sink: monitor.progress.behind_in_all(sink) for sink in SINKS}
    return [f"{sink} is {records} records behind Kafka" for sink, records in behind.items() if records] or [
        "Kafka did not come to rest"
    ]
