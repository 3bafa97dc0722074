"""All connections of the process while it runs; more may begin at any time."""

import asyncio
from collections.abc import Iterable

from services.producer.feed import Feed

HANG_UP_WITHIN_S = 2.0


class Reading:
    """Feeds and their tasks, in the group that is given."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self.feeds: list[Feed] = []
        self._group = group
        self._tasks: list[asyncio.Task[None]] = []

    def begin(self, feeds: Iterable[Feed]) -> None:
        """Read these too."""
        for feed in feeds:
            self.feeds.append(feed)
            self._tasks.append(self._group.create_task(feed.run()))

    async def end(self) -> None:
        """Hang up in good order; what is connecting or reconnecting is given up after a moment."""
        for feed in self.feeds:
            self._group.create_task(feed.hang_up())
        if self._tasks:  # a shard may own none of few symbols
            _, late = await asyncio.wait(self._tasks, timeout=HANG_UP_WITHIN_S)
            for task in late:
                task.cancel()
            await asyncio.wait(self._tasks)
