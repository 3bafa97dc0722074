"""What is still to be told, and what was: alerts and notification records in, the next thing to do out. Pure.

Most severe first. Many at once become one message: four or more of a direction (a storm) or of what the exchanges say
(notices), what waited while nobody could be told (late), what quiet hours held back (morning). In a storm a further leg
of an episode that was told counts as an episode does: a market that falls again is news to all. Nothing is left out:
what a message stands for is counted.

Who was told of an episode hears the same of it again only after a cooldown, which begins when the message arrived and
not when it was decided: after Slack was away, one follows the other no sooner than otherwise. What is news goes out at
once: more severe, a step further, the other way, on another exchange, over. What waited is told with it.

One message an episode calls people; what follows is an answer in its thread, which calls nobody else. But for the
gravest, which all of the channel are to hear of (see `told.SILENCE_US`), unless it is one of their quiet hours.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from services.alert_worker.actions import (
    GRAVEST,
    RANKS,
    REASONS,
    Action,
    Heard,
    Place,
    Reason,
    Together,
    heard_after,
    is_posted,
)
from services.alert_worker.gathering import Gathering
from services.alert_worker.messages.message import Picture
from services.alert_worker.notices import NAME as NOTICE
from services.alert_worker.quiet_hours import QuietHours
from services.alert_worker.told import GROUP_OPEN_US, ToldEpisode, ToldGroup, graver, is_last, owner_of
from shared.events import Alert, Notification

EPISODES_KEPT = 3_000
"""Far more than go on at once: a market's own takes in whatever it does within half a day. Beside what is untold."""
UNTOLD_QUALITIES = frozenset({"stale", "backfilled"})

MOST_DETAILS = 60
_BETWEEN_ANSWERS_US, _BETWEEN_FULL_ANSWERS_US = 30_000_000, 2_000_000

GATHER_US = 2_000_000
"""An exchange's list changes for many markets at once: the first one's message waits so long for the others."""


class Outbox:
    """Episodes and what is known of each. Bounded by its reader, who stops at `is_full`."""

    def __init__(self, quiet: QuietHours | None = None, most_untold: int = 5_000, most_held: int = 50_000) -> None:
        self._gathering = Gathering(quiet or QuietHours())
        self._most_untold, self._most_held = most_untold, most_held
        self._episodes: dict[str, ToldEpisode] = {}
        self._waiting: dict[str, ToldEpisode] = {}
        self._untold = self._held = 0
        """Alerts that are to be told, and those of them that quiet hours held back when that was asked last."""
        self._next_offset = 0

    @property
    def is_full(self) -> bool:
        """Whether no more alerts should be read for now. What waits for the morning keeps out nothing that is grave."""
        return self._untold - self._held >= self._most_untold or self._held >= self._most_held

    @property
    def settled_offset(self) -> int:
        """All alerts before this offset of their topic need nothing more."""
        return min((e.untold[0][0] for e in self._waiting.values()), default=self._next_offset)

    def obey(self, quiet: QuietHours, storm_of: int) -> None:
        """Other quiet hours, and so many episodes of a direction that are told together, from now on."""
        self._gathering.quiet = quiet
        self._gathering.storm_of = storm_of

    def restore(self, notifications: Iterable[Notification], resume: int | None = None) -> int | None:
        """Know again what was told; return the offset where reading alerts resumes, None when nothing ever was.

        `resume`: what those say of it that nothing follows any more.
        """
        groups, lately = [], list[tuple[int, str]]()
        for record in notifications:
            resume = max(resume or 0, record.settled_offset)
            if record.episodes:
                groups.append(record)
                continue
            episode = self._episode(record.episode_id)
            episode.know(record.alert_ids)
            episode.is_in_doubt = record.stage == "intent"
            episode.told_at_us = record.at_us if record.stage == "sent" else 0
            episode.heard = _heard(record) if record.alert_ids else None
            episode.posted_at_us = record.posted_at_us
            if record.posted_at_us is not None and record.direction is not None:
                lately.append((record.posted_at_us, record.direction))
            episode.parent = Place(record.channel, record.ts) if record.alert_ids else None
            episode.picture = Picture(record.file_id, "") if record.file_id else None
            episode.is_over = is_last(record.alert_id) and record.stage != "intent"
            episode.last_word_us = record.at_us
        for record in groups:
            self._restore_group(record)
        self._gathering.told_alone.extend(sorted(lately))
        self._next_offset = resume or 0
        return resume

    def _restore_group(self, record: Notification) -> None:
        reason: Reason = next((one for one in REASONS if record.episode_id.startswith(f"{one}-")), "late")
        group = ToldGroup(record.episode_id, reason, record.direction, record.begun_at_us or record.at_us, record.at_us)
        group.until_us, group.messages = record.open_until_us or record.at_us, record.messages
        group.is_in_doubt = record.stage == "intent"
        if record.stage != "intent" or record.alert_ids or record.ts:
            group.parent = Place(record.channel, record.ts)
            group.heard = _heard(record)
            group.told_rank = -1 if record.heard_severity is None else RANKS[record.heard_severity]
        if record.alert_id in record.alert_ids:  # else it goes on at once with what its last step began
            group.pause_answers(record.at_us, _BETWEEN_ANSWERS_US)
        self._gathering.groups[group.group_id] = group
        for episode_id in record.episodes:
            group.members[episode_id] = None
            episode = self._episode(episode_id)
            episode.last_word_us = max(episode.last_word_us, record.at_us)
            if episode.group is None or episode.group.begun_us <= group.begun_us:
                episode.group = group
        for alert_id in record.alert_ids:
            if owner := owner_of(alert_id, group.members):
                episode = self._episodes[owner]
                episode.know([alert_id])
                episode.is_over = is_last(alert_id)

    def recall(self, alert: Alert) -> None:
        """One from before the offset where reading resumes: it needs nothing more, and says what the messages show."""
        episode = self._episodes.get(alert.episode_id)
        if episode is not None and alert.alert_id in episode.told:
            episode.history.append(alert)
            episode.shows = alert

    def add(self, offset: int, alert: Alert) -> bool:
        """Take in an alert; say whether it is to be told."""
        self._next_offset = offset + 1
        episode = self._episodes.get(alert.episode_id) or ToldEpisode()
        if alert.alert_id in episode.told:
            episode.history.append(alert)
            episode.shows = alert
            return False
        if alert.data_quality in UNTOLD_QUALITIES or (alert.suppressed_by and not episode.awaits_end(alert)):
            return False
        if alert.state == "resolve" and episode.is_new and not episode.untold:
            return False  # its opening was not told, so there is nothing to take back
        episode.untold.append((offset, alert))
        episode.history.append(alert)
        self._episodes[alert.episode_id] = self._waiting[alert.episode_id] = episode
        self._untold += 1
        return True

    def next_action(self, now_us: int) -> Action | Together | None:
        """What to do now; None when there is nothing, or nothing yet."""
        gathers = self._gathers(now_us)
        held = {name for name, e in self._waiting.items() if self._is_held(e, now_us)}
        self._held = sum(len(self._waiting[name].untold) for name in held)
        waiting = [
            e for name, e in self._waiting.items() if name not in held and not self._rests(e, now_us, gathers=gathers)
        ]
        self._gathering.gather(waiting, now_us)
        due: list[tuple[int, int, ToldEpisode | ToldGroup]] = [
            (-e.rank, e.untold[0][0], e) for e in waiting if e.group is None
        ]
        groups = {e.group.group_id: e.group for e in waiting if e.group is not None}
        ranked = ((self._due(group, now_us), group) for group in groups.values())
        due += [(-rank, self._oldest(group), group) for rank, group in ranked if rank is not None]
        if not due:
            return None
        first = min(due, key=lambda one: one[:2])[2]
        if isinstance(first, ToldGroup):
            return self._together(first, now_us)
        return first.action(is_for_all=self._is_for_all([first], first.heard, now_us))

    def settle(self, action: Action | Together, place: Place | None, now_us: int, *, is_told: bool = True) -> None:
        """The action is done, at `place` when it made the first message; or it was refused for good."""
        if isinstance(action, Together):
            self._settle_group(action, place, now_us)
            self._gathering.groups[action.group_id].heard = (
                heard_after(action, place, now_us) if is_told else action.heard
            )
        else:
            episode = self._episodes[action.newest.episode_id]
            episode.heard = heard_after(action, place, now_us) if is_told else action.heard
            self._tick_off(episode, action.alerts, now_us)
            episode.parent = place or episode.parent or Place()
            episode.is_in_doubt = False
            if is_told:
                episode.told_at_us, episode.shows = now_us, action.newest
                if is_posted(action, place):
                    episode.posted_at_us = now_us
                    self._gathering.told_alone.append((now_us, action.newest.direction))
        if not self._waiting:  # so a restart reads nothing again of what was told by now
            for alert in action.covered if isinstance(action, Together) else action.alerts:
                self._episodes[alert.episode_id].forget_old()
        self._forget_some(now_us)

    def doubt(self, action: Action | Together) -> None:
        """Whether the action is done is not known."""
        if isinstance(action, Together):
            self._gathering.groups[action.group_id].is_in_doubt = True
        else:
            self._episodes[action.newest.episode_id].is_in_doubt = True

    def history(self, episode_id: str) -> list[Alert]:
        """An episode's newest alerts that were seen, oldest first."""
        episode = self._episodes.get(episode_id)
        return [] if episode is None else list(episode.history)

    def show(self, episode_id: str, picture: Picture) -> Action | None:
        """The episode's message gets a picture: what to draw again, or None when it has no message of its own."""
        episode = self._episodes.get(episode_id)
        if episode is None or episode.parent is None or episode.newest is None:
            return None
        episode.picture = picture
        return Action(
            (episode.newest,),
            episode.parent,
            tuple(episode.told),
            False,
            picture,
            episode.heard,
            posted_at_us=episode.posted_at_us,
        )

    def take_down(self, episode_id: str) -> None:
        """The episode's picture cannot be shown."""
        episode = self._episodes.get(episode_id)
        if episode is not None:
            episode.picture = None

    def _rests(self, episode: ToldEpisode, now_us: int, *, gathers: bool) -> bool:
        """Whether an episode waits for a moment: for others like it, or because it was just told."""
        return episode.rests(now_us) or (gathers and episode.is_new and episode.now.kind == NOTICE)

    def _is_held(self, episode: ToldEpisode, now_us: int) -> bool:
        """Whether an episode waits because of quiet hours."""
        if not episode.is_new or not self._gathering.quiet.hold(episode.gravest.severity, now_us):
            return False
        episode.held_as = episode.gravest.severity
        return True

    def _gathers(self, now_us: int) -> bool:
        """Whether the first of what exchanges say still waits for others; when it has waited, all go with it."""
        return all(
            abs(now_us - one.now.decided_at_us) < GATHER_US
            for one in self._waiting.values()
            if one.is_new and one.now.kind == NOTICE
        )

    def _due(self, group: ToldGroup, now_us: int) -> int | None:
        """The rank of what a group has to tell now, None when it may wait."""
        rank = max((e.rank for e in self._fresh(group)), default=None)
        return None if rank is None or (group.parent is not None and group.may_wait(rank, now_us)) else rank

    def _fresh(self, group: ToldGroup) -> list[ToldEpisode]:
        return [e for e in self._members(group) if e.untold and e.group is group]

    def _members(self, group: ToldGroup) -> list[ToldEpisode]:
        return [self._episodes[name] for name in group.members if name in self._episodes]

    def _oldest(self, group: ToldGroup) -> int:
        return min(e.untold[0][0] for e in self._fresh(group))

    def _is_for_all(self, fresh: Iterable[ToldEpisode], heard: Heard | None, now_us: int) -> bool:
        return not self._gathering.quiet.hold(GRAVEST, now_us) and any(
            one.is_for_all(graver(heard, one.heard), now_us) for one in fresh
        )

    def _together(self, group: ToldGroup, now_us: int) -> Together:
        episodes = self._members(group)
        fresh = sorted(self._fresh(group), key=lambda e: _weight(e.gravest))[:MOST_DETAILS]
        known = [e.newest for e in episodes if e.newest is not None]
        lead = next((alert for alert in known if alert.scope == "market"), None)
        return Together(
            group.group_id,
            group.reason,
            members=tuple(sorted((alert for alert in known if alert.scope == "symbol"), key=_weight)),
            fresh=tuple(e.gravest for e in fresh),
            covered=tuple(alert for e in fresh for _, alert in e.untold),
            # Before it is posted, what its members were told elsewhere says nothing of it.
            told=tuple(alert_id for e in episodes for alert_id in e.told) if group.parent else (),
            episodes=tuple(group.members),
            lead=lead,
            parent=group.parent,
            may_repeat=group.is_in_doubt or any(e.is_in_doubt for e in fresh),
            is_whole=len(known) == len(group.members) and all(e.group is group for e in episodes),
            own=tuple(e.action() for e in fresh if self._began_alone(e, group)),
            intake=group.intake,
            heard=group.heard,
            is_for_all=group.parent is not None and self._is_for_all(fresh, group.heard, now_us),
        )

    @staticmethod
    def _began_alone(episode: ToldEpisode, group: ToldGroup) -> bool:
        """Whether its own message began what the group tells of; one that tells of an earlier leg stays as it is."""
        return episode.parent is not None and episode.told_at_us >= group.begun_us - GROUP_OPEN_US

    def _settle_group(self, action: Together, place: Place | None, now_us: int) -> None:
        group = self._gathering.groups[action.group_id]
        group.is_in_doubt = False
        group.messages += 1
        group.told_rank = max([group.told_rank, *(RANKS[alert.severity] for alert in action.fresh)])
        if action.parent is None and place is not None and place.ts is not None:
            group.parent = place  # the details follow in the thread
            return
        group.parent = place or group.parent or Place()
        for name in {alert.episode_id: None for alert in action.covered}:
            self._tick_off(self._episodes[name], [a for a in action.covered if a.episode_id == name], now_us)
        more = len(self._fresh(group))
        pause_us = _BETWEEN_FULL_ANSWERS_US if more >= MOST_DETAILS else _BETWEEN_ANSWERS_US
        group.pause_answers(now_us, pause_us)

    def _tick_off(self, episode: ToldEpisode, alerts: Sequence[Alert], now_us: int) -> None:
        done = [alert.alert_id for alert in alerts]
        before = len(episode.untold)
        episode.untold = [pair for pair in episode.untold if pair[1].alert_id not in done]
        self._untold -= before - len(episode.untold)
        if not episode.untold:
            self._waiting.pop(alerts[0].episode_id, None)
        episode.know(done)
        episode.is_over, episode.last_word_us = is_last(done[-1]), now_us

    def _episode(self, episode_id: str) -> ToldEpisode:
        return self._episodes.setdefault(episode_id, ToldEpisode())

    def _forget_some(self, now_us: int) -> None:
        """What is past, those of a group all at once; and where there is too much, what had its last word first."""
        past = {name for name, e in self._episodes.items() if e.is_past(now_us)}
        live = {e.group.group_id for name, e in self._episodes.items() if e.group is not None and name not in past}
        for name in past:
            group = self._episodes[name].group
            if group is None or group.group_id not in live:
                del self._episodes[name]
        told = [name for name, e in self._episodes.items() if not e.untold]
        if len(told) > EPISODES_KEPT:
            told.sort(key=lambda name: self._episodes[name].last_word_us)
            for name in told[:-EPISODES_KEPT]:
                del self._episodes[name]
        self._let_groups_go(now_us)

    def _let_groups_go(self, now_us: int) -> None:
        """Those in which nobody goes on, and which take in no others: so there are never more than episodes."""
        needed = {e.group.group_id for e in self._episodes.values() if e.group is not None}
        for name, group in list(self._gathering.groups.items()):
            if name not in needed and not group.takes_in(now_us):
                del self._gathering.groups[name]


def _heard(record: Notification) -> Heard:
    """A record of before there was any of this says when it was told, which is the latest that it can have been."""
    return Heard(record.heard_at_us or record.at_us, record.heard_severity)


def _weight(alert: Alert) -> tuple[int, Decimal]:
    """Most severe first, largest move first."""
    return -RANKS[alert.severity], -abs(Decimal(alert.change_pct or 0))
