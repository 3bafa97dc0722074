"""What a notifier must supply, and how a try can fail. A new one is a file beside this and a row in NOTIFIERS."""

from dataclasses import dataclass
from typing import Protocol

from services.alert_worker.actions import Place
from services.alert_worker.messages.message import Message
from services.alert_worker.notifiers.pace import Pace


class Later(Exception):
    """Nothing was sent and nothing will be before `seconds` have passed: the other side said so."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"asked to wait {seconds:g} s")
        self.seconds = seconds


class Unanswered(Exception):
    """It is not known whether the message arrived, or the other side is unwell: try again, it may repeat."""


class Refused(Exception):
    """This will never be accepted as it is: a setting is wrong, or the message."""


class Gone(Refused):
    """The message to be edited or answered is no longer there: somebody deleted it."""


class NotReady(Exception):
    """The message was not changed: the picture in it is not ready to be shown, or never will be."""


@dataclass(frozen=True, slots=True)
class Errand:
    """A message and where it goes: into the channel, or below the message at `thread`.

    `mark` is a text that the message shows and no other one does, to know it by. `doubtful` is there when an earlier
    try may have arrived: the same message, saying that it may be a repeat. A notifier that can look whether it arrived
    does so, and then posts nothing or `message`; one that cannot posts `doubtful`.
    `for_ops`: it is about tapewatch itself, for who keeps a place of its own for that. `is_for_all`: what goes below a
    message is shown to all of the channel as well; who knows no threads shows everything to all.
    """

    message: Message
    mark: str
    thread: Place | None = None
    doubtful: Message | None = None
    for_ops: bool = False
    is_for_all: bool = False

    @property
    def unseen(self) -> Message:
        """What one posts who cannot look."""
        return self.doubtful or self.message


class Notifier(Protocol):
    """Tells people. All calls raise Later, Unanswered or Refused and nothing else that is foreseen."""

    name: str
    can_edit: bool
    """Whether `post` returns where the message stands, so that it can be edited and answered in a thread."""
    pace: Pace
    """How often the other side may be called."""

    async def post(self, errand: Errand) -> Place:
        """Tell; return where the message stands."""
        ...

    async def edit(self, place: Place, message: Message) -> None:
        """Change the message at `place`. Called only where `can_edit`. Raises NotReady and Gone, too."""
        ...

    async def upload(self, png: bytes, name: str, alt_text: str) -> str:
        """Bring a picture to where messages can show it; return its id. Called only where `can_edit`."""
        ...

    async def prove(self, message: Message, place: Place) -> Place:
        """Go as far as people without being heard: edit the message at `place`, or whatever comes nearest to it.

        Returns where the message stands now.
        """
        ...

    async def close(self) -> None:
        """Disconnect."""
        ...


class PostsOnly:
    """For notifiers whose messages stand as they were posted."""

    can_edit = False

    async def edit(self, place: Place, message: Message) -> None:
        """Never called."""
        raise NotImplementedError

    async def upload(self, png: bytes, name: str, alt_text: str) -> str:
        """Never called."""
        raise NotImplementedError

    async def prove(self, _message: Message, place: Place) -> Place:
        """Whatever is posted is heard, so nothing is: what is proven ends before the call."""
        return place

    async def close(self) -> None:
        """Nothing stays open between calls."""
