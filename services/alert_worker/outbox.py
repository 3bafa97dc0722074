"""What is still to be told, and what was: alerts and notification records in, the next action out. Pure."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from shared.events import Alert, Notification

TOLD_KEPT = 20
EPISODES_KEPT = 1_000
UNTOLD_QUALITIES = frozenset({"stale", "backfilled"})


@dataclass(frozen=True, slots=True)
class Place:
    """Where an episode's first message stands, as the notifier named it."""

    channel: str | None = None
    ts: str | None = None


@dataclass(frozen=True, slots=True)
class Action:
    """Tell the newest of `alerts`, all of one episode and not told yet; the others are covered by it.

    `parent` None means that the episode has no message yet. `may_repeat`: an earlier try has no receipt.
    """

    alerts: tuple[Alert, ...]
    parent: Place | None
    told: tuple[str, ...]
    may_repeat: bool

    @property
    def newest(self) -> Alert:
        """The state that the message shows."""
        return self.alerts[-1]


@dataclass(slots=True)
class _Episode:
    parent: Place | None = None
    told: deque[str] = field(default_factory=lambda: deque(maxlen=TOLD_KEPT))
    untold: list[tuple[int, Alert]] = field(default_factory=list)
    is_in_doubt: bool = False
    is_over: bool = False


class Outbox:
    """Episodes in the order in which their oldest untold alert came. Bounded by its reader, who stops at `is_full`."""

    def __init__(self, most_untold: int = 1_000) -> None:
        self._most_untold = most_untold
        self._episodes: dict[str, _Episode] = {}
        self._untold = 0
        self._next_offset = 0

    @property
    def is_full(self) -> bool:
        """Whether no more alerts should be read for now."""
        return self._untold >= self._most_untold

    @property
    def settled_offset(self) -> int:
        """All alerts before this offset of their topic need nothing more."""
        return min((e.untold[0][0] for e in self._episodes.values() if e.untold), default=self._next_offset)

    def restore(self, notifications: Iterable[Notification]) -> int | None:
        """Know again what was told; return the offset where reading alerts resumes, None when nothing ever was."""
        resume = None
        for record in notifications:
            episode = self._episode(record.episode_id)
            episode.told.extend(record.alert_ids)
            episode.is_in_doubt = record.stage == "intent"
            episode.parent = Place(record.channel, record.ts) if record.alert_ids else None
            episode.is_over = record.alert_id.endswith("-resolve") and record.stage != "intent"
            resume = max(resume or 0, record.settled_offset)
        return resume

    def add(self, offset: int, alert: Alert) -> bool:
        """Take in an alert; say whether it is to be told."""
        self._next_offset = offset + 1
        episode = self._episode(alert.episode_id)
        if alert.alert_id in episode.told or alert.data_quality in UNTOLD_QUALITIES:
            return False
        if alert.state == "resolve" and episode.parent is None and not episode.untold and not episode.is_in_doubt:
            return False  # its opening was not told, so there is nothing to take back
        episode.untold.append((offset, alert))
        self._untold += 1
        return True

    def next_action(self) -> Action | None:
        """What to do now; None when everything is told."""
        waiting = [episode for episode in self._episodes.values() if episode.untold]
        if not waiting:
            return None
        episode = min(waiting, key=lambda e: e.untold[0][0])
        return Action(
            tuple(alert for _, alert in episode.untold), episode.parent, tuple(episode.told), episode.is_in_doubt
        )

    def settle(self, action: Action, place: Place | None) -> None:
        """The action is done, at `place` when it made the episode's first message; or it was refused for good."""
        episode = self._episode(action.newest.episode_id)
        done = {alert.alert_id for alert in action.alerts}
        episode.untold = [pair for pair in episode.untold if pair[1].alert_id not in done]
        self._untold -= len(action.alerts)
        episode.told.extend(alert.alert_id for alert in action.alerts)
        episode.parent = place or episode.parent or Place()
        episode.is_in_doubt = False
        episode.is_over = action.newest.state == "resolve"
        self._forget_some()

    def _episode(self, episode_id: str) -> _Episode:
        return self._episodes.setdefault(episode_id, _Episode())

    def _forget_some(self) -> None:
        surplus = len(self._episodes) - EPISODES_KEPT
        over = (name for name, e in self._episodes.items() if e.is_over and not e.untold)
        for name in [name for name, _ in zip(over, range(surplus), strict=False)]:
            del self._episodes[name]
