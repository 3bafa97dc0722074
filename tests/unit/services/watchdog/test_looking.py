"""Stories of a whole host, a look a second."""

import pytest

from services.watchdog.changes import Change
from services.watchdog.looking import observe
from services.watchdog.memory import Memory, Sight
from services.watchdog.observation import End, Observation, Phase

S = 1_000_000


class Host:
    def __init__(self) -> None:
        self.second = 1_000
        self.memory = Memory()
        self.heard: list[Change] = []

    def goes(
        self,
        seconds: int,
        *phases: Phase,
        run: str = "a",
        boot: str = "first",
        wanted: bool = True,
        is_ending: bool = False,
        end: End | None = None,
        gone: str = "",
    ) -> None:
        runs = ["" if end and phase == "down" else f"{name}{run}" for name, phase in zip("xyz", phases, strict=False)]
        parts = [
            Observation(name, phase, incarnation, end=end, is_gone=name in gone)
            for name, phase, incarnation in zip("xyz", phases, runs, strict=False)
        ]
        for _ in range(seconds):
            parts = [seen for seen in parts if not seen.is_gone or seen.part in self.memory.parts]
            self.memory, changes = observe(self.memory, Sight(parts, boot, wanted, is_ending), self.second * S)
            self.heard += changes
            self.second += 1

    def told(self) -> list[tuple[str, str]]:
        return [(change.part, change.kind) for change in self.heard]


def test_the_whole_set_stopped_on_purpose_is_one_message_and_one_when_it_is_back() -> None:
    host = Host()
    host.goes(10, "up", "up", "up")
    host.goes(3, "stopped", "up", "up", wanted=False)
    host.goes(60, "stopped", "stopped", "stopped", wanted=False)
    host.goes(5, "starting", "up", "starting", run="b")
    host.goes(60, "up", "up", "up", run="b")
    assert host.told() == [("tapewatch", "all_stopped"), ("tapewatch", "all_started")]
    assert host.heard[1].down_us == 68 * S


def test_a_reboot_is_one_message_that_names_what_did_not_come_back() -> None:
    host = Host()
    host.goes(10, "up", "up")
    host.second += 30
    host.goes(90, "up", "starting", run="b", boot="second")
    host.goes(5, "up", "up", run="b", boot="second")
    assert host.told() == [("tapewatch", "rebooted"), ("y", "back")]
    assert "y not up" in host.heard[0].status
    assert host.heard[0].not_up == ["y"]
    assert host.heard[0].down_us == 91 * S


def test_how_parts_go_down_with_the_host_is_no_news() -> None:
    host = Host()
    host.goes(10, "up", "up")
    host.goes(20, "down", "stopped", wanted=False, is_ending=True)
    host.second += 30
    host.goes(5, "up", "up", run="b", boot="second")
    assert host.told() == [("tapewatch", "rebooted")]
    assert host.heard[0].down_us == 31 * S


def test_one_part_down_says_nothing_of_the_others() -> None:
    host = Host()
    host.goes(10, "up", "up")
    host.goes(10, "up", "down")
    host.goes(10, "up", "up", run="b")
    assert host.told()[:1] == [("y", "down")]


def test_a_watchdog_that_was_away_says_so() -> None:
    host = Host()
    host.goes(10, "up")
    host.second += 60
    host.goes(10, "up")
    assert host.told() == [("watchdog", "watchdog_back")]


def test_a_host_that_goes_four_times_in_a_night_is_one_story_and_the_next_night_another() -> None:
    host = Host()
    for _ in range(2):
        for asleep_s in (600, 1_200, 60, 3_000):
            host.goes(10, "up", "up")
            host.second += asleep_s
        host.goes(13 * 3_600, "up", "up")

    assert [change.absences.count for change in host.heard if change.absences] == [1, 2, 3, 4] * 2
    assert len(host.heard) == 8


def test_a_newer_program_takes_no_memory_that_knows_of_no_reboots_for_one_of_before_a_reboot() -> None:
    host = Host()
    host.goes(10, "up", "up", boot="containers")
    host.goes(90, "up", "up")
    assert host.told() == []
    host.goes(10, "up", "up", boot="second")
    assert host.told() == [("tapewatch", "rebooted")]


def test_a_sleep_and_a_reboot_of_one_night_are_told_together() -> None:
    host = Host()
    host.goes(10, "up")
    host.second += 600
    host.goes(10, "up")
    host.second += 30
    host.goes(10, "up", run="b", boot="second")
    assert [(change.kind, change.absences and change.absences.count) for change in host.heard] == [
        ("watchdog_back", 1),
        ("rebooted", 2),
    ]


def test_a_part_that_fails_after_a_reboot_is_named_soon_and_once_and_one_that_still_starts_is_given_its_time() -> None:
    host = Host()
    host.goes(10, "up", "up", "up")
    host.second += 30
    host.goes(40, "up", "starting", "down", run="b", boot="second")
    host.goes(60, "up", "up", "up", run="b", boot="second")
    assert host.told() == [("tapewatch", "rebooted"), ("z", "back")]
    rebooted, _ = host.heard
    assert rebooted.status == "z not up: down"
    assert rebooted.at_us == (1_000 + 10 + 30 + 5) * S


def test_a_part_that_loops_after_a_reboot_is_named_in_the_one_message_about_it() -> None:
    host = Host()
    host.goes(10, "up", "up")
    host.second += 30
    for run in "bcdefghij":
        host.goes(3, "up", "starting", run=run, boot="second")
    assert host.told() == [("tapewatch", "rebooted")]
    assert "y not up" in host.heard[0].status


def test_what_is_started_without_the_others_is_looked_after() -> None:
    host = Host()
    host.goes(10, "up", "up")
    host.goes(20, "stopped", "stopped", wanted=False)
    host.goes(20, "up", "stopped", run="b", wanted=False)
    host.goes(20, "down", "stopped", wanted=False)
    host.goes(20, "up", "stopped", run="c", wanted=False)
    host.goes(20, "up", "up", run="d")
    assert host.told() == [
        ("tapewatch", "all_stopped"),
        ("x", "started"),
        ("x", "down"),
        ("x", "back"),
        ("tapewatch", "all_started"),
    ]


def test_what_failed_while_all_were_stopped_is_looked_after_once_it_is_started_without_the_others() -> None:
    host = Host()
    host.goes(10, "up", "up")
    host.goes(20, "stopped", "down", wanted=False)
    host.goes(20, "stopped", "up", run="b", wanted=False)
    host.goes(20, "stopped", "down", run="b", wanted=False)
    assert host.told() == [("tapewatch", "all_stopped"), ("y", "started"), ("y", "down")]


@pytest.mark.parametrize("ended", ["stopped", "down"])
def test_what_is_started_without_the_others_and_fails_before_it_is_ready_is_told(ended: Phase) -> None:
    host = Host()
    host.goes(10, "up", "up")
    host.goes(20, "stopped", ended, wanted=False)
    host.goes(2, "stopped", "starting", run="b", wanted=False)
    host.goes(10, "stopped", "down", run="b", wanted=False)
    assert host.told() == [("tapewatch", "all_stopped"), ("y", "down")]


def test_how_parts_go_down_with_all_the_others_is_no_news() -> None:
    host = Host()
    host.goes(10, "up", "up", "starting")
    host.goes(10, "stopped", "up", "stopped", wanted=False)
    host.goes(90, "down", "down", "stopped", wanted=False)
    assert host.told() == [("tapewatch", "all_stopped")]


def test_where_nobody_ever_started_all_of_them_what_runs_is_looked_after_and_nothing_was_stopped() -> None:
    host = Host()
    host.goes(20, "up", "stopped", wanted=False)
    host.goes(20, "down", "stopped", wanted=False)
    assert host.told() == [("x", "down")]


def test_a_reboot_of_a_host_of_containers_is_one_message_however_slowly_they_come() -> None:
    host, nobody = Host(), End("unreachable", "Name or service not known")
    host.goes(10, "up", "up", "up")
    host.second += 30
    host.goes(15, "down", "down", "down", run="b", boot="second", end=nobody)
    host.goes(15, "starting", "down", "down", run="b", boot="second", end=nobody)
    host.goes(15, "up", "starting", "starting", run="b", boot="second")
    host.goes(90, "up", "up", "up", run="b", boot="second")
    assert host.told() == [("tapewatch", "rebooted")]
    assert host.heard[0].status == ""


def test_what_somebody_stopped_is_not_missed_after_a_reboot_and_is_told_once_it_is_started() -> None:
    host = Host()
    host.goes(10, "up", "up")
    host.goes(20, "up", "stopped")
    for boot in ("second", "third"):
        host.second += 30
        host.goes(3, "starting", "stopped", run=boot, boot=boot)
        host.goes(100, "up", "stopped", run=boot, boot=boot)
    host.goes(10, "up", "up", run="third", boot="third")
    assert host.told() == [("y", "stopped"), *[("tapewatch", "rebooted")] * 2, ("y", "started")]
    assert [(change.status, change.down_us) for change in host.heard[1:3]] == [("", 34 * S), ("", 34 * S)]


def test_what_somebody_stopped_before_all_is_not_missed_when_all_are_started() -> None:
    host = Host()
    host.goes(10, "up", "up")
    host.goes(20, "up", "stopped")
    host.goes(20, "stopped", "stopped", wanted=False)
    host.goes(3, "starting", "stopped", run="b")
    host.goes(100, "up", "stopped", run="b")
    host.goes(10, "up", "up", run="b")
    assert host.told() == [
        ("y", "stopped"),
        ("tapewatch", "all_stopped"),
        ("tapewatch", "all_started"),
        ("y", "started"),
    ]
    assert (host.heard[2].status, host.heard[2].down_us) == ("", 23 * S)


def test_what_somebody_stopped_before_all_and_starts_without_the_others_is_looked_after() -> None:
    host = Host()
    host.goes(10, "up", "up")
    host.goes(20, "up", "stopped")
    host.goes(20, "stopped", "stopped", wanted=False)
    host.goes(10, "stopped", "up", run="b", wanted=False)
    host.goes(10, "stopped", "down", run="b", wanted=False)
    assert [kind for _, kind in host.told()] == ["stopped", "all_stopped", "started", "down"]


@pytest.mark.parametrize("is_told", [True, False])
def test_what_is_none_of_the_hosts_parts_any_more_is_named_unless_people_know_and_forgotten(is_told: bool) -> None:
    host = Host()
    host.goes(10, "up", "up")
    if is_told:
        host.goes(20, "up", "stopped", gone="y")
    for boot in ("second", "third"):
        host.second += 30
        host.goes(3, "starting", "stopped", run=boot, boot=boot, gone="y")
        host.goes(100, "up", "stopped", run=boot, boot=boot, gone="y")
        assert host.memory.parts.keys() == {"x"}
    assert host.told() == [*[("y", "stopped")] * is_told, *[("tapewatch", "rebooted")] * 2]
    said = [change.status for change in host.heard if change.kind == "rebooted"]
    assert said == (["", ""] if is_told else ["y not up: stopped", ""])
