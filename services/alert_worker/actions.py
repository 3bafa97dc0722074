"""What is to be told next: of one episode, of several together, or of none. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from services.alert_worker.messages.message import Message, Picture
from shared.events import Alert, Direction, Severity

Reason = Literal["storm", "notices", "late", "morning"]
REASONS: tuple[Reason, ...] = ("storm", "notices", "late", "morning")

RANKS: dict[Severity, int] = {"notice": 0, "warning": 1, "danger": 2}
GRAVEST: Severity = "danger"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message stands, as the notifier named it."""

    channel: str | None = None
    ts: str | None = None


class Intake(NamedTuple):
    """How long a message of several episodes takes in others, our clock."""

    direction: Direction | None
    """Only those of this one; None: none."""
    begun_us: int
    until_us: int
    messages: int
    """Posted by now, with those of its direction in the minute before it began."""


class Heard(NamedTuple):
    """What all of the channel heard last of an episode, or of several: a message, or an answer that is shown there."""

    at_us: int
    severity: Severity | None
    """None where it is not known any more."""


@dataclass(frozen=True, slots=True)
class Action:
    """Tell the newest of `alerts`, all of one episode and not told yet; the others are covered by it.

    `parent` None means that the episode has no message yet. `may_repeat`: an earlier try has no receipt.
    `is_for_all`: an answer in the thread is shown to all of the channel, who are known to have `heard`.
    """

    alerts: tuple[Alert, ...]
    parent: Place | None
    told: tuple[str, ...]
    may_repeat: bool
    picture: Picture | None = None
    heard: Heard | None = None
    is_for_all: bool = False
    posted_at_us: int | None = None
    """When a message of its own, no answer, was posted last."""

    @property
    def newest(self) -> Alert:
        """The state that the message shows."""
        return self.alerts[-1]

    @property
    def gravest(self) -> Alert:
        """What an answer in the thread says."""
        return gravest_of(self.alerts)


@dataclass(frozen=True, slots=True)
class Together:
    """Tell of several episodes in one message: post it when `parent` is None, otherwise answer in its thread.

    `members` are the newest alerts of all episodes and `fresh` those that the next answer tells, most severe first;
    `covered` are all alerts that telling `fresh` settles. `lead` is the detectors' own market-wide alert, where there
    is one. `is_whole`: every member's newest alert is known, so that the message can be drawn again.
    """

    group_id: str
    reason: Reason
    members: tuple[Alert, ...]
    fresh: tuple[Alert, ...]
    covered: tuple[Alert, ...]
    told: tuple[str, ...]
    episodes: tuple[str, ...]
    lead: Alert | None
    parent: Place | None
    may_repeat: bool
    is_whole: bool
    own: tuple[Action, ...] = ()
    """Of those that are told, who has a message of its own besides: it is to show the same."""
    heard: Heard | None = None
    is_for_all: bool = False
    """See `Action`."""
    intake: Intake | None = None

    @property
    def newest(self) -> Alert:
        """The most severe of what is told."""
        return self.fresh[0]


@dataclass(frozen=True, slots=True)
class Bulletin:
    """A message about no episode, told once: `mark` names it for good."""

    mark: str
    message: Message
    may_repeat: bool = False
    for_ops: bool = False
    """Whether it is about tapewatch itself."""


def gravest_of(alerts: Sequence[Alert]) -> Alert:
    """What people have to hear of an episode's alerts, oldest first: the newest of the gravest, or that it is over.

    What followed it, be it a milder leg, does not take back that it was so grave.
    """
    if alerts[-1].state == "resolve":
        return alerts[-1]
    return max((one for one in reversed(alerts) if one.state != "resolve"), key=lambda one: RANKS[one.severity])


def is_posted(action: Action | Together, place: Place | None) -> bool:
    """Whether what was told at `place` is a message of its own there, which no thread hides."""
    return action.parent is None or action.parent.ts is None or place != action.parent


def heard_after(action: Action | Together, place: Place | None, at_us: int) -> Heard | None:
    """What all of the channel heard last, once the action was told at `place`."""
    if is_posted(action, place):
        return Heard(at_us, _headline(action).severity)
    if action.is_for_all:
        return Heard(at_us, (action.gravest if isinstance(action, Action) else action.newest).severity)
    return action.heard


def _headline(action: Action | Together) -> Alert:
    """Whose severity a message that is posted bears; what its thread is yet to tell may be graver."""
    if isinstance(action, Action) or action.parent is not None:
        return action.newest
    shown = (*action.members, *([action.lead] if action.lead else []))
    return max(shown, key=lambda alert: RANKS[alert.severity], default=action.newest)
