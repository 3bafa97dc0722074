"""What a notifier must supply, and how a try can fail. A new one is a file beside this and a row in NOTIFIERS."""

from typing import Protocol

from services.alert_worker.outbox import Action, Place


class Later(Exception):
    """Nothing was sent and nothing will be before `seconds` have passed: the other side said so."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"asked to wait {seconds:g} s")
        self.seconds = seconds


class Unanswered(Exception):
    """It is not known whether the message arrived, or the other side is unwell: try again, it may repeat."""


class Refused(Exception):
    """This will never be accepted as it is: a setting is wrong, or the message."""


class Notifier(Protocol):
    """Tells people. `tell` raises Later, Unanswered or Refused and nothing else that is foreseen."""

    name: str

    async def tell(self, action: Action, *, may_repeat: bool) -> Place:
        """Tell the action and return where the episode's first message stands."""
        ...

    async def close(self) -> None:
        """Disconnect."""
        ...
