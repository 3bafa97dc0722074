"""What becomes of messages on their way, with a way that answers as it is told to."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import structlog
from prometheus_client import REGISTRY

from services.simulator.slack.validate import check_message
from services.watchdog.delivery import Delivery
from services.watchdog.message import Message
from services.watchdog.outbox import MOST_WAITING, Outbox
from services.watchdog.ways import Refused, ThreadGone

GIVEN_UP = "(before it {} messages were given up)"


def message(text: str, part: str = "consumer-redis", *, opens: bool = False, closes: bool = False) -> Message:
    return Message(part, text, [{"type": "divider"}], opens, closes)


@dataclass
class Asked:
    """A way to people that takes everything but what `refuses` gives a reason for, by message and thread.

    What is in `meanwhile` comes during the first call.
    """

    name: str = "slack"
    channel: str = "#ops"
    refuses: Callable[[Message, str | None], Exception | None] = lambda _, __: None
    told: list[Message] = field(default_factory=list)
    threads: list[str | None] = field(default_factory=list)
    meanwhile: Sequence[Message] = ()
    add: Callable[[Sequence[Message]], None] = lambda _: None

    async def tell(self, message: Message, thread: str | None) -> str | None:
        meanwhile, self.meanwhile = self.meanwhile, ()
        self.add(meanwhile)
        refusal = self.refuses(message, thread)
        if refusal is not None:
            raise refusal
        self.told.append(message)
        self.threads.append(thread)
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


BACK = message("back", closes=True)


async def test_how_many_were_given_up_is_also_in_what_slack_shows() -> None:
    way = Asked()
    await delivered(way, Outbox(given_up=2), [message("down", opens=True), BACK])
    down, back = way.told
    assert GIVEN_UP.format(2) in str(down.blocks[-1])
    check_message(down.text, down.blocks, [])
    assert back.blocks == BACK.blocks


async def test_a_thread_that_is_gone_is_forgotten_and_the_message_told_on_top() -> None:
    way = Asked(refuses=lambda _, thread: ThreadGone("thread_not_found") if thread == "0.1" else None)
    box = Outbox(threads={"consumer-redis": "0.1", "wait for Kafka": "0.1", "vm2": "0.2"})
    left = await delivered(way, box, [message("down", opens=True), BACK, message("heard", "vm2", closes=True)])
    assert [one.text for one in way.told] == ["down", "back", "heard"]
    assert way.threads == [None, "1.0", "0.2"]
    assert left.threads == {}


async def test_a_message_that_is_refused_is_told_as_plain_text() -> None:
    way = Asked(refuses=lambda one, _: Refused("invalid_blocks") if one.blocks and one.text == "down" else None)
    await delivered(way, Outbox(), [message("down", opens=True), BACK])
    assert [(one.text, bool(one.blocks)) for one in way.told] == [("down", False), ("back", True)]
    assert way.threads == [None, "1.0"]


async def test_one_that_is_refused_as_plain_text_too_is_set_aside_loudly_and_the_next_one_says_so() -> None:
    way = Asked(refuses=lambda one, _: Refused("msg_too_long") if one.text.startswith("down") else None)
    before = set_aside()
    with structlog.testing.capture_logs() as lines:
        await delivered(way, Outbox(), [message("down", opens=True), BACK])
    assert [one.text for one in way.told] == [f"back {GIVEN_UP.format(1)}"]
    assert set_aside() - before == 1
    [error] = [line for line in lines if line["log_level"] == "error"]
    assert (error["reason"], error["text"]) == ("msg_too_long", "down")


async def test_what_comes_during_a_call_that_is_refused_waits_its_turn() -> None:
    way = Asked(refuses=lambda one, _: Refused("no_text") if one.text == "down" else None, meanwhile=[BACK])
    await delivered(way, Outbox(), [message("down")])
    assert [one.text for one in way.told] == [f"back {GIVEN_UP.format(1)}"]


async def test_threads_of_another_channel_are_forgotten_and_those_that_an_older_program_kept_are_not() -> None:
    old = Outbox(threads={"consumer-redis": "0.1"})
    for channel, thread in (("", "0.1"), ("#ops", "0.1"), ("#market", None)):
        way = Asked()
        left = await delivered(way, replace(old, channel=channel), [BACK])
        assert way.threads == [thread]
        assert left.channel == "#ops"


def set_aside() -> float:
    return REGISTRY.get_sample_value("tapewatch_messages_set_aside_total", {"way": "slack"}) or 0
