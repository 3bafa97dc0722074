"""What is still to be told, and in which threads: kept on disk, so that no end of a process loses a message. Pure.

Each way to people (Slack, a webhook) has an outbox of its own: one that fails does not hold up the other.
"""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace

from services.watchdog.message import Message

MOST_WAITING = 200
"""Beyond it the oldest that neither opens nor ends an incident goes first; how many went is told."""
_PLAIN_LIMIT = 4_000
"""Characters of a text that Slack takes without doubt."""


@dataclass(frozen=True)
class Outbox:
    """`threads`: the message that opened an incident that is not over, or a story that may go on, by part.

    They are of `channel`; an older program did not write that down.
    """

    waiting: Sequence[Message] = ()
    threads: Mapping[str, str] = field(default_factory=dict)
    given_up: int = 0
    channel: str = ""


def of_channel(outbox: Outbox, channel: str) -> Outbox:
    """The same for another channel, whose threads are others."""
    return replace(outbox, channel=channel, threads=outbox.threads if outbox.channel in {"", channel} else {})


def add(outbox: Outbox, messages: Sequence[Message]) -> Outbox:
    """Let more messages wait."""
    waiting, given_up = [*outbox.waiting, *messages], outbox.given_up
    while len(waiting) > MOST_WAITING:
        # The first may be on its way at this moment.
        minor = next((i for i, one in enumerate(waiting) if i and not (one.opens or one.closes)), 1)
        del waiting[minor]
        given_up += 1
    return replace(outbox, waiting=waiting, given_up=given_up)


def first(outbox: Outbox, given_up: str) -> Message:
    """What is to be told next; `given_up` says, with a brace for the number, how many were given up before it."""
    message = outbox.waiting[0]
    if not outbox.given_up:
        return message
    said = given_up.format(outbox.given_up)
    # Slack shows the text of a message that has blocks in notifications alone.
    block = {"type": "section", "text": {"type": "plain_text", "text": said}}
    return replace(message, text=f"{message.text} {said}", blocks=[*message.blocks, block] if message.blocks else [])


def thread_of(outbox: Outbox, message: Message) -> str | None:
    """The thread that the message belongs to; None when it stands by itself."""
    return None if message.anew else outbox.threads.get(message.part, outbox.threads.get(message.within))


def told(outbox: Outbox, ts: str | None, said: int = 0) -> Outbox:
    """The first that waited is told; `ts` is its id where there is one, `said` how many it said were given up."""
    message, threads = outbox.waiting[0], dict(outbox.threads)
    if message.closes and not message.goes_on:
        threads.pop(message.part, None)
    elif message.opens and ts is not None and (message.anew or message.part not in threads):
        threads[message.part] = thread_of(outbox, message) or ts
    return replace(outbox, waiting=outbox.waiting[1:], threads=threads, given_up=outbox.given_up - said)


def set_aside(outbox: Outbox) -> Outbox:
    """The first that waited will never be told; the next one says so."""
    return replace(told(outbox, None), given_up=outbox.given_up + 1)


def as_plain_text(outbox: Outbox) -> Outbox:
    """The first that waits without its blocks."""
    plain = replace(outbox.waiting[0], text=outbox.waiting[0].text[:_PLAIN_LIMIT], blocks=[])
    return replace(outbox, waiting=[plain, *outbox.waiting[1:]])


def without_thread(outbox: Outbox, thread: str | None) -> Outbox:
    """Forget a thread, whoever's it is."""
    return replace(outbox, threads={part: ts for part, ts in outbox.threads.items() if ts != thread})


def without_others(outbox: Outbox, parts: Container[str]) -> Outbox:
    """Forget the threads of all but these parts."""
    return replace(outbox, threads={part: ts for part, ts in outbox.threads.items() if part in parts})
