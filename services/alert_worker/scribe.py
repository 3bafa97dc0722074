"""Turns what is to be told into messages, in one language, with what the board knows."""

from collections.abc import Iterable

from services.alert_worker.actions import Action, Together
from services.alert_worker.board import Board
from services.alert_worker.messages import alert_message, storm_message
from services.alert_worker.messages.message import Circumstances, Message, Picture
from services.alert_worker.messages.wording import Wording
from shared.clock import NowMicros
from shared.events import Alert


class Scribe:
    """Writes the messages. Asks the clock, so that a message says how late it is."""

    def __init__(self, wording: Wording, board: Board, now: NowMicros) -> None:
        self.wording, self._board, self._now = wording, board, now
        self._written: tuple[str, int] = ("", 0)

    def episode(self, action: Action, picture: Picture | None, *, may_repeat: bool = False) -> Message:
        """The episode's own message."""
        alert = action.newest
        facts = self._board.facts(alert.exchange, alert.symbol, alert.base)
        told = Circumstances(self._told_at_us(alert, picture), may_repeat, len(action.alerts), picture)
        return alert_message.render(alert, self.wording, told, facts)

    def _told_at_us(self, alert: Alert, picture: Picture | None) -> int:
        """When its words are told. Its chart, which comes after them, makes the message no later."""
        if picture is None or self._written[0] != alert.alert_id:
            self._written = (alert.alert_id, self._now())
        return self._written[1]

    def step(self, action: Action, may_repeat: bool) -> Message:
        """An escalation, for the thread."""
        return alert_message.render_step(
            action.gravest, self.wording, may_repeat=may_repeat, is_for_all=action.is_for_all
        )

    def group(self, group: Together, may_repeat: bool, *, with_details: bool) -> Message:
        """The message of many episodes."""
        names = self._korean_names((*group.members, *group.fresh))
        told = Circumstances(self._now(), may_repeat)
        return storm_message.render(group, self.wording, told, names, with_details=with_details)

    def details(self, group: Together, may_repeat: bool) -> Message:
        """What is fresh of them, for the thread."""
        return storm_message.render_details(group, self.wording, self._korean_names(group.fresh), may_repeat=may_repeat)

    def _korean_names(self, alerts: Iterable[Alert]) -> dict[str, str]:
        return self._board.korean_names((one.exchange, one.symbol, one.base) for one in alerts)
