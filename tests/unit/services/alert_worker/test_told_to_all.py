"""One message an episode calls people; of what follows in its thread all of the channel see the gravest alone."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from services.alert_worker.actions import Action, Heard, Place, Together, heard_after
from services.alert_worker.outbox import Outbox
from services.alert_worker.quiet_hours import QuietHours, read_hours
from services.alert_worker.told import SILENCE_US
from shared.events import Alert, Notification

NOW = 1_700_000_007_000_000  # 07:13 in Korea
PLACE = Place("C1", "1.000001")
LONG = SILENCE_US + 1

Fall = Callable[..., Alert]
Told = Action | Together


class Channel:
    """Takes everything that the outbox wants to tell, and remembers what was said to all of it."""

    def __init__(self, outbox: Outbox | None = None) -> None:
        self.outbox, self.now, self.offset = outbox or Outbox(), NOW, 0

    def hear(self, *alerts: Alert, after_us: int = 0) -> list[Told]:
        self.now += after_us
        for alert in alerts:
            self.outbox.add(self.offset, replace(alert, decided_at_us=self.now))
            self.offset += 1
        told = []
        while (action := self.outbox.next_action(self.now)) is not None:
            self.outbox.settle(action, PLACE, self.now)
            told.append(action)
        return told

    def is_shown_to_all(self, *alerts: Alert, after_us: int = 0) -> bool:
        (told,) = self.hear(*alerts, after_us=after_us)
        assert told.parent is not None
        return told.is_for_all


@pytest.fixture
def channel() -> Channel:
    return Channel()


@pytest.fixture
def fall(make_alert: Callable[..., Alert]) -> Fall:
    """The word of that number of an episode; each leg has its own start."""

    def make(word: int, severity: str, change: str, leg: int = 0, **changes: object) -> Alert:
        state = "open" if word == 1 else "escalate"
        fields: dict[str, object] = {
            "alert_id": f"{changes.get('episode_id', 'e1')}-{word}-{state}", "severity": severity,
            "change_pct": change, "started_at_us": 1_700_000_000_000_000 + leg,
        }  # fmt: skip
        return make_alert(state, **(fields | changes))

    return make


def test_the_first_of_the_gravest_is_shown_to_all_and_what_goes_on_is_not(channel, fall) -> None:
    (opened,) = channel.hear(fall(1, "notice", "-1.20"))
    assert (opened.parent, opened.is_for_all) == (None, False), "a message of its own is heard anyway"
    assert not channel.is_shown_to_all(fall(2, "warning", "-2.10"), after_us=60_000_000)
    assert channel.is_shown_to_all(fall(3, "danger", "-4.10"), after_us=60_000_000)
    assert not channel.is_shown_to_all(fall(4, "danger", "-8.10"), after_us=60_000_000)
    assert not channel.is_shown_to_all(fall(5, "danger", "-8.90"), after_us=LONG), "it only goes on"


def test_a_further_leg_of_the_gravest_is_shown_to_all_once_they_heard_nothing_for_long(channel, fall) -> None:
    channel.hear(fall(1, "danger", "-5.00"))
    assert not channel.is_shown_to_all(fall(2, "danger", "-4.20", leg=1), after_us=SILENCE_US - 1)
    assert not channel.is_shown_to_all(fall(3, "warning", "-2.20", leg=2), after_us=LONG), "it is none of the gravest"
    assert channel.is_shown_to_all(fall(4, "danger", "4.30", leg=3, direction="up"), after_us=1)
    assert not channel.is_shown_to_all(fall(5, "danger", "-4.40", leg=4), after_us=SILENCE_US - 1)
    assert channel.is_shown_to_all(fall(6, "danger", "-8.10", leg=4), after_us=1), "a step further of a leg, too"


def test_the_end_is_shown_to_nobody_anew(channel, fall, make_alert) -> None:
    channel.hear(fall(1, "danger", "-5.00"))
    assert not channel.is_shown_to_all(make_alert("resolve", started_at_us=1_700_000_000_000_009), after_us=LONG)


def test_quiet_hours_of_the_gravest_are_kept(fall) -> None:
    channel = Channel(Outbox(QuietHours({"danger": read_hours("07:00-08:00")})))
    channel.hear(fall(1, "warning", "-2.00"))
    assert not channel.is_shown_to_all(fall(2, "danger", "-4.10"), after_us=60_000_000)
    assert channel.is_shown_to_all(fall(3, "danger", "-8.10"), after_us=3_600_000_000), "it was not heard of yet"


def test_what_was_refused_was_not_heard(channel, fall) -> None:
    channel.hear(fall(1, "warning", "-2.00"))
    channel.outbox.add(7, fall(2, "danger", "-4.10"))
    refused = channel.outbox.next_action(NOW)
    channel.outbox.settle(refused, PLACE, NOW, is_told=False)
    assert channel.is_shown_to_all(fall(3, "danger", "-8.10"))


def test_a_storm_that_becomes_grave_is_shown_to_all_once(channel, fall) -> None:
    names = [f"e{number}" for number in range(4)]
    channel.hear(*(fall(1, "warning", "-2.00", episode_id=name, symbol=f"KRW-{name}") for name in names))
    worse = [fall(2, "danger", "-4.10", episode_id=name, symbol=f"KRW-{name}") for name in names]
    (first,) = channel.hear(*worse[:2], after_us=61_000_000)
    (second,) = channel.hear(*worse[2:], after_us=61_000_000)
    assert (first.is_for_all, second.is_for_all) == (True, False)
    again = fall(3, "danger", "-4.50", leg=1, episode_id="e0", symbol="KRW-e0")
    assert channel.is_shown_to_all(again, after_us=LONG)


@pytest.mark.parametrize(("heard", "is_shown"), [("warning", True), ("danger", False), (None, False)])
def test_a_restart_knows_what_was_heard(fall, heard, is_shown) -> None:
    """Without a word about it in the record of an older version only a long silence is known."""
    record = Notification(
        episode_id="e1", notifier="x", stage="sent", alert_id="e1-1-open", alert_ids=["e1-1-open"], at_us=NOW,
        settled_offset=1, channel="C1", ts="1.000001", heard_at_us=NOW if heard else None, heard_severity=heard,
    )  # fmt: skip
    channel = Channel()
    channel.outbox.restore([record])
    assert channel.is_shown_to_all(fall(2, "danger", "-5.00"), after_us=60_000_000) is is_shown
    assert channel.is_shown_to_all(fall(3, "danger", "-5.00", leg=1), after_us=LONG)


def test_that_it_became_grave_is_told_first_and_to_all_whatever_milder_leg_followed_unheard(
    channel, fall, make_alert
) -> None:
    channel.hear(fall(1, "notice", "-1.20"))
    offset, at_us = channel.offset, channel.now
    grave, milder = fall(2, "danger", "-4.10"), fall(4, "notice", "1.30", leg=1, direction="up")
    over = make_alert("resolve", alert_id="e1-3-resolve", severity="danger")
    other = fall(1, "warning", "-2.00", episode_id="e2", symbol="KRW-ETH")
    for number, alert in enumerate((other, grave, over, milder)):
        channel.outbox.add(offset + number, alert)
    first, second = channel.hear()
    assert (first.alerts, first.gravest, first.is_for_all) == ((grave, over, milder), grave, True)
    assert second.newest.episode_id == "e2"
    assert channel.outbox._episodes["e1"].heard == Heard(at_us, "danger")
    channel.offset += 4
    assert not channel.is_shown_to_all(fall(5, "danger", "-4.20", leg=2), after_us=1), "they heard that it is grave"


def test_in_a_storm_s_thread_too_what_became_grave_is_told_before_a_milder_leg(channel, fall) -> None:
    names = [f"e{number}" for number in range(4)]
    channel.hear(*(fall(1, "warning", "-2.00", episode_id=name, symbol=f"KRW-{name}") for name in names))
    grave = fall(2, "danger", "-4.10", episode_id="e3", symbol="KRW-e3")
    (told,) = channel.hear(grave, fall(3, "notice", "-1.30", leg=1, episode_id="e3", symbol="KRW-e3"))
    assert (told.newest.alert_id, told.is_for_all) == (grave.alert_id, True)


def test_who_heard_of_a_coin_that_it_is_grave_is_not_called_again_from_the_storm_that_it_joins(channel, fall) -> None:
    channel.hear(fall(1, "danger", "-5.00"))
    names = [f"e{number}" for number in range(2, 6)]
    channel.hear(*(fall(1, "warning", "-2.00", episode_id=name, symbol=f"KRW-{name}") for name in names))
    (further,) = channel.hear(fall(2, "danger", "-8.10"), after_us=30_000_000)
    assert (type(further), further.is_for_all) == (Together, False)
    assert channel.is_shown_to_all(fall(2, "danger", "-4.10", episode_id="e2", symbol="KRW-e2"), after_us=61_000_000)


def test_a_message_that_is_posted_anew_is_heard(fall) -> None:
    answer = Action((fall(2, "danger", "-4.10"),), PLACE, (), False, heard=Heard(1, "warning"))
    assert heard_after(answer, PLACE, NOW) == Heard(1, "warning")
    assert heard_after(answer, Place("C1", "2.000000"), NOW) == Heard(NOW, "danger")


def test_where_there_are_no_threads_everything_is_heard(fall) -> None:
    following = Action((fall(2, "danger", "-4.10"),), Place(), (), False, heard=Heard(1, "warning"))
    assert heard_after(following, Place(), NOW) == Heard(NOW, "danger")


def test_a_storm_s_message_bears_what_its_members_are_now(channel, fall) -> None:
    """What one of them was before, its thread is yet to tell, and to all."""
    fields = [{"episode_id": f"e{number}", "symbol": f"KRW-e{number}"} for number in range(4)]
    opened = [fall(1, "danger", "-5.00", **one) for one in fields]
    milder = [fall(2, "notice", "1.30", leg=1, **one) for one in fields]
    first, second = channel.hear(*opened, *milder)
    assert (first.parent, second.is_for_all) == (None, True)
    assert [alert.severity for alert in second.fresh] == ["danger"] * 4
