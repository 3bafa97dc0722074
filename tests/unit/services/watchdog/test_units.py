import pytest

from services.watchdog.observation import End, Observation
from services.watchdog.units import end_in_journal, end_of, is_ending, is_wanted, read_units, start_of

SHOWN = """\
Id=tapewatch-consumer@redis.service
Type=notify
LoadState=loaded
ActiveState=active
SubState=running
Result=success
ExecMainCode=0
ExecMainStatus=0
NRestarts=2
InvocationID=0123abcd
StatusText=1,200 records/s, 0 behind

Id=tapewatch-producer@upbit.service
Type=notify
LoadState=loaded
ActiveState=activating
SubState=auto-restart
Result=signal
ExecMainCode=2
ExecMainStatus=9
NRestarts=7
InvocationID=9999
StatusText=

Id=tapewatch-setup.service
Type=oneshot
LoadState=loaded
ActiveState=inactive

Id=tapewatch-watchdog.service
Type=notify
LoadState=loaded
ActiveState=active

Id=tapewatch.target
LoadState=loaded
ActiveState=active
"""


def test_services_are_read_and_ourselves_and_oneshots_left_out() -> None:
    assert read_units(SHOWN, "tapewatch-watchdog.service", [], "tapewatch.target") == [
        Observation(
            "tapewatch-consumer@redis.service", "up", "0123abcd", restarts=2, status="1,200 records/s, 0 behind"
        ),
        Observation("tapewatch-producer@upbit.service", "down", restarts=7, end=End("signal", "KILL")),
    ]


def test_a_run_that_systemd_has_not_started_again_was_started_by_somebody() -> None:
    running = (
        "Id=a.service\nType=notify\nLoadState=loaded\nActiveState={state}\nNRestarts={restarts}\nInvocationID=0a\n"
    )
    for state, restarts, is_on_request in (("active", 0, True), ("activating", 0, True), ("active", 1, False)):
        [seen] = read_units(running.format(state=state, restarts=restarts), "own.service", [], "tapewatch.target")
        assert seen.is_on_request is is_on_request
    [stopped] = read_units(running.format(state="inactive", restarts=0), "own.service", [], "tapewatch.target")
    assert not stopped.is_on_request


def test_a_unit_that_systemd_forgot_is_stopped_and_gone_unless_the_target_wants_it() -> None:
    for wants, is_gone in (("a.service b.service", False), ("b.service", True), ("", True)):
        shown = f"Id=tapewatch.target\nLoadState=loaded\nActiveState=active\nWants={wants}\n"
        [seen] = read_units(shown, "own.service", ["a.service"], "tapewatch.target")
        assert seen == Observation("a.service", "stopped", is_gone=is_gone)


@pytest.mark.parametrize("load_state", ["loaded", "bad-setting", "error", "not-found", "masked"])
def test_a_unit_that_runs_is_up_whatever_became_of_its_file(load_state: str) -> None:
    shown = f"Id=a.service\nType=notify\nLoadState={load_state}\nActiveState={{state}}\nInvocationID=0a\nNRestarts=1\n"
    assert read_units(shown.format(state="active"), "own.service", ["a.service"], "tapewatch.target") == [
        Observation("a.service", "up", "0a", restarts=1)
    ]
    [seen] = read_units(shown.format(state="failed"), "own.service", ["a.service"], "tapewatch.target")
    assert seen.phase == "down"
    [seen] = read_units(shown.format(state="inactive"), "own.service", ["a.service"], "tapewatch.target")
    assert seen.phase == "stopped"


def test_whether_the_set_is_meant_to_run_is_the_targets_state() -> None:
    assert is_wanted(SHOWN, "tapewatch.target")
    stopped = SHOWN.removesuffix("active\n") + "inactive\n"
    assert not is_wanted(stopped, "tapewatch.target")
    assert is_wanted(stopped + "Job=812\n", "tapewatch.target")


def test_ends_by_result_and_by_how_the_process_went() -> None:
    assert end_of("watchdog", "3", "6") == End("hung")
    assert end_of("oom-kill", "2", "9") == End("memory")
    assert end_of("exit-code", "1", "3") == End("exit", "3")
    assert end_of("signal", "killed", "KILL") == End("signal", "KILL")
    assert end_of("success", "0", "0") is None


STOPPING, STOPPED = {"JOB_TYPE": "stop"}, {"JOB_TYPE": "restart", "JOB_RESULT": "done"}
STARTED = ({"JOB_TYPE": "start"}, {"JOB_TYPE": "start", "JOB_RESULT": "done"})
KILLED = ({"EXIT_CODE": "killed", "EXIT_STATUS": "KILL"}, {"UNIT_RESULT": "signal"}, STOPPED)


def test_a_part_that_somebody_restarted_went_on_request() -> None:
    assert end_in_journal((STOPPING, STOPPED, *STARTED)) == End("asked")
    assert end_in_journal((*KILLED, *STARTED, STOPPING, STOPPED, *STARTED)) == End("asked")


def test_a_part_that_was_killed_was_not_asked() -> None:
    assert end_in_journal((*KILLED, *STARTED)) == End("signal", "KILL")
    assert end_in_journal((STOPPING, STOPPED, *STARTED, *KILLED)) == End("signal", "KILL")
    assert end_in_journal(
        (STOPPING, {"EXIT_CODE": "killed", "EXIT_STATUS": "KILL"}, {"UNIT_RESULT": "timeout"})
    ) == End("timeout")
    assert end_in_journal(STARTED) is None
    # Somebody sent it SIGTERM: it ends well, and nobody asked systemd for it.
    ended_well = {"MESSAGE_ID": "7ad2d189f7e94e70a38c781354912448"}
    assert end_in_journal((ended_well, *STARTED)) == End("exit", "0")
    assert end_in_journal((STOPPING, ended_well, STOPPED, *STARTED)) == End("asked")
    assert end_in_journal((STOPPING, ended_well, STOPPED, *STARTED, ended_well, *STARTED)) == End("exit", "0")
    # Told to restart, and ended by systemd because it was not ready in time: its own clean exit is not in the journal.
    assert end_in_journal((STOPPING, STOPPED, *STARTED, {"UNIT_RESULT": "timeout"})) == End("timeout")


STARTS = """\
Id=sysinit.target
ActiveState=active
InvocationID=77aa
Job=0

Id=shutdown.target
ActiveState=inactive
InvocationID=
Job={job}
"""


def test_a_host_is_ending_while_the_target_of_every_way_down_waits_its_turn() -> None:
    assert is_ending(STARTS.format(job="4321"))
    assert not is_ending(STARTS.format(job="0"))
    assert not is_ending(STARTS.format(job=""))
    assert not is_ending(SHOWN)


def test_each_start_of_systemd_has_a_name_of_its_own() -> None:
    assert start_of(STARTS) == "77aa"
    assert start_of(SHOWN) == ""


def test_a_part_that_is_being_stopped_is_stopped_and_one_that_goes_by_itself_is_down() -> None:
    leaving = (
        "Id=a.service\nType=notify\nLoadState=loaded\nActiveState=deactivating\nSubState=stop-sigterm\nJob={job}\n"
    )
    for job, phase in (("812", "stopped"), ("0", "down"), ("", "down")):
        [seen] = read_units(leaving.format(job=job), "own.service", [], "tapewatch.target")
        assert (seen.phase, seen.incarnation) == (phase, "")
