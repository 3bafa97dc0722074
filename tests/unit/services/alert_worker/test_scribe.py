import itertools
from collections.abc import Callable

from services.alert_worker.actions import Action
from services.alert_worker.board import Board
from services.alert_worker.messages.message import Picture
from services.alert_worker.messages.wording import ENGLISH
from services.alert_worker.scribe import Scribe
from shared.events import Alert


def test_a_chart_that_comes_later_makes_the_message_no_later(make_alert: Callable[..., Alert]) -> None:
    opened, resolved = make_alert("open"), make_alert("resolve", alert_id="e1-9-resolve")
    received_us = opened.received_at_us or 0
    seconds = itertools.count(1)
    scribe = Scribe(ENGLISH, Board(), lambda: received_us + 1_000_000 * next(seconds))

    def says(alert: Alert, picture: Picture | None) -> str:
        return str(scribe.episode(Action((alert,), None, (), False), picture).blocks)

    picture = Picture("F1", "a chart")
    assert "1.0 s from trade to message" in says(opened, None)
    assert "1.0 s from trade to message" in says(opened, picture)
    assert "2.0 s from trade to message" in says(resolved, picture)
    assert "3.0 s from trade to message" in says(resolved, None)
