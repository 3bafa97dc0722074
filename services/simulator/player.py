"""Plays a source in real time into the hub, from the opening until it is stopped or the source has ended."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Literal

import structlog

from services.simulator.hub import Hub
from services.simulator.rows import Source
from services.simulator.truth_log import TruthLog

State = Literal["waiting", "running", "paused", "ended", "stopped"]
_SHORTEST_SLEEP_S = 0.005
_BURST = 64
_MOST_BEHIND_S = 1.0
_FLUSH_TRUTH_EVERY_S = 0.1
log = structlog.get_logger(__name__)


class Player:
    """`expect` is how many different subscriptions must be there before the market opens: 0 opens it at once."""

    def __init__(self, source: Source, hub: Hub, truth: TruthLog, *, expect: int, speed: float) -> None:
        self._source = source
        self._hub = hub
        self._truth = truth
        self._expect = expect
        self._speed = speed
        self._opening = asyncio.Event()
        self._stopping = asyncio.Event()
        self._going_on = asyncio.Event()
        self._going_on.set()
        self._done = asyncio.Event()
        self.state: State = "waiting"
        self.opened_after_subscriptions = 0
        self.late_s = 0.0

    def start(self) -> None:
        """Open the market now, whoever listens."""
        self._opening.set()

    def pause(self) -> None:
        """Say nothing more until `resume`, while connections stay; the truth log is complete up to here."""
        self._going_on.clear()
        self._truth.flush()

    def resume(self) -> None:
        """Go on where it was paused, as if no time had passed."""
        self._going_on.set()

    async def stop(self) -> None:
        """Stop the market; when this returns, the truth log is complete."""
        self._stopping.set()
        self._opening.set()
        await self._done.wait()

    async def run(self) -> None:
        """Wait for the listeners, then play to the end."""
        await self._wait_for_opening()
        if not self._stopping.is_set():
            await self._play()
        if self._stopping.is_set():
            self.state = "stopped"
        self._truth.flush()
        await self._stopping.wait()
        self._truth.close()
        self.state = "stopped"
        self._done.set()
        log.info("market stopped", published=dict(self._hub.published), unheard=dict(self._hub.unheard))

    async def _wait_for_opening(self) -> None:
        while not self._opening.is_set() and self._hub.subscriptions() < self._expect:
            await _wait(self._opening, 0.02)
        self.opened_after_subscriptions = self._hub.subscriptions()

    async def _play(self) -> None:
        clock = asyncio.get_running_loop().time
        self.state = "running"
        log.info("market opens", subscriptions=self.opened_after_subscriptions)
        origin_s = truth_flushed_s = clock()
        self._source.open(self._hub, time.time_ns() // 1_000_000)
        self._hub.flush()
        while not self._stopping.is_set() and (due_s := self._source.due_s()) is not None:
            if not self._going_on.is_set():
                origin_s += await self._pass_the_pause(clock)
                continue
            now_s = clock()
            ahead_s = origin_s + due_s / self._speed - now_s
            if ahead_s > 0:
                await _wait(self._stopping, max(ahead_s, _SHORTEST_SLEEP_S))
                continue
            self.late_s = -ahead_s
            if -ahead_s > _MOST_BEHIND_S:
                # This process stood still: go on from here instead of pouring out the past.
                origin_s -= ahead_s
                self._source.postpone(-ahead_s)
            self._tell_what_is_due(clock, origin_s)
            if now_s - truth_flushed_s > _FLUSH_TRUTH_EVERY_S:
                self._truth.flush()
                truth_flushed_s = now_s
            await asyncio.sleep(0)
        self.state = "ended"

    async def _pass_the_pause(self, clock: Callable[[], float]) -> float:
        """Wait until the market goes on or is stopped; how long that was, in seconds."""
        paused_at_s, self.state = clock(), "paused"
        while not (self._going_on.is_set() or self._stopping.is_set()):
            await _wait(self._stopping, 0.01)
        self.state = "running"
        paused_s = clock() - paused_at_s
        self._source.postpone(paused_s)
        return paused_s

    def _tell_what_is_due(self, clock: Callable[[], float], origin_s: float) -> None:
        until_s = (clock() - origin_s) * self._speed
        for _ in range(_BURST):
            due_s = self._source.due_s()
            if due_s is None or due_s > until_s:
                break
            self._source.tell(self._hub)
        self._hub.flush()


async def _wait(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event at most some seconds."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
