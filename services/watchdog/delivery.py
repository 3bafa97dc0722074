"""What waits to be told, and how it gets to people: each way has a task of its own, so none holds up another."""

import asyncio
from collections.abc import Callable, Container, Mapping, Sequence

import structlog

from services.watchdog import outbox
from services.watchdog.message import Message
from services.watchdog.outbox import Outbox
from services.watchdog.ways import NotTold, Refused, ThreadGone, Way
from shared.metrics import MESSAGES_SET_ASIDE, count_from_zero

_RETRY_S, _LONGEST_RETRY_S = 1.0, 30.0
log = structlog.get_logger(__name__)


class Delivery:
    """`outboxes` by the name of the way are to be kept by `save`, which is called whenever something was told.

    `given_up` says, with a brace for the number, how many messages were given up.
    """

    def __init__(
        self, ways: Sequence[Way], outboxes: Mapping[str, Outbox], given_up: str, save: Callable[[], None]
    ) -> None:
        self.outboxes = {way.name: outbox.of_channel(outboxes.get(way.name, Outbox()), way.channel) for way in ways}
        self._ways, self._given_up, self._save = ways, given_up, save
        count_from_zero(*((MESSAGES_SET_ASIDE, (way.name,)) for way in ways))
        self._wake = {way.name: asyncio.Event() for way in ways}

    def add(self, messages: Sequence[Message]) -> None:
        """Let more messages wait. They are on their way once the caller waits for something: it saves them before."""
        self.outboxes = {name: outbox.add(box, messages) for name, box in self.outboxes.items()}
        if messages:
            for wake in self._wake.values():
                wake.set()

    def forget_others(self, parts: Container[str]) -> None:
        """Forget the threads of all but these parts."""
        self.outboxes = {name: outbox.without_others(box, parts) for name, box in self.outboxes.items()}

    def start(self, tasks: asyncio.TaskGroup) -> "list[asyncio.Task[None]]":
        """Deliver until these are cancelled."""
        return [tasks.create_task(self._deliver(way)) for way in self._ways]

    async def _deliver(self, way: Way) -> None:
        """Tell what waits for one way, in order, as long as it takes."""
        pause_s = _RETRY_S
        while True:
            box = self.outboxes[way.name]
            if not box.waiting:
                self._wake[way.name].clear()
                await self._wake[way.name].wait()
                continue
            try:
                await self._tell_first(way, box)
            except NotTold as error:
                again_in_s = pause_s if error.again_in_s is None else error.again_in_s
                log.warning("not told yet", way=way.name, reason=str(error), again_in_s=again_in_s)
                await asyncio.sleep(again_in_s)
                pause_s = min(2 * pause_s, _LONGEST_RETRY_S)
                continue
            pause_s = _RETRY_S
            self._save()

    async def _tell_first(self, way: Way, box: Outbox) -> None:
        """Tell the first that waits, or take in what is in its way: that holds up none behind it. Raises NotTold."""
        message = outbox.first(box, self._given_up)
        thread = outbox.thread_of(box, message)
        try:
            ts = await way.tell(message, thread)
        except ThreadGone as error:
            log.warning("the thread is gone, telling on top", way=way.name, reason=str(error))
            self._change(way, lambda now: outbox.without_thread(now, thread))
        except Refused as error:
            self._refuse(way, message, str(error))
        else:
            self._change(way, lambda now: outbox.told(now, ts, box.given_up))

    def _refuse(self, way: Way, message: Message, reason: str) -> None:
        if message.blocks:
            log.warning("refused, telling it as plain text", way=way.name, reason=reason, text=message.text)
            self._change(way, outbox.as_plain_text)
            return
        log.error("refused for good, set aside", way=way.name, reason=reason, text=message.text)
        MESSAGES_SET_ASIDE.labels(way.name).inc()
        self._change(way, outbox.set_aside)

    def _change(self, way: Way, change: Callable[[Outbox], Outbox]) -> None:
        """Others may have come to wait since."""
        self.outboxes = self.outboxes | {way.name: change(self.outboxes[way.name])}
