"""Stories of parts that run and only wait, a look a second: what they say of themselves, and what people hear."""

from collections.abc import Mapping

import msgspec
import pytest

from services.watchdog import outbox
from services.watchdog.changes import Change
from services.watchdog.looking import observe, says
from services.watchdog.memory import Memory, Sight
from services.watchdog.message import Context, render
from services.watchdog.observation import End, Observation, Phase
from services.watchdog.wording import ENGLISH
from shared.waiting import Wait

S = 1_000_000
BEGAN_S = 1_000
WELL = "12 records/s"
KAFKA, UPBIT = "Kafka does not answer", "no connection to upbit is up"
NAMES = {"Kafka": KAFKA, "upbit": UPBIT}


class Host:
    """`waits`: what a part waits for and since which second; whoever is not in `phases` is up."""

    def __init__(self, *parts: str) -> None:
        self.second = BEGAN_S
        self.parts = parts
        self.memory = Memory()
        self.heard: list[tuple[int, Change]] = []
        self.waits: dict[str, tuple[str, int]] = {}
        self.works_meanwhile = False
        self.runs = dict.fromkeys(parts, 1)
        self.goes(20)

    def goes(self, seconds: int, boot: str = "first", **phases: Phase) -> None:
        for _ in range(seconds):
            seen = [self._seen(part, phases) for part in self.parts]
            self.memory, changes = observe(self.memory, Sight(seen, boot, wanted=True), self.second * S)
            self.heard += [(self.second - BEGAN_S - 20, change) for change in changes]
            self.second += 1

    def _seen(self, part: str, phases: Mapping[str, Phase]) -> Observation:
        phase = phases.get(part, "up")
        end = End("hung") if phase == "down" else None
        incarnation = "" if phase in ("down", "stopped") else f"{part}{self.runs[part]}"
        return Observation(part, phase, incarnation, end=end, status=self._says(part))

    def _says(self, part: str) -> str:
        if part not in self.waits:
            return WELL
        what, since = self.waits[part]
        return f"{Wait(what, self.second - since, NAMES[what], self.works_meanwhile)}; {WELL}"

    def wait(self, what: str, *parts: str) -> None:
        self.waits |= dict.fromkeys(parts, (what, self.second))

    def get_on(self, *parts: str) -> None:
        for part in parts:
            del self.waits[part]

    def says(self) -> str:
        return says(Sight([self._seen(part, {}) for part in self.parts], "first"), self.memory)

    def told(self) -> list[tuple[int, str, str]]:
        return [(second, change.kind, " ".join(change.parts) or change.part) for second, change in self.heard]


def test_an_exchange_that_goes_away_after_ready_is_told_and_told_as_over() -> None:
    host = Host("producer", "consumer")
    host.wait("upbit", "producer")
    host.goes(60)
    assert host.says() == "2 of 2 parts up, 1 only wait"
    host.get_on("producer")
    host.goes(2)
    assert host.says() == "2 of 2 parts up, 1 get on again"
    host.goes(58)
    assert host.says() == "2 of 2 parts up"
    assert host.told() == [(10, "waits", "producer"), (65, "gets_on", "producer")]
    (_, waits), (_, on) = host.heard
    assert (waits.status, waits.since_us) == (UPBIT, (BEGAN_S + 20) * S)
    assert on.down_us == 60 * S


def test_a_planned_reconnect_and_a_store_started_anew_are_no_news() -> None:
    host = Host("producer")
    for waits_s in (2, 5, 9, 9):
        host.wait("upbit", "producer")
        host.goes(waits_s)
        host.get_on("producer")
        host.goes(3)
    assert host.told() == []


def test_all_who_wait_for_the_same_kafka_are_one_story() -> None:
    host = Host("a", "b", "c", "d")
    for part, later_s in zip("abcd", (3, 4, 8, 0), strict=True):
        host.wait("Kafka", part)
        host.goes(later_s)
    host.goes(45)
    host.get_on("a", "b")
    host.goes(7)
    host.get_on("c", "d")
    host.goes(60)
    assert host.told() == [(10, "waits", "a b c"), (25, "waits", "d"), (72, "gets_on", "a b c d")]
    assert [change.is_first for _, change in host.heard] == [True, False, False]


def test_who_goes_on_waiting_when_the_others_get_on_is_named_and_told_later() -> None:
    host = Host("a", "b")
    host.wait("Kafka", "a", "b")
    host.goes(30)
    host.get_on("a")
    host.goes(60)
    host.get_on("b")
    host.goes(30)
    assert host.told() == [(10, "waits", "a b"), (44, "gets_on", "a"), (95, "gets_on", "b")]
    assert [list(change.still) for _, change in host.heard] == [[], ["b"], []]


def test_two_exchanges_are_two_stories_and_so_are_two_reasons_one_after_another() -> None:
    host = Host("a", "b")
    host.wait("Kafka", "a", "b")
    host.goes(30)
    host.get_on("b")
    host.wait("upbit", "a")
    host.goes(30)
    assert host.told() == [(10, "waits", "a b"), (35, "gets_on", "a b"), (40, "waits", "a")]


def test_one_that_gets_on_for_a_moment_only_waits_on() -> None:
    host = Host("a")
    host.wait("Kafka", "a")
    for _ in range(4):
        host.goes(15)
        host.get_on("a")
        host.goes(2)
        host.wait("Kafka", "a")
    assert host.told() == [(10, "waits", "a")]


def test_kafkas_death_is_told_early_and_once_although_consumers_start_over_meanwhile() -> None:
    host = Host("producer", "redis", "postgres", "alerts")
    started_over = ("redis", "postgres", "alerts")
    host.wait("Kafka", "producer")
    host.goes(3)
    host.wait("Kafka", *started_over)
    host.goes(35)
    host.goes(9, redis="down", postgres="down", alerts="down")
    host.runs |= dict.fromkeys(started_over, 2)
    host.goes(60, redis="starting", postgres="starting", alerts="starting")
    host.get_on(*host.parts)
    host.goes(3, redis="starting", postgres="starting", alerts="starting")
    host.goes(60)
    assert host.told() == [(10, "waits", " ".join(host.parts)), (115, "gets_on", " ".join(host.parts))]


def test_one_that_waited_and_then_does_not_come_up_is_told_in_the_same_thread() -> None:
    host = Host("a", "b")
    host.wait("Kafka", "a", "b")
    host.goes(20)
    host.goes(20, a="down")
    host.get_on("a", "b")
    host.runs["a"] = 2
    host.goes(30)
    assert [told[1:] for told in host.told()] == [
        ("waits", "a b"),
        ("down", "a"),
        ("back", "a"),
        ("gets_on", "b"),
    ]
    box, threads = outbox.Outbox(), []
    for ts, (_, change) in enumerate(host.heard):
        message = render(change, Context("vm1", "journalctl -u x"), ENGLISH)
        threads.append(outbox.thread_of(box, message))
        box = outbox.told(outbox.add(box, [message]), f"ts{ts}")
    assert threads == [None, "ts0", "ts0", "ts0"]
    assert box.threads == {}


def test_one_that_waited_and_then_ends_again_and_again_is_told_in_the_same_thread() -> None:
    host = Host("a", "b")
    host.wait("Kafka", "a", "b")
    host.goes(20)
    for run in range(2, 10):
        host.runs["a"] = run
        host.goes(3, a="starting")
    assert [told[1:] for told in host.told()] == [("waits", "a b"), ("looping", "a")]
    assert host.heard[1][1].waits_for == "Kafka"


@pytest.mark.parametrize("works_meanwhile", [True, False])
def test_who_only_waited_may_start_over_unheard_and_who_worked_meanwhile_may_not(works_meanwhile: bool) -> None:
    host = Host("a", "b")
    host.works_meanwhile = works_meanwhile
    host.wait("upbit", "a")
    host.goes(20)
    host.runs["a"] = 2
    host.goes(3, a="starting")
    host.goes(20)
    assert [told[1:] for told in host.told()] == [("waits", "a"), *[("restarted", "a")] * works_meanwhile]


def test_each_story_has_a_thread_of_its_own() -> None:
    host = Host("a")
    for _ in range(2):
        host.wait("Kafka", "a")
        host.goes(30)
        host.get_on("a")
        host.goes(30)
    assert [change.is_first for _, change in host.heard] == [True, False] * 2


def flap(host: Host, times: int, waits_s: int = 12, serves_s: int = 8) -> None:
    for _ in range(times):
        host.wait("upbit", "producer")
        host.goes(waits_s)
        host.get_on("producer")
        host.goes(serves_s)


def test_an_exchange_that_serves_for_seconds_and_cuts_is_told_as_that_and_once_when_it_is_over() -> None:
    host = Host("producer", "consumer")
    flap(host, 180)
    host.goes(200)
    quiet = [(40 + 20 * times, "flaps", "producer") for times in (3, 9, 21, 45, 93)]
    assert host.told() == [
        (10, "waits", "producer"),
        (17, "gets_on", "producer"),
        (30, "waits", "producer"),
        (37, "gets_on", "producer"),
        (50, "flaps", "producer"),
        *quiet,
        (3_742, "settled", "producer"),
    ]
    box, heard = outbox.Outbox(), []
    for ts, (_, change) in enumerate(host.heard):
        message = render(change, Context("vm1", "journalctl -u x"), ENGLISH)
        thread = outbox.thread_of(box, message)
        heard += [message.text] if thread is None or message.is_loud else []
        box = outbox.told(outbox.add(box, [message]), f"ts{ts}")
        assert thread == ("ts4" if ts > 4 else (None, "ts0", None, "ts2", None)[ts])
    assert heard[4:] == [
        f"🔁 COMES AND GOES · producer on vm1: {UPBIT}, 3 times in 50 s",
        "✅ GETS ON · producer on vm1, waited for upbit 180 times in 60 min",
    ]
    assert box.threads == {}
    flap(host, 1)
    assert host.told()[-2][1:] == ("waits", "producer")


def test_what_came_and_went_and_then_stays_away_is_told_once_more() -> None:
    host = Host("producer")
    flap(host, 4)
    host.wait("upbit", "producer")
    host.goes(300)
    host.get_on("producer")
    flap(host, 3)
    host.goes(200)
    told = host.told()[5:]
    assert [kind for _, kind, _ in told] == ["stands", "flaps", "settled"]
    assert told[0][0] == 80 + 60
    message = render(host.heard[5][1], Context("vm1", "x"), ENGLISH)
    assert message.text == f"⏳ STAYS AWAY · producer on vm1: {UPBIT}, for 60 s by now"
    assert message.is_loud


def test_that_it_comes_and_goes_is_known_to_the_next_watchdog() -> None:
    host = Host("producer")
    flap(host, 2)
    for _ in range(4):
        host.memory = msgspec.json.decode(msgspec.json.encode(host.memory), type=Memory)
        flap(host, 1)
    assert [kind for _, kind, _ in host.told()[4:]] == ["flaps", "flaps"]


def test_a_part_that_ends_while_its_exchange_serves_it_between_two_cuts_is_told() -> None:
    host = Host("producer")
    flap(host, 4, serves_s=40)
    host.goes(3, producer="down")
    host.runs["producer"] = 2
    host.goes(10)
    assert host.told()[-1][1:] == ("restarted", "producer")


def test_one_of_several_that_comes_and_goes_while_the_others_wait_is_told_as_that() -> None:
    host = Host("producer", "other")
    host.wait("upbit", "other")
    flap(host, 4, waits_s=15, serves_s=20)
    assert [kind for _, kind, _ in host.told()] == ["waits", "gets_on", "waits", "gets_on", "flaps"]


def test_a_reboot_ends_what_was_told_of_waiting() -> None:
    host = Host("a")
    host.wait("Kafka", "a")
    host.goes(30)
    host.get_on("a")
    host.second += 40
    host.goes(30, boot="second")
    assert [kind for _, kind, _ in host.told()] == ["waits", "rebooted"]


def test_a_machine_that_slept_has_nobody_told_of_a_wait_that_is_over_in_a_moment() -> None:
    host = Host("a")
    host.waits["a"] = "Kafka", host.second - 100
    host.goes(3)
    host.get_on("a")
    host.goes(30)
    assert host.told() == []


def test_a_message_says_what_is_waited_for_by_whom_and_for_how_long() -> None:
    parts = ["producer", "consumer"]
    waits = Change("producer", "waits", S, 0, status=KAFKA, parts=parts, waits_for="Kafka", is_first=True)
    context = Context("vm1", "journalctl -u producer")
    began = render(waits, context, ENGLISH)
    assert began.text == f"⏳ WAITS · producer, consumer on vm1: {KAFKA}"
    assert (began.opens, began.closes, began.anew) == (True, False, True)
    assert began.blocks[0]["text"]["text"] == f"⏳ WAITS · producer +1 on vm1: {KAFKA}"
    assert "journalctl -u producer" in str(began.blocks)
    on = Change("producer", "gets_on", S, 0, down_us=40 * S, parts=parts, waits_for="Kafka")
    over = render(on, context, ENGLISH)
    assert over.text == "✅ GETS ON · producer, consumer on vm1, waited for Kafka for 40 s"
    assert (over.part, over.closes, over.is_loud) == (began.part, True, True)
