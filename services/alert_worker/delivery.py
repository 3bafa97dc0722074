"""Which calls an action takes: post, edit, answer in the thread; each at the notifier's pace."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from time import monotonic

from services.alert_worker.actions import Action, Bulletin, Place, Together
from services.alert_worker.messages.message import Message, Picture
from services.alert_worker.notifiers.base import Errand, Gone, Notifier, NotReady
from services.alert_worker.scribe import Scribe


class Delivery:
    """Carries messages to the notifier. What it raises is the notifier's: Later, Unanswered, Refused."""

    def __init__(self, notifier: Notifier, scribe: Scribe, confirm: Callable[[], Awaitable[None]]) -> None:
        self.notifier, self._scribe = notifier, scribe
        self.confirm = confirm
        """Returns when it is sure that nobody else tells, and raises what ends us when somebody does."""

    def delay_s(self) -> float:
        """How long until the notifier may be called."""
        return self.notifier.pace.delay_s(monotonic())

    async def deliver(self, action: Action | Together | Bulletin) -> Place:
        """Tell, and return where the first message stands."""
        if isinstance(action, Bulletin):
            return await self._post(action, lambda _: action.message, action.mark)
        if isinstance(action, Together):
            return await self._tell_group(action)
        return await self._tell_episode(action)

    async def show(self, action: Action, picture: Picture) -> None:
        """Draw the episode's message again with its picture. Raises NotReady."""
        if action.parent is not None:
            await self._edit(action.parent, self._scribe.episode(action, picture))

    async def prove(self, message: Message, place: Place) -> Place:
        """Show that people could be told, and tell nobody; returns where the message for that stands."""
        await self._turn()
        return await self.notifier.prove(message, place)

    async def _tell_episode(self, action: Action) -> Place:
        alert, parent = action.newest, _message_at(action.parent)

        def whole(may_repeat: bool) -> Message:
            return self._scribe.episode(action, None, may_repeat=may_repeat)

        if parent is None:
            mark = alert.episode_id if self.notifier.can_edit else alert.alert_id
            return await self._post(action, whole, mark)
        try:
            await self._edit_or_bare(action, parent)
            if alert.state == "escalate":
                await self._post(
                    action, lambda doubt: self._scribe.step(action, doubt), action.gravest.alert_id, parent
                )
        except Gone:
            return await self._post(action, whole, alert.episode_id)
        return parent

    async def _tell_group(self, group: Together) -> Place:
        parent, has_threads = _message_at(group.parent), self.notifier.can_edit
        if group.parent is None:
            return await self._post(
                group, lambda doubt: self._scribe.group(group, doubt, with_details=not has_threads), group.group_id
            )
        try:
            if parent is not None and group.is_whole:
                await self._edit(parent, self._scribe.group(group, False, with_details=False))
            for action in group.own:
                await self._edit_own(action)
            mark = group.newest.alert_id
            await self._post(group, lambda doubt: self._scribe.details(group, doubt), mark, parent)
        except Gone:
            return await self._post(
                group, lambda doubt: self._scribe.group(group, doubt, with_details=True), group.group_id
            )
        return group.parent

    async def _edit_own(self, action: Action) -> None:
        """An episode that is told in a group: its own message changes, and nobody is called."""
        place = _message_at(action.parent)
        if place is not None:
            with suppress(Gone):
                await self._edit_or_bare(action, place)

    async def _edit_or_bare(self, action: Action, parent: Place) -> None:
        """Edit; without the picture where that cannot be shown."""
        try:
            await self._edit(parent, self._scribe.episode(action, action.picture))
        except NotReady:
            await self._edit(parent, self._scribe.episode(action, None))

    async def _post(
        self,
        action: Action | Together | Bulletin,
        written: Callable[[bool], Message],
        mark: str,
        thread: Place | None = None,
    ) -> Place:
        """Post what is written; the argument says whether it may be a repeat."""
        await self._turn()
        doubtful = written(True) if action.may_repeat else None
        for_ops = isinstance(action, Bulletin) and action.for_ops
        is_for_all = not isinstance(action, Bulletin) and action.is_for_all
        return await self.notifier.post(Errand(written(False), mark, thread, doubtful, for_ops, is_for_all))

    async def _edit(self, place: Place, message: Message) -> None:
        await self._turn()
        await self.notifier.edit(place, message)

    async def _turn(self) -> None:
        await asyncio.sleep(self.notifier.pace.take(monotonic()))
        await self.confirm()


def _message_at(place: Place | None) -> Place | None:
    return None if place is None or place.channel is None or place.ts is None else place
