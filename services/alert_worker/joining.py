"""One base currency that moves on several exchanges is one story: the first to open leads, the others join it.

A further leg of an episode opens as an episode does: it leads, or joins the story that the other exchange leads.

What joined stays a record of its own, suppressed as ``joined``; the leading episode tells of it once, and again when
the joined one becomes more severe than what was told. Where people do not hear the leading one, because it is muted or
its feed is down, the joined one tells of itself (`hearing`).
"""

from typing import Any, NamedTuple

import msgspec

from services.alert_worker.pair import NAME as DIVERGENCE
from shared.events import Alert, Severity

JOINED = "joined"
JOIN_WITHIN_US = 600_000_000
"""An opening this much after the leading one, in event time, is a story of its own: exchanges move together."""

_BY_WEIGHT: tuple[Severity, ...] = ("notice", "warning", "danger")


class Word(NamedTuple):
    """What is to be recorded."""

    alert: Alert
    beside: tuple[Alert, ...] = ()
    """Words of the same story that people have to hear, were they told alone, or this one is not what it says: of one
    that joined the leading one's newest, of what is told of it that one's, too."""


class Story(msgspec.Struct, array_like=True):
    """A base that moves in one direction: the newest alert of the leading episode, and the episodes that joined."""

    lead: Alert
    severity: Severity
    """The most severe that was told."""
    legs: dict[str, str]
    """Exchange and symbol, by episode."""

    @property
    def members(self) -> list[str]:
        """Every market of the story, the leading one first."""
        return [name_of(self.lead), *self.legs.values()]


class Joining:
    """All stories that are not over."""

    def __init__(self) -> None:
        self._stories: dict[str, Story] = {}
        """By base and direction."""

    def take(self, alert: Alert, *, begins: bool) -> list[Word]:
        """A symbol's state change, which `begins` a leg or does not; return what is to be recorded, in that order."""
        if alert.direction == "none":
            return [Word(alert)]
        if begins:
            self._turn(alert)
        key = f"{alert.base}:{alert.direction}"
        story = self._stories.get(key)
        if story is None or (not story.legs and story.lead.state == "resolve"):
            return self._alone(key, alert)
        if alert.episode_id == story.lead.episode_id:
            return self._of_lead(key, story, alert)
        if alert.episode_id not in story.legs and not (begins and _goes_with(story, alert)):
            return [Word(alert)]
        return self._of_leg(key, story, alert, begins=begins)

    def packed(self) -> dict[str, Any]:
        """Everything, as plain values."""
        return {key: msgspec.to_builtins(story) for key, story in self._stories.items()}

    def unpack(self, packed: dict[str, Any]) -> None:
        """The inverse of `packed`."""
        self._stories = msgspec.convert(packed, dict[str, Story])

    def _turn(self, alert: Alert) -> None:
        """Whoever turned has no part any more in the story of the other direction."""
        key = f"{alert.base}:{'down' if alert.direction == 'up' else 'up'}"
        story = self._stories.get(key)
        if story is None:
            return
        story.legs.pop(alert.episode_id, None)
        if story.lead.episode_id == alert.episode_id:
            story.lead = msgspec.structs.replace(story.lead, state="resolve")
        if story.lead.state == "resolve" and not story.legs:
            del self._stories[key]

    def _alone(self, key: str, alert: Alert) -> list[Word]:
        if alert.state == "resolve":
            self._stories.pop(key, None)
        else:
            self._stories[key] = Story(alert, alert.severity, {})
        return [Word(alert)]

    def _of_lead(self, key: str, story: Story, alert: Alert) -> list[Word]:
        story.lead = alert
        story.severity = max(story.severity, alert.severity, key=_BY_WEIGHT.index)
        told = msgspec.structs.replace(alert, members=story.members) if story.legs else alert
        if alert.state == "resolve" and not story.legs:
            del self._stories[key]
        return [Word(told)]

    def _of_leg(self, key: str, story: Story, alert: Alert, *, begins: bool) -> list[Word]:
        story.legs[alert.episode_id] = name_of(alert)
        is_worse = _BY_WEIGHT.index(alert.severity) > _BY_WEIGHT.index(story.severity)
        if alert.state == "resolve":
            del story.legs[alert.episode_id]
            if story.lead.state == "resolve" and not story.legs:
                del self._stories[key]
        elif (begins and not _goes_with(story, alert)) or (is_worse and story.lead.state == "resolve"):
            # What the leading episode told is over or long ago, so this one speaks for itself, and leads.
            del story.legs[alert.episode_id]
            others = {} if story.lead.state == "resolve" else {story.lead.episode_id: name_of(story.lead)}
            self._stories[key] = Story(alert, alert.severity, others | story.legs)
            return [Word(alert)]
        joined = Word(msgspec.structs.replace(alert, suppressed_by=JOINED), (story.lead,))
        is_told = is_worse or (begins and alert.kind != DIVERGENCE)
        if story.lead.state == "resolve" or alert.state == "resolve" or not is_told:
            return [joined]
        story.severity = max(story.severity, alert.severity, key=_BY_WEIGHT.index)
        lead = story.lead
        # A gap that opened first leads, but what people are told is how far the price itself moved.
        shown = alert if lead.kind == DIVERGENCE else lead
        told = msgspec.structs.replace(
            shown, alert_id=f"{lead.episode_id}-with-{alert.alert_id}", episode_id=lead.episode_id, state="escalate",
            detectors=list(dict.fromkeys([*lead.detectors, *shown.detectors])), severity=story.severity,
            event_at_us=alert.event_at_us, received_at_us=alert.received_at_us, members=story.members,
            # What the other exchange did until the leading alert is not what it did until this one.
            divergence_pct=alert.divergence_pct if shown is alert else None,
        )  # fmt: skip
        return [joined, Word(told, (lead, alert))]


def name_of(alert: Alert) -> str:
    """``exchange:symbol``."""
    return f"{alert.exchange}:{alert.symbol}"


def _goes_with(story: Story, alert: Alert) -> bool:
    """Whether an opening belongs to a story: of another market, while the leading episode is open and young."""
    if story.lead.state == "resolve":
        return False
    if alert.kind == DIVERGENCE:
        return True
    near = abs(alert.started_at_us - story.lead.started_at_us) <= JOIN_WITHIN_US
    return near and (alert.exchange != story.lead.exchange or story.lead.kind == DIVERGENCE)
