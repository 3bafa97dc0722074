"""What Ctrl-C means: before the market opens, leave; while it is open, stop it and reckon; the second time, leave."""

import asyncio
import signal


class Interrupts:
    """Use it inside the task that is to be left."""

    def __init__(self) -> None:
        self.stop_market = asyncio.Event()
        self._is_open = False
        self._task = asyncio.current_task()
        self.left = False

    def listen(self) -> None:
        """Take over SIGINT and SIGTERM."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._told)

    def market_opens(self) -> None:
        """From now on there is something to reckon."""
        self._is_open = True

    def _told(self) -> None:
        if self._is_open and not self.stop_market.is_set():
            self.stop_market.set()
        elif self._task is not None:
            self.left = True
            self._task.cancel()
