"""What is told next, and what is known again after a crash at any point."""

from collections.abc import Callable

import pytest

from services.alert_worker.actions import Place
from services.alert_worker.outbox import EPISODES_KEPT, Outbox
from services.alert_worker.told import COOLDOWN_US
from shared.events import Alert, Notification

PLACE = Place("C1", "1700000000.000100")
NOW = 1_700_000_007_000_000


@pytest.fixture
def three(make_alert: Callable[..., Alert]) -> list[Alert]:
    """It falls by five per cent, by nine, and is over."""
    changes = {"open": "-5.00", "escalate": "-9.00", "resolve": "-0.20"}
    return [make_alert(state, change_pct=change) for state, change in changes.items()]


def note(alert: Alert, stage: str, told: list[str], settled: int = 0, place: Place | None = None) -> Notification:
    return Notification(
        episode_id=alert.episode_id, notifier="x", stage=stage, alert_id=alert.alert_id, alert_ids=told, at_us=1,
        settled_offset=settled, channel=place and place.channel, ts=place and place.ts,
    )  # fmt: skip


def test_each_state_is_told_once_and_in_order(three) -> None:
    outbox = Outbox()
    for offset, alert in enumerate(three):
        assert outbox.add(offset, alert)
        action = outbox.next_action(NOW)
        assert action is not None
        assert action.newest is alert
        assert action.parent == (PLACE if offset else None)
        outbox.settle(action, PLACE, NOW)
        assert outbox.next_action(NOW) is None
        assert not outbox.add(offset, alert)
    assert outbox.settled_offset == 3


def test_what_gathered_meanwhile_is_one_message(three) -> None:
    outbox = Outbox()
    for offset, alert in enumerate(three):
        outbox.add(offset, alert)
    action = outbox.next_action(NOW)
    assert action is not None
    assert action.alerts == tuple(three)
    assert action.newest.state == "resolve"
    assert outbox.settled_offset == 0


def test_an_alert_that_comes_while_another_is_told_stays(three) -> None:
    outbox = Outbox()
    outbox.add(0, three[0])
    action = outbox.next_action(NOW)
    outbox.add(1, three[1])
    outbox.settle(action, PLACE, NOW)
    following = outbox.next_action(NOW)
    assert following is not None
    assert following.alerts == (three[1],)
    assert outbox.settled_offset == 1


@pytest.mark.parametrize("quality", ["stale", "backfilled"])
def test_old_alerts_are_not_told_nor_is_their_end(make_alert, quality) -> None:
    outbox = Outbox()
    assert not outbox.add(0, make_alert("open", data_quality=quality))
    assert not outbox.add(1, make_alert("resolve"))
    assert outbox.next_action(NOW) is None
    assert outbox.settled_offset == 2


def test_killed_between_intent_and_receipt_it_tells_again_and_says_so(three) -> None:
    outbox = Outbox()
    assert outbox.restore([note(three[0], "intent", [])]) == 0
    outbox.add(0, three[0])
    action = outbox.next_action(NOW)
    assert action is not None
    assert action.may_repeat
    assert action.parent is None


def test_killed_after_the_receipt_it_tells_nothing_twice(three) -> None:
    outbox = Outbox()
    assert outbox.restore([note(three[0], "sent", [three[0].alert_id], 1, PLACE)]) == 1
    assert not outbox.add(0, three[0])
    assert outbox.add(1, three[1])
    action = outbox.next_action(NOW)
    assert action is not None
    assert (action.parent, action.may_repeat) == (PLACE, False)


def test_killed_while_editing_it_knows_the_message(three) -> None:
    outbox = Outbox()
    outbox.restore([note(three[2], "intent", [three[0].alert_id], 1, PLACE)])
    outbox.add(2, three[2])
    action = outbox.next_action(NOW)
    assert action is not None
    assert (action.parent, action.may_repeat) == (PLACE, True)


def test_the_oldest_unsettled_alert_holds_the_offset(make_alert) -> None:
    outbox = Outbox()
    outbox.add(5, make_alert("open", episode_id="a"))
    outbox.add(6, make_alert("open", episode_id="b"))
    first = outbox.next_action(NOW)
    assert first is not None
    assert first.newest.episode_id == "a"
    outbox.settle(first, PLACE, NOW)
    assert outbox.settled_offset == 6


MINUTE_US = 60_000_000


@pytest.fixture
def told_late(make_alert) -> Outbox:
    """A fall that was decided at NOW, and told three minutes later because nobody answered before."""
    outbox = Outbox()
    outbox.add(0, make_alert("open", decided_at_us=NOW))
    action = outbox.next_action(NOW + 3 * MINUTE_US)
    assert action is not None
    outbox.settle(action, PLACE, NOW + 3 * MINUTE_US)
    return outbox


def goes_on(make_alert, name="2", state="escalate", **changes) -> Alert:
    return make_alert(state, alert_id=f"e1-{name}-{state}", decided_at_us=NOW + 5 * MINUTE_US, **changes)


def test_the_cooldown_begins_when_the_message_arrived_and_not_when_it_was_decided(told_late, make_alert) -> None:
    told_late.add(1, goes_on(make_alert))
    assert told_late.next_action(NOW + 5 * MINUTE_US) is None
    assert told_late.next_action(NOW + 3 * MINUTE_US + COOLDOWN_US - 1) is None
    action = told_late.next_action(NOW + 3 * MINUTE_US + COOLDOWN_US)
    assert action is not None
    assert action.newest.state == "escalate"


@pytest.mark.parametrize(
    "news",
    [
        {"change_pct": "-8.10"}, {"direction": "up"}, {"members": ["upbit:KRW-BTC", "binance:BTCUSDT"]},
        {"state": "resolve"},
    ],
)  # fmt: skip
def test_news_waits_for_no_cooldown_and_takes_along_what_waits(told_late, make_alert, news) -> None:
    told_late.add(1, goes_on(make_alert))
    told_late.add(2, goes_on(make_alert, "3", **news))
    action = told_late.next_action(NOW + 5 * MINUTE_US)
    assert action is not None
    assert len(action.alerts) == 2


def test_what_gets_more_severe_waits_for_no_cooldown(make_alert) -> None:
    outbox = Outbox()
    outbox.add(0, make_alert("open", severity="notice", change_pct="-1.6"))
    action = outbox.next_action(NOW)
    assert action is not None
    outbox.settle(action, PLACE, NOW)
    outbox.add(1, make_alert("escalate", severity="warning", change_pct="-1.9"))
    assert outbox.next_action(NOW) is not None


def test_a_further_leg_after_the_end_was_told_waits_for_no_cooldown(told_late, make_alert) -> None:
    """Until it is told, people believe that it is over."""
    told_late.add(1, goes_on(make_alert, state="resolve"))
    end = told_late.next_action(NOW + 5 * MINUTE_US)
    assert end is not None
    told_late.settle(end, PLACE, NOW + 5 * MINUTE_US)
    told_late.add(2, goes_on(make_alert, "3"))
    assert told_late.next_action(NOW + 6 * MINUTE_US) is not None


def test_what_was_refused_or_told_by_a_process_before_begins_no_cooldown(make_alert) -> None:
    outbox = Outbox()
    outbox.add(0, make_alert("open"))
    action = outbox.next_action(NOW)
    assert action is not None
    outbox.settle(action, None, NOW, is_told=False)
    outbox.add(1, goes_on(make_alert))
    assert outbox.next_action(NOW) is not None
    again = Outbox()
    again.restore([note(make_alert("open"), "sent", ["e1-open"], 1, PLACE)])
    again.add(1, goes_on(make_alert))
    assert again.next_action(NOW) is not None


def test_it_is_bounded(make_alert) -> None:
    outbox = Outbox(most_untold=3)
    for number in range(3):
        assert not outbox.is_full
        outbox.add(number, make_alert("open", episode_id=str(number)))
    assert outbox.is_full
    for number in range(EPISODES_KEPT + 50):
        for place, state in enumerate(("open", "resolve")):
            outbox.add(10 + 2 * number + place, make_alert(state, episode_id=f"e{number}"))
        now_us = NOW + number * 3_600_000_000
        while (action := outbox.next_action(now_us)) is not None:
            outbox.settle(action, PLACE, now_us)
    assert len(outbox._episodes) <= EPISODES_KEPT


def test_an_end_and_a_further_leg_told_at_once_leave_it_going_on(told_late, make_alert) -> None:
    told_late.add(1, goes_on(make_alert, state="resolve"))
    told_late.add(2, goes_on(make_alert, "3"))
    action = told_late.next_action(NOW + 9 * MINUTE_US)
    assert action is not None
    told_late.settle(action, PLACE, NOW + 9 * MINUTE_US)
    assert not told_late._episodes["e1"].is_over


QUIET = [{"suppressed_by": "joined"}, {"suppressed_by": "mute"}, {"suppressed_by": "feed"}, {"data_quality": "stale"}]


@pytest.mark.parametrize("changes", QUIET)
def test_nothing_is_kept_of_what_nobody_is_told_and_who_was_told_goes_on(make_alert, changes) -> None:
    outbox, offset = Outbox(), 0
    for number in range(EPISODES_KEPT + 1):
        for state in ("open", "resolve"):
            assert not outbox.add(offset, make_alert(state, episode_id=f"q{number}", **changes))
            offset += 1
    assert outbox._episodes == {}
    for alert in (make_alert("open"), goes_on(make_alert, state="resolve")):
        outbox.add(offset, alert)
        end = outbox.next_action(NOW)
        assert end is not None
        outbox.settle(end, PLACE, NOW)
        assert outbox.history("e1")[-1] is alert
    outbox.add(offset, goes_on(make_alert, "3"))
    further = outbox.next_action(NOW)
    assert further is not None
    assert further.parent == PLACE


def test_asking_of_what_is_not_known_makes_it_no_more_known(make_alert) -> None:
    outbox = Outbox()
    assert outbox.history("e1") == []
    outbox.take_down("e1")
    assert outbox._episodes == {}
