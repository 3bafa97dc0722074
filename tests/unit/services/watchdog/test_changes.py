"""Stories of one part, a look a second: what happens to it, and what people hear."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from services.watchdog.changes import Change, Part, look, with_end
from services.watchdog.observation import End, Observation, Phase

S = 1_000_000
KILLED = End("signal", "KILL")


def told(*story: tuple[int, Phase, str] | tuple[int, Phase, str, End]) -> list[tuple[int, Change]]:
    """Play `(seconds, phase, incarnation, end)` one after another; the changes with the second of their telling."""
    part, second, heard = Part(), 0, []
    for seconds, phase, incarnation, *end in story:
        for _ in range(seconds):
            step = look(part, Observation("consumer", phase, incarnation, end=end[0] if end else None), second * S)
            part = step.part
            if step.change is not None:
                heard.append((second, step.change))
            second += 1
    return heard


def kinds(heard: Iterable[tuple[int, Change]]) -> list[tuple[int, str]]:
    return [(second, change.kind) for second, change in heard]


def test_what_is_up_and_stays_up_needs_no_word() -> None:
    assert told((5, "starting", "a"), (600, "up", "a")) == []


def test_down_is_told_after_some_seconds_and_back_with_how_long_it_took() -> None:
    heard = told((10, "up", "a"), (30, "down", "", KILLED), (10, "up", "b"))
    assert kinds(heard) == [(15, "down"), (40, "back")]
    assert heard[0][1].end == KILLED
    assert heard[0][1].since_us == 10 * S
    assert heard[1][1].down_us == 30 * S


def test_a_restart_within_seconds_is_one_message() -> None:
    heard = told((10, "up", "a"), (2, "starting", "b", KILLED), (60, "up", "b"))
    assert kinds(heard) == [(12, "restarted")]
    assert (heard[0][1].down_us, heard[0][1].end, heard[0][1].restarts) == (2 * S, KILLED, 1)


def test_a_restart_that_nobody_saw_is_told_as_well() -> None:
    assert kinds(told((10, "up", "a"), (10, "up", "b"))) == [(10, "restarted")]


def test_a_short_silence_of_the_same_process_is_no_news() -> None:
    assert told((10, "up", "a"), (4, "down", "a"), (10, "up", "a")) == []


def test_a_crash_loop_is_told_once_and_its_end_once() -> None:
    crashes: list[tuple[int, Phase, str]] = [(1, "up", name) for name in "bcdefghij"]
    heard = told((10, "up", "a"), *crashes, (1_000, "up", "k"))
    assert kinds(heard) == [(10, "restarted"), (11, "restarted"), (12, "looping"), (79, "back")]


@pytest.mark.parametrize("lives_s", [70, 100, 149])
def test_what_ends_every_other_minute_is_told_as_a_loop_and_not_endured(lives_s: int) -> None:
    lives: list[tuple[int, Phase, str]] = [(lives_s, "up", f"run{run}") for run in range(7_200 // lives_s)]
    assert kinds(told(*lives)) == [(lives_s, "restarted"), (2 * lives_s, "restarted"), (3 * lives_s, "looping")]


def test_what_looped_once_in_a_night_and_loops_again_has_to_stay_up_for_longer() -> None:
    looping: list[tuple[int, Phase, str]] = [(70, "up", name) for name in "abcd"]
    again: list[tuple[int, Phase, str]] = [(seconds, "up", f"{seconds}") for seconds in (200, 71, 72, 300, 73, 700)]
    heard = told(*looping, *again, (100, "up", "over"))
    assert [kind for _, kind in kinds(heard)[2:]] == ["looping", "back"] * 2


def test_what_somebody_starts_is_no_loop_for_what_ended_before() -> None:
    part, heard = Part(), []
    for second in range(300):
        seen = Observation("consumer", "up", f"run{min(second, 9)}", restarts=min(second, 9))
        if second >= 20:
            ended = int(second >= 120)
            seen = Observation("consumer", "up", f"on request {ended}", restarts=ended, is_on_request=not ended)
        step = look(part, seen, second * S)
        part = step.part
        heard += [(second, step.change.kind)] if step.change else []
    assert heard[2:] == [(3, "looping"), (80, "back")]


@pytest.mark.parametrize("lives_s", [160, 200, 300, 900])
def test_what_ends_again_and_again_and_lives_for_longer_is_told_each_time_the_number_has_doubled(lives_s: int) -> None:
    lives: list[tuple[int, Phase, str]] = [(lives_s, "up", f"run{run}") for run in range(1 + 7_200 // lives_s)]
    heard = told(*lives, (3_700, "up", "over"))
    counts = [change.absences.count for _, change in heard if change.absences]
    ends = len(lives)
    told_of = [1 << n for n in range(ends.bit_length())]
    assert counts == (told_of if told_of[-1] == ends else [*told_of, ends])
    assert {change.kind for _, change in heard} == {"restarted", "steady"} - ({"steady"} if ends in told_of else set())


def test_one_that_ends_after_an_hour_of_calm_is_told_however_many_there_were() -> None:
    lives: list[tuple[int, Phase, str]] = [(3_600, "up", f"run{run}") for run in range(12)]
    assert [kind for _, kind in kinds(told(*lives))] == ["restarted"] * 11


def test_what_is_away_for_long_between_its_restarts_loops_as_well() -> None:
    """Docker waits longer before each restart."""
    crashes: list[tuple[int, Phase, str]] = []
    for name in "bcdef":
        crashes += [(8, "down", ""), (4, "up", name)]
    heard = told((10, "up", "a"), *crashes, (100, "up", "f"))
    assert kinds(heard) == [
        (15, "down"),
        (18, "back"),
        (27, "down"),
        (30, "back"),
        (39, "down"),
        (42, "looping"),
        (126, "back"),
    ]


def test_a_part_that_somebody_restarts_again_and_again_does_not_loop() -> None:
    part, heard = Part(), []
    for second in range(0, 60, 10):
        step = look(part, Observation("consumer", "up", f"run{second}", is_on_request=True), second * S)
        part = step.part
        heard += [step.change.kind] if step.change else []
    assert heard == ["restarted"] * 5


def test_how_it_ended_is_taken_from_records_unless_they_are_behind() -> None:
    restarted, looping = (Change("consumer", kind, S, 0, KILLED) for kind in ("restarted", "looping"))
    assert with_end(restarted, End("asked")).end == End("asked")
    assert with_end(looping, End("asked")).end == KILLED
    assert with_end(looping, End("exit", "2")).end == End("exit", "2")
    assert with_end(restarted, None).end == KILLED


def test_a_restart_on_request_that_takes_long_does_not_tell_how_the_one_before_ended() -> None:
    story = told((3, "up", "a"), (2, "down", "", KILLED), (70, "up", "b"), (7, "starting", "c"))
    [_, (_, down)] = story
    assert (down.kind, down.end) == ("down", None)
    assert with_end(down, End("asked")).end == End("asked")
    assert with_end(replace(down, status="waiting for Kafka"), End("asked")).end is None


def test_restarts_that_nobody_saw_are_counted_by_who_keeps_the_process() -> None:
    part, kinds_told = Part(), []
    for second, restarts in enumerate((0, 0, 4)):
        step = look(part, Observation("consumer", "up", f"run{restarts}", restarts), second * S)
        part = step.part
        kinds_told += [step.change.kind] if step.change else []
    assert kinds_told == ["looping"]


def test_what_loops_without_ever_being_ready_is_told_as_a_loop() -> None:
    heard = told((10, "up", "a"), *((3, "starting", name) for name in "bcdef"), (70, "up", "g"))
    assert kinds(heard) == [(15, "down"), (16, "looping"), (85, "back")]


def test_stopped_by_somebody_and_started_again() -> None:
    heard = told((10, "up", "a"), (600, "stopped", ""), (5, "up", "b"))
    assert kinds(heard) == [(15, "stopped"), (610, "started")]
    assert heard[1][1].down_us == 600 * S


def test_what_is_down_or_loops_and_is_restarted_by_somebody_is_back() -> None:
    heard = told((10, "up", "a"), (30, "down", ""), (3, "stopped", ""), (2, "starting", "b"), (70, "up", "b"))
    assert kinds(heard) == [(15, "down"), (45, "back")]
    failing: list[tuple[int, Phase, str]] = [(2, "starting", name) for name in "bcdef"]
    heard = told((10, "up", "a"), *failing, (8, "down", ""), (3, "stopped", ""), (70, "up", "g"))
    assert kinds(heard)[-1] == (91, "back")


def test_what_is_down_and_then_stopped_by_somebody_is_told_as_stopped() -> None:
    assert kinds(told((10, "up", "a"), (30, "down", ""), (30, "stopped", ""))) == [(15, "down"), (45, "stopped")]


def test_a_start_that_does_not_come_to_its_end_is_told_after_a_minute() -> None:
    heard = told((100, "starting", "a"), (10, "up", "a"))
    assert kinds(heard) == [(60, "not_started"), (100, "back")]


def test_what_has_failed_at_first_sight_is_told_as_soon_as_any_other() -> None:
    heard = told((20, "down", "", KILLED), (10, "up", "a"))
    assert kinds(heard) == [(5, "down"), (20, "back")]
    assert heard[0][1].end == KILLED


def test_what_nobody_has_reached_yet_may_not_have_been_started_yet() -> None:
    nobody = End("unreachable", "Name or service not known")
    assert told((50, "down", "", nobody), (10, "up", "a")) == []
    assert kinds(told((70, "down", "", nobody))) == [(60, "not_started")]
    assert kinds(told((1, "starting", "a"), (20, "down", "", nobody))) == [(6, "down")]


def test_what_ends_again_and_again_from_first_sight_on_is_one_message() -> None:
    starts: list[tuple[int, Phase, str]] = []
    for name in "abcdefghijklmnopqrstuvwxyz":
        starts += [(2, "starting", name), (1, "down", "")]
    assert kinds(told(*starts)) == [(9, "looping")]


def test_what_was_stopped_and_does_not_come_up_when_it_is_started_is_told() -> None:
    heard = told((10, "up", "a"), (100, "stopped", ""), (100, "starting", "b"), (10, "up", "b"))
    assert kinds(heard) == [(15, "stopped"), (170, "not_started"), (210, "back")]


def test_what_was_stopped_and_fails_once_while_it_is_started_is_given_its_time() -> None:
    heard = told((10, "up", "a"), (100, "stopped", ""), (3, "starting", "b"), (1, "down", ""), (9, "starting", "c"))
    assert kinds(heard) == [(15, "stopped")]
