"""What becomes of messages on their way, with a way that answers as it is told to."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from services.watchdog.delivery import Delivery
from services.watchdog.message import Message
from services.watchdog.outbox import MOST_WAITING, Outbox

GIVEN_UP = "(before it {} messages were given up)"


def message(text: str, part: str = "consumer-redis", *, opens: bool = False, closes: bool = False) -> Message:
    return Message(part, text, [{"type": "divider"}], opens, closes)


@dataclass
class Asked:
    """A way to people that takes everything. What is in `meanwhile` comes during the first call."""

    name: str = "slack"
    told: list[Message] = field(default_factory=list)
    meanwhile: Sequence[Message] = ()
    add: Callable[[Sequence[Message]], None] = lambda _: None

    async def tell(self, message: Message, _thread: str | None) -> str | None:
        if not self.told:
            self.add(self.meanwhile)
        self.told.append(message)
        return f"{len(self.told)}.0"


async def delivered(way: Asked, box: Outbox, messages: Sequence[Message]) -> Outbox:
    """Let messages wait, and deliver until none does any more."""
    saved = asyncio.Event()
    delivery = Delivery([way], {way.name: box}, GIVEN_UP, saved.set)
    way.add = delivery.add
    delivery.add(messages)
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        [delivering] = delivery.start(tasks)
        while delivery.outboxes[way.name].waiting:
            saved.clear()
            await saved.wait()
        delivering.cancel()
    return delivery.outboxes[way.name]


async def test_what_is_given_up_during_a_call_is_told_by_the_next_message() -> None:
    way = Asked(meanwhile=[message(f"{number}") for number in range(MOST_WAITING + 2)])
    await delivered(way, Outbox(given_up=2), [message("first")])
    assert [one.text for one in way.told[:3]] == [
        f"first {GIVEN_UP.format(2)}", f"3 {GIVEN_UP.format(3)}", "4",
    ]  # fmt: skip
