"""Many at once: storms, what waited while nobody could be told, quiet hours; and the same after a crash anywhere."""

import random
from collections import Counter
from collections.abc import Callable
from unittest.mock import AsyncMock

import pytest
from msgspec.structs import replace

from services.alert_worker import outbox
from services.alert_worker.actions import Action, Bulletin, Place, Together
from services.alert_worker.gathering import MANY
from services.alert_worker.messages.message import Picture
from services.alert_worker.outbox import GATHER_US, MOST_DETAILS, Outbox
from services.alert_worker.quiet_hours import Hours, QuietHours, read_hours
from services.alert_worker.receipts import Receipts, _who
from services.alert_worker.receipts import _heard as receipts_heard
from services.alert_worker.told import GOES_ON_US, GROUP_OPEN_US, TOLD_KEPT
from shared.events import Alert, Notification
from shared.wire import decode

NOW = 1_700_000_007_000_000  # 07:13 in Korea
NIGHT = NOW - 7 * 3_600_000_000
S = 1_000_000


class World:
    """An outbox with a channel that takes everything, and the notifications that a restart would read."""

    def __init__(self, outbox: Outbox | None = None) -> None:
        self.outbox = outbox or Outbox()
        self.log: list[Alert] = []
        self.notes: dict[str, Notification] = {}
        self.posts: list[tuple[str, Place | None]] = []
        self.told: Counter[str] = Counter()
        self.now = NOW

    def add(self, *alerts: Alert) -> None:
        for alert in alerts:
            self.outbox.add(len(self.log), alert)
            self.log.append(alert)

    def note(self, action: Action | Together, stage: str, place: Place | None) -> None:
        fields = {"notifier": "x", "stage": stage, "at_us": self.now, "settled_offset": self.outbox.settled_offset,
                  "channel": place and place.channel, "ts": place and place.ts}  # fmt: skip
        heard = receipts_heard(action, stage, place, self.now)
        record = Notification(**_who(action, stage, place), **heard, **fields)  # type: ignore[arg-type]
        self.notes[record.episode_id] = record

    def step(self, crash: str | None = None) -> Action | Together | None:
        action = self.outbox.next_action(self.now)
        if action is None:
            return None
        assert not isinstance(action, Bulletin)
        self.note(action, "intent", action.parent)
        if crash == "intended":
            return action
        name = action.group_id if isinstance(action, Together) else action.newest.episode_id
        place = action.parent
        if place is None:
            known = [p for n, p in self.posts if n == name and p is not None]
            place = known[0] if known and action.may_repeat else Place("C1", f"{self.now}.{len(self.posts)}")
        self.posts.append((name, place))
        covered = action.covered if isinstance(action, Together) else action.alerts
        if not (isinstance(action, Together) and action.parent is None):
            self.told.update(alert.alert_id for alert in covered)
        if crash == "told":
            return action
        self.outbox.settle(action, place, self.now)
        self.note(action, "sent", place)
        return action

    def drain(self) -> list[Action | Together]:
        done = []
        while (action := self.step()) is not None:
            done.append(action)
            assert len(done) < 1_000
        return done

    def restart(self) -> None:
        self.outbox = Outbox()
        resume = self.outbox.restore(self.notes.values()) or 0
        for alert in self.log[:resume]:
            self.outbox.recall(alert)
        for offset, alert in enumerate(self.log[resume:], resume):
            self.outbox.add(offset, alert)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def fall(make_alert: Callable[..., Alert]) -> Callable[..., list[Alert]]:
    def make(count: int, state: str = "open", first: int = 0, **changes: object) -> list[Alert]:
        fields = {"severity": "warning", "decided_at_us": NOW} | changes
        return [
            make_alert(state, **{"episode_id": f"e{n}", "symbol": f"KRW-C{n}", "change_pct": f"-{2 + n % 3}"} | fields)
            for n in range(first, first + count)
        ]

    return make


def test_three_are_told_one_by_one(world, fall) -> None:
    world.add(*fall(MANY - 1))
    assert all(isinstance(action, Action) for action in world.drain())
    assert len(world.posts) == MANY - 1


def test_the_most_severe_is_told_first(world, fall) -> None:
    mild, grave = fall(1, severity="notice"), fall(1, first=1, severity="danger")
    world.add(*mild, *grave)
    assert [action.newest for action in world.drain()] == [*grave, *mild]


def test_four_of_a_direction_are_one_message_with_the_details_in_its_thread(world, fall) -> None:
    world.add(*fall(300))
    first, second = world.step(), world.step()
    assert isinstance(first, Together)
    assert isinstance(second, Together)
    assert (len(first.members), first.parent, second.parent) == (300, None, Place("C1", f"{NOW}.0"))
    assert len(second.fresh) == MOST_DETAILS
    assert world.step() is None  # not another word in its first minute
    world.now += GROUP_OPEN_US
    while world.outbox.settled_offset < 300:
        assert isinstance(world.step(), Together)
        world.now += 2 * S
    assert set(world.told.values()) == {1}
    assert len(world.told) == 300


def test_the_other_direction_is_not_part_of_it(world, fall) -> None:
    world.add(*fall(5), *fall(2, first=10, direction="up"))
    done = world.drain()
    assert sum(isinstance(action, Action) for action in done) == 2


def test_what_falls_within_the_minute_joins(world, fall) -> None:
    world.add(*fall(4))
    world.drain()
    world.now += 50 * S
    world.add(*fall(1, first=4))
    assert world.step() is None
    world.now += 10 * S
    joined = world.step()
    assert isinstance(joined, Together)
    assert [alert.symbol for alert in joined.fresh] == ["KRW-C4"]
    world.now += GROUP_OPEN_US
    world.add(*fall(1, first=5))
    assert isinstance(world.step(), Action)


def test_what_gets_worse_is_told_at_once(world, fall) -> None:
    world.add(*fall(4))
    world.drain()
    world.add(*fall(1, "escalate", severity="danger"))
    worse = world.step()
    assert isinstance(worse, Together)
    assert worse.newest.severity == "danger"


def test_three_told_alone_go_on_in_the_storm_that_follows_and_all_is_five_messages(world, fall, make_alert) -> None:
    world.add(*fall(3, severity="notice", change_pct="-1.6"))
    world.drain()
    assert len(world.posts) == 3
    world.now += 2 * S
    market = make_alert("open", episode_id="m", scope="market", exchange=None, symbol=None, severity="notice")
    world.add(market, *fall(297, first=3, severity="notice", change_pct="-1.6", decided_at_us=world.now))
    for severity, change in (("warning", "-2.1"), ("danger", "-4.1")):
        world.drain()
        world.now += S
        changes = {"severity": severity, "change_pct": change, "decided_at_us": world.now}
        world.add(*(replace(one, alert_id=f"{one.alert_id}-{severity}") for one in fall(300, "escalate", **changes)))
    last = world.drain()[-1]
    assert isinstance(last, Together)
    assert last.newest.severity == "danger"
    assert len(world.posts) == 5
    world.now += GROUP_OPEN_US
    own = {action.newest.symbol for action in last.own}
    while world.outbox.settled_offset < len(world.log):
        own |= {action.newest.symbol for answer in world.drain() for action in answer.own}
        world.now += 30 * S
    assert {"KRW-C0", "KRW-C1", "KRW-C2"} <= own
    assert set(world.told.values()) == {1}


@pytest.mark.parametrize("killed", [None, "intended", "told"])
def test_a_restart_in_the_middle_of_a_storm_goes_on_with_it(world, fall, killed) -> None:
    """What falls later is told in its thread, its message counts all of them, and it stays within its few messages."""
    world.add(*fall(3))
    world.drain()
    world.add(*fall(5, first=3))
    world.drain()
    world.now += 10 * S
    world.add(*fall(1, first=8, decided_at_us=world.now))
    if killed:
        world.step(killed)
    world.restart()
    parents = {name for name, _ in world.posts}
    world.add(*fall(4, first=9, decided_at_us=world.now))
    assert world.drain() == [], "in the storm's first minute one answer told of all by then"
    world.now += GROUP_OPEN_US
    (answer,) = world.drain()
    assert isinstance(answer, Together)
    assert answer.parent is not None
    assert (len(answer.members), answer.is_whole) == (10, True)
    assert {name for name, _ in world.posts} == parents


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("back_s", [300, 3_600])
def test_a_clock_set_back_ends_a_storm_and_freezes_none_of_its_answers(world, fall, restarts, back_s) -> None:
    world.add(*fall(4))
    for _ in range(100):  # one after another joins for hours, so that it began long before what the clock says then
        world.drain()
        world.now += 50 * S
        world.add(*fall(1, first=len(world.log), decided_at_us=world.now))
    world.now += 10 * S
    world.drain()
    world.now -= back_s * S
    if restarts:
        world.restart()
    world.add(*fall(1, "escalate", first=1, decided_at_us=world.now))
    (answer,) = world.drain()
    assert isinstance(answer, Together)
    world.add(*fall(1, first=500, decided_at_us=world.now))
    (alone,) = world.drain()
    assert isinstance(alone, Action)


def test_a_clock_set_back_before_a_storm_began_lets_the_gravest_go_at_once(world, fall) -> None:
    world.add(*fall(4))
    world.drain()
    for word, severity in enumerate(("danger", "danger", "danger")):
        world.add(*(replace(one, alert_id=f"e0-{word}-escalate") for one in fall(1, "escalate", severity=severity)))
        world.drain()
        world.now += 61 * S
    world.now = NOW - 3_600 * S
    world.add(*(replace(one, alert_id="e1-9-escalate") for one in fall(1, "escalate", first=1, severity="danger")))
    (answer,) = world.drain()
    assert isinstance(answer, Together)


def test_messages_told_alone_in_the_future_of_a_clock_set_back_count_into_no_storm(world, fall) -> None:
    world.add(*fall(3))
    world.drain()
    world.now -= 3_600 * S
    world.add(*fall(4, first=3, decided_at_us=world.now))
    first = world.step()
    assert isinstance(first, Together)
    assert first.intake.messages == 0


@pytest.mark.parametrize("restarts", [False, True])
def test_before_a_storm_messages_count_and_answers_in_threads_do_not(world, fall, restarts) -> None:
    """Also those that all of the channel saw: they are no messages more in the channel's own order."""
    world.add(*fall(3))
    world.drain()
    world.now += 50 * S
    world.add(*fall(1, "escalate", severity="danger", decided_at_us=world.now))
    (answer,) = world.drain()
    assert answer.is_for_all
    world.add(*fall(1, first=3, decided_at_us=world.now))
    world.drain()
    world.now += 20 * S
    if restarts:
        world.restart()
    world.add(*fall(4, first=4, decided_at_us=world.now))
    first = world.step()
    assert isinstance(first, Together)
    assert first.intake.messages == 1


async def test_a_chart_that_follows_a_message_leaves_known_when_that_was_posted(world, fall) -> None:
    world.add(*fall(1))
    world.drain()
    world.now += 5 * S
    shown = world.outbox.show("e0", Picture("F1", ""))
    assert shown is not None
    producer = AsyncMock()
    await Receipts(producer, "x", lambda: 1).note_picture(shown)
    record = decode(Notification, producer.send_and_wait.call_args.args[1])
    assert (record.file_id, record.posted_at_us) == ("F1", NOW)


@pytest.mark.parametrize("restarts", [False, True])
def test_a_storm_s_next_answer_is_no_sooner_after_a_restart(world, fall, restarts) -> None:
    world.add(*fall(4))
    world.drain()
    world.now += 20 * S
    if restarts:
        world.restart()
    world.add(*fall(1, first=4, decided_at_us=world.now))
    assert world.drain() == [], "the first minute is not over"
    world.now += 41 * S
    assert len(world.drain()) == 1
    world.now += 15 * S
    if restarts:
        world.restart()
    world.add(*fall(1, first=5, decided_at_us=world.now))
    assert world.drain() == [], "the last answer is less than half a minute old"
    world.add(*fall(1, "escalate", severity="danger", decided_at_us=world.now))
    assert len(world.drain()) == 1, "what is graver waits for none of it"


def test_a_restart_between_a_storm_s_message_and_its_details_keeps_nobody_waiting(world, fall) -> None:
    world.add(*fall(4))
    world.step()
    world.restart()
    (details,) = world.drain()
    assert isinstance(details, Together)
    assert len(details.fresh) == 4


def test_after_a_restart_a_storm_s_message_still_counts_those_that_were_told_before(world, fall) -> None:
    world.add(*fall(4))
    world.drain()
    world.restart()
    assert world.outbox.settled_offset == len(world.log)
    world.add(*fall(1, first=4))
    told = world.drain()
    world.now += GROUP_OPEN_US
    (answer,) = told + world.drain()
    assert (len(answer.members), answer.is_whole) == (5, True)


def test_a_restart_knows_the_way_that_a_storm_went(world, fall) -> None:
    world.add(*fall(4))
    world.drain()
    world.restart()
    world.add(*fall(1, first=9, direction="up"))
    (alone,) = world.drain()
    assert isinstance(alone, Action)


def test_a_restart_keeps_the_cooldown(world, fall) -> None:
    world.add(*fall(1))
    world.drain()
    world.restart()
    world.add(*fall(1, "escalate"))
    assert world.drain() == []


def test_what_was_told_long_before_a_storm_goes_on_in_its_own_thread(world, fall) -> None:
    world.add(*fall(1))
    world.drain()
    world.now += 2 * GROUP_OPEN_US
    world.add(*fall(4, first=1, decided_at_us=world.now))
    world.drain()
    world.add(*fall(1, "escalate", severity="danger", decided_at_us=world.now))
    (action,) = world.drain()
    assert isinstance(action, Action)


def test_the_detectors_own_market_alert_leads_its_members(world, fall, make_alert) -> None:
    market = make_alert("open", episode_id="m", scope="market", members=["KRW-C0"], exchange=None, symbol=None)
    world.add(market, *fall(2))
    first = world.step()
    assert isinstance(first, Together)
    assert first.lead == market
    assert len(first.members) == 2
    world.drain()
    assert set(world.told) == {"m-open", "e0-open", "e1-open"}


def test_after_a_long_wait_what_still_matters_comes_first_and_all_is_counted(world, fall) -> None:
    opened = fall(50, severity="notice") + fall(30, first=50, severity="warning") + fall(5, first=80, severity="danger")
    opened += fall(5, first=85, direction="up")
    world.add(*opened, *fall(40, "resolve"))
    world.now += 600 * S
    done = []
    for _ in range(20):
        world.now += 60 * S
        done += world.drain()
    assert {type(action) for action in done} == {Together}
    assert done[0].reason == "late"
    assert done[1].fresh[0].severity == "danger"
    assert len(world.told) == 130
    assert len(done) <= 4  # the message, and its answers


@pytest.fixture
def fall_again(fall: Callable[..., list[Alert]]) -> Callable[..., list[Alert]]:
    """The first word of a further leg of each, two hours after the first."""

    def make(count: int, first: int = 0, **changes: object) -> list[Alert]:
        legs = fall(count, "escalate", first, **({"started_at_us": NOW + 7_200 * S} | changes))
        return [replace(leg, alert_id=f"{leg.episode_id}-3-escalate") for leg in legs]

    return make


@pytest.mark.parametrize("killed", [None, "intended", "told"])
@pytest.mark.parametrize("together", [True, False])
def test_who_fell_before_falls_together_in_one_new_message_with_the_details_in_its_thread(
    world, fall, fall_again, together, killed
) -> None:
    for n in range(0, 300, 300 if together else 1):
        world.add(*fall(300 if together else 1, first=n, decided_at_us=world.now))
        world.drain()
        world.now += 2 * GROUP_OPEN_US
        world.add(*fall(300 if together else 1, "resolve", first=n, decided_at_us=world.now))
        while world.outbox.settled_offset < len(world.log):
            world.drain()
            world.now += 2 * S
    posted, before = len(world.posts), {place for _, place in world.posts}
    world.now += 7_200 * S
    begun = world.now
    world.add(*fall_again(300, decided_at_us=world.now))
    if killed:
        world.step(killed)
        world.restart()
    first, *_ = world.drain()
    assert isinstance(first, Together)
    assert (first.parent, len(first.members), first.own) == (None, 300, ())
    while world.now < begun + GROUP_OPEN_US:
        world.now += S
        world.drain()
    assert len(world.posts) - posted <= 5
    assert {place for _, place in world.posts[posted:]}.isdisjoint(before)
    while world.outbox.settled_offset < len(world.log):
        world.now += 2 * S
        world.drain()
    assert set(world.told.values()) == {1}
    assert len(world.told) == 900


def test_a_few_that_fall_again_go_on_where_they_were_told(world, fall, fall_again) -> None:
    world.add(*fall(MANY))
    world.drain()
    world.now += 7_200 * S
    world.add(*fall_again(MANY - 1, decided_at_us=world.now))
    (answer,) = world.drain()
    assert answer.parent is not None


def test_who_falls_again_joins_the_storm_that_is_told_and_its_old_message_is_drawn_no_more(
    world, fall, fall_again
) -> None:
    world.add(*fall(5))
    world.drain()
    world.now += 7_200 * S
    world.add(*fall(4, first=10, decided_at_us=world.now), *fall_again(1, decided_at_us=world.now))
    first, *_ = world.drain()
    assert isinstance(first, Together)
    assert len(first.members) == 5
    world.now += 2 * GROUP_OPEN_US
    world.add(*fall(1, "resolve", first=1, decided_at_us=world.now))
    for restarts in (False, True):
        if restarts:
            world.restart()
        answer = world.outbox.next_action(world.now)
        assert isinstance(answer, Together)
        assert (answer.is_whole, [alert.symbol for alert in answer.fresh]) == (False, ["KRW-C1"])


def test_at_night_who_falls_again_is_told_in_the_old_thread(fall, fall_again) -> None:
    world = World(Outbox(QuietHours({"warning": read_hours("22:00-08:00")})))
    world.now = NIGHT - 3_600 * S
    world.outbox.obey(QuietHours(), MANY)
    world.add(*fall(MANY, decided_at_us=world.now))
    world.drain()
    world.outbox.obey(QuietHours({"warning": read_hours("22:00-08:00")}), MANY)
    world.now = NIGHT
    world.add(*fall_again(MANY, decided_at_us=world.now))
    (answer,) = world.drain()
    assert answer.parent is not None


@pytest.mark.parametrize("state", ["escalate", "resolve"])
def test_a_member_s_later_changes_are_told_in_the_thread(world, fall, state) -> None:
    world.add(*fall(4))
    world.drain()
    world.now += GROUP_OPEN_US
    world.add(*fall(1, state))
    (answer,) = world.drain()
    assert isinstance(answer, Together)
    assert answer.fresh[0].state == state


def test_quiet_hours_hold_back_what_is_mild_until_the_morning(fall) -> None:
    world = World(Outbox(QuietHours({"notice": read_hours("22:00-08:00"), "warning": read_hours("22:00-08:00")})))
    world.now = NIGHT
    world.add(*fall(2), *fall(1, first=2, severity="danger"))
    assert [action.newest.severity for action in world.drain()] == ["danger"]
    world.add(*fall(1, "resolve"))
    world.now = NOW + 3_000 * S
    (message, details) = world.drain()
    assert isinstance(message, Together)
    assert (message.reason, len(message.members)) == ("morning", 2)
    assert {alert.state for alert in details.fresh} == {"open", "resolve"}


def test_however_much_waits_for_the_morning_what_is_grave_is_read_and_told_at_night(fall) -> None:
    quiet = QuietHours({"warning": read_hours("22:00-08:00")})
    world = World(Outbox(quiet, most_untold=10, most_held=30))
    world.now = NIGHT
    for n in range(25):
        assert not world.outbox.is_full
        world.add(*fall(1, first=n))
        assert world.drain() == []
    world.add(*fall(1, first=25, severity="danger"))
    assert [action.newest.severity for action in world.drain()] == ["danger"]
    assert not world.outbox.is_full
    world.now = NOW + 3_000 * S
    while world.outbox.settled_offset < len(world.log):
        assert world.drain()
        world.now += 30 * S
    assert set(world.told.values()) == {1}
    assert len(world.told) == 26


@pytest.mark.parametrize("many", [1, MANY])
def test_a_restart_while_something_waits_for_the_morning_tells_no_long_episode_of_that_night_again(fall, many) -> None:
    quiet = QuietHours({"warning": read_hours("22:00-08:00")})
    world = World(Outbox(quiet))
    world.now = NIGHT

    def words(first: int, last: int) -> None:
        for word in range(first, last):
            for n in range(1, 1 + many):
                (alert,) = fall(1, "escalate", first=n, severity="danger", decided_at_us=world.now)
                world.add(replace(alert, alert_id=f"e{n}-{word}-escalate"))
            world.now += 305 * S
            world.drain()

    words(0, 50)
    assert all(len(note.alert_ids) <= (TOLD_KEPT + 1) * many for note in world.notes.values())
    world.add(*fall(1, decided_at_us=world.now))
    words(50, 80)
    world.restart()
    world.outbox.obey(quiet, MANY)
    assert world.drain() == []
    words(80, 81)
    assert set(world.told.values()) == {1}
    assert len(world.told) == 81 * many


def test_what_waits_for_the_morning_is_bounded_too(fall) -> None:
    world = World(Outbox(QuietHours({"warning": read_hours("22:00-08:00")}), most_untold=10, most_held=30))
    world.now = NIGHT
    for n in range(3):
        world.add(*fall(10, first=10 * n))
        world.drain()
    assert world.outbox.is_full


def test_what_gets_worse_at_night_is_told_at_night(fall) -> None:
    world = World(Outbox(QuietHours({"warning": read_hours("22:00-08:00")})))
    world.now = NIGHT
    world.add(*fall(1))
    assert world.drain() == []
    world.add(*fall(1, "escalate", severity="danger"))
    (action,) = world.drain()
    assert isinstance(action, Action)
    assert len(action.alerts) == 2


def test_what_was_grave_waits_for_no_morning_because_a_milder_leg_followed(fall) -> None:
    world = World(Outbox(QuietHours({"warning": read_hours("22:00-08:00")})))
    world.now = NIGHT
    world.add(*fall(1, severity="danger"), *fall(1, "escalate", severity="warning"))
    (action,) = world.drain()
    assert isinstance(action, Action)


def test_muted_alerts_are_not_told_but_the_end_of_a_told_one_is(world, fall) -> None:
    world.add(*fall(1, suppressed_by="mute"), *fall(1, first=1))
    world.drain()
    world.add(*fall(2, "resolve", suppressed_by="mute"))
    world.drain()
    assert set(world.told) == {"e1-open", "e1-resolve"}


def test_pictures_are_shown_only_in_messages_of_one_episode(world, fall) -> None:
    world.add(*fall(1))
    world.drain()
    world.add(*fall(4, first=1))
    world.drain()
    assert world.outbox.show("e0", Picture("F1", "")) is not None
    assert world.outbox.show("e1", Picture("F1", "")) is None
    assert world.outbox.show("nobody", Picture("F1", "")) is None


@pytest.mark.parametrize("seed", range(60))
def test_killed_anywhere_everything_is_told_and_nothing_twice_but_what_lost_its_receipt(seed, fall) -> None:
    """Random episodes, random deaths between intent, message and receipt."""
    rng, world = random.Random(seed), World()
    two_legs = [(state, leg) for leg in (0, 7_200 * S) for state in ("open", "escalate", "resolve")]
    states = {n: iter(two_legs) for n in range(40)}
    lost_receipts: Counter[str] = Counter()
    while states:
        world.now += rng.randrange(20 * S)
        for n in rng.sample(sorted(states), min(len(states), rng.randrange(12))):
            state, leg = next(states[n], (None, 0))
            if state is None:
                del states[n]
            else:
                severity = rng.choice(("notice", "warning", "danger"))
                (alert,) = fall(1, "escalate" if leg and state == "open" else state, first=n, severity=severity,
                                decided_at_us=world.now, started_at_us=NOW + leg,
                                direction=rng.choice(("up", "down")))  # fmt: skip
                world.add(replace(alert, alert_id=f"e{n}-{leg}-{state}"))
        for _ in range(rng.randrange(4)):
            fate = rng.choice((None, None, None, "intended", "told"))
            action = world.step(fate)
            if action is not None and fate is not None:
                if fate == "told":
                    covered = action.covered if isinstance(action, Together) else action.alerts
                    lost_receipts.update(alert.alert_id for alert in covered)
                world.restart()
    for _ in range(100):
        world.now += 61 * S
        world.drain()
    assert set(world.told) == {alert.alert_id for alert in world.log}
    assert all(count <= 1 + lost_receipts[alert_id] for alert_id, count in world.told.items())
    assert world.outbox.settled_offset == len(world.log)


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [("22:30-08:00", (22 * 60 + 30, 0, 479), (480, 1_349)), ("09:00-10:00", (540, 599), (539, 600))],
)
def test_hours(text, inside, outside) -> None:
    hours = read_hours(text)
    assert str(hours) == text
    assert all(hours.hold(minute) for minute in inside)
    assert not any(hours.hold(minute) for minute in outside)


@pytest.mark.parametrize("text", ["", "22:00", "22:00-22:00", "24:00-08:00", "22:60-08:00", "a-b", "1-2-3"])
def test_what_are_no_hours(text) -> None:
    with pytest.raises(ValueError, match="not like"):
        read_hours(text)


def test_a_severity_without_hours_is_never_held() -> None:
    assert not QuietHours({"notice": Hours(0, 1_439)}).hold("danger", NOW)


def test_how_many_are_a_storm_and_what_is_quiet_may_change_meanwhile(make_alert) -> None:
    outbox = Outbox()
    for number in range(MANY):
        outbox.add(number, make_alert("open", episode_id=f"e{number}", symbol=f"KRW-C{number}", decided_at_us=NOW))
    outbox.obey(QuietHours(), MANY + 1)
    assert isinstance(outbox.next_action(NOW), Action)
    outbox.obey(QuietHours({"danger": Hours(0, 1439)}), MANY)
    assert outbox.next_action(NOW) is None
    outbox.obey(QuietHours(), MANY)
    assert isinstance(outbox.next_action(NOW), Together)


def test_slack_away_for_ten_minutes_of_a_storm_costs_no_alert_and_the_worst_is_told_first(world, fall) -> None:
    opened, began = 0, world.now
    while world.now < began + 600 * S:
        severity = "danger" if opened % 50 == 40 else "notice"
        world.add(*fall(10, first=opened, severity=severity, decided_at_us=world.now))
        opened += 10
        world.add(*fall(3, "resolve", first=opened - 10, severity=severity, decided_at_us=world.now))
        action = world.outbox.next_action(world.now)
        assert isinstance(action, Together)
        world.note(action, "intent", action.parent)
        world.outbox.doubt(action)
        world.now += 30 * S
    done = []
    while world.outbox.settled_offset < len(world.log):
        done += world.drain()
        world.now += 2 * S
        assert world.now < began + 1_200 * S
    assert done[0].may_repeat
    assert done[0].fresh[0].severity == done[1].fresh[0].severity == "danger"
    assert len(done[0].members) == opened
    told = [alert.severity for action in done if action.parent is not None for alert in action.fresh]
    assert told == sorted(told, key=("danger", "notice").index)
    assert world.told == Counter(alert.alert_id for alert in world.log)
    assert len({name for name, _ in world.posts}) == 1
    assert len(done) <= 2 + opened // MOST_DETAILS


def said(name: str, make_alert: Callable[..., Alert], at_us: int = NOW) -> Alert:
    return make_alert(
        "open", episode_id=name, alert_id=f"{name}-notice", kind="notice", detectors=["notice"], direction="none",
        severity="notice", symbol=f"KRW-{name}", changes=["listed"], decided_at_us=at_us,
    )  # fmt: skip


def test_what_an_exchange_says_of_many_is_one_message_and_of_few_one_each(make_alert) -> None:
    many = World()
    many.add(*(said(f"N{n}", make_alert) for n in range(MANY)))
    assert many.step() is None  # it waits for others
    many.now += GATHER_US
    action = many.step()
    assert isinstance(action, Together)
    assert action.reason == "notices"
    assert len(action.members) == MANY
    few = World()
    few.add(*(said(f"N{n}", make_alert) for n in range(MANY - 1)))
    few.now += GATHER_US
    assert [type(few.step()) for _ in range(MANY)] == [Action] * (MANY - 1) + [type(None)]


def test_what_an_exchange_says_waits_for_no_others_once_the_clock_is_set_back(make_alert) -> None:
    world = World()
    world.add(said("N", make_alert))
    world.now -= 3_600 * S
    assert isinstance(world.step(), Action)


def test_all_go_with_the_first_when_it_has_waited(make_alert) -> None:
    world = World()
    world.add(*(said(f"N{n}", make_alert, NOW + n * 400_000) for n in range(MANY)))
    world.now += GATHER_US
    action = world.step()
    assert isinstance(action, Together)
    assert len(action.members) == MANY


def test_moves_and_notices_are_not_put_together(make_alert) -> None:
    world = World()
    halts = [
        make_alert("open", episode_id=f"H{n}", alert_id=f"H{n}-open", kind="halt", direction="none")
        for n in range(MANY)
    ]
    world.add(said("N", make_alert), *halts)
    world.now += GATHER_US
    assert all(isinstance(world.step(), Action) for _ in range(MANY + 1))


def test_a_notice_that_was_told_is_over_and_may_be_forgotten(make_alert) -> None:
    world = World()
    world.add(said("N", make_alert))
    world.now += GATHER_US
    world.step()
    assert world.outbox._episodes["N"].is_over
    again = Outbox()
    again.restore(world.notes.values())
    assert again._episodes["N"].is_over


def storms(world: World, fall: Callable[..., list[Alert]], count: int, every_s: int) -> None:
    """So many storms of other markets each, every one told and over before the next."""
    for number in range(count):
        for state in ("open", "resolve"):
            world.add(*fall(MANY, state, first=100 + MANY * number, decided_at_us=world.now))
            world.drain()
            world.now += every_s * S // 2
            world.drain()


def test_after_however_many_storms_who_fell_in_one_of_half_a_day_ago_goes_on_in_its_thread(
    world, fall, fall_again
) -> None:
    world.add(*fall(MANY, decided_at_us=world.now))
    world.drain()
    world.add(*fall(MANY, "resolve", decided_at_us=world.now))
    world.now += GROUP_OPEN_US
    world.drain()
    storms(world, fall, 60, 600)
    world.add(*fall_again(1, decided_at_us=world.now))
    answer = world.drain()[-1]
    assert isinstance(answer, Together)
    assert (answer.parent, answer.is_whole) == (world.posts[0][1], True)
    assert world.outbox.settled_offset == len(world.log)


def test_nobody_is_remembered_of_a_storm_of_which_all_is_over_since_two_days(world, fall) -> None:
    world.add(*fall(MANY + 1, decided_at_us=world.now))
    world.drain()
    world.add(*fall(MANY, "resolve", decided_at_us=world.now))
    world.now += GROUP_OPEN_US
    world.drain()
    storms(world, fall, 1, GOES_ON_US // S + 600)
    assert {f"e{n}" for n in range(MANY + 1)} <= world.outbox._episodes.keys(), "one goes on, and shows all of them"
    world.add(*fall(1, "resolve", first=MANY, decided_at_us=world.now))
    world.drain()
    storms(world, fall, 2, GOES_ON_US // S)
    assert len(world.outbox._episodes) <= 2 * MANY
    assert len(world.outbox._gathering.groups) <= 2


def test_of_too_many_in_two_days_those_are_forgotten_that_had_their_last_word_first(world, fall, monkeypatch) -> None:
    monkeypatch.setattr(outbox, "EPISODES_KEPT", 40 * MANY)
    world.add(*fall(MANY, decided_at_us=world.now))
    world.drain()
    storms(world, fall, 50, 120)
    assert world.outbox._episodes.keys() == {f"e{n}" for n in range(100 + 10 * MANY, 100 + 50 * MANY)}
    assert len(world.outbox._gathering.groups) == 40
    assert set(world.told.values()) == {1}


def test_however_much_waits_nobody_who_was_just_told_is_forgotten_for_it(world, fall, monkeypatch) -> None:
    monkeypatch.setattr(outbox, "EPISODES_KEPT", MANY)
    world.add(*fall(MANY - 1, decided_at_us=world.now))
    world.add(*fall(9 * MANY, first=10, direction="up", decided_at_us=world.now))
    world.step()
    world.step()
    world.add(*fall(MANY - 1, "resolve", decided_at_us=world.now))
    world.drain()
    assert {"e0-resolve", "e1-resolve", "e2-resolve"} <= world.told.keys()
