"""Parts as systemd units: what ``systemctl show`` prints of them, read. Pure. The same on systemd 252 and 257."""

from collections.abc import Iterable, Iterator, Mapping

from services.watchdog.observation import End, Observation, Phase

PROPERTIES = (
    "Id", "Type", "LoadState", "ActiveState", "SubState", "Result", "ExecMainCode", "ExecMainStatus", "NRestarts",
    "InvocationID", "StatusText", "Job", "Wants",
)  # fmt: skip
JOURNAL_FIELDS = ("MESSAGE_ID", "UNIT_RESULT", "EXIT_CODE", "EXIT_STATUS", "JOB_TYPE", "JOB_RESULT")
_ENDED_WELL = "7ad2d189f7e94e70a38c781354912448"
"""The message “Deactivated successfully”, which says no more than that; `SD_MESSAGE_UNIT_SUCCESS` of sd-messages.h."""
BASICS, SHUTDOWN = "sysinit.target", "shutdown.target"
"""Reached once in a start of systemd; and what every way down goes through."""
_PHASES: Mapping[str, Phase] = {
    "active": "up",
    "reloading": "up",
    "activating": "starting",
    "deactivating": "down",
    "failed": "down",
    "inactive": "stopped",
}
_SIGNALS: Mapping[str, str] = {
    "1": "HUP", "2": "INT", "3": "QUIT", "4": "ILL", "6": "ABRT", "7": "BUS", "8": "FPE", "9": "KILL", "11": "SEGV",
    "13": "PIPE", "15": "TERM", "24": "XCPU", "31": "SYS",
}  # fmt: skip
_ENDS_OF_RESULT: Mapping[str, End] = {
    "watchdog": End("hung"),
    "oom-kill": End("memory"),
    "timeout": End("timeout"),
}


def read_units(shown: str, own_unit: str, remembered: Iterable[str], target: str) -> list[Observation]:
    """The services in the output of ``systemctl show``, without ourselves and without what runs once and ends.

    A unit that systemd has forgotten because nothing runs of it is stopped, and gone unless `target` wants it.
    """
    found = {
        block["Id"]: _observation(block)
        for block in _blocks(shown)
        if block.get("Id", "").endswith(".service")
        and _is_there(block)
        and block.get("Type") != "oneshot"
        and block["Id"] != own_unit
    }
    wanted = {unit for block in _blocks(shown) if block.get("Id") == target for unit in block.get("Wants", "").split()}
    rest = [Observation(unit, "stopped", is_gone=unit not in wanted) for unit in remembered if unit not in found]
    return [*found.values(), *rest]


def is_wanted(shown: str, target: str) -> bool:
    """Whether the target that holds all units is meant to run: it does, or is on its way there."""
    for block in _blocks(shown):
        if block.get("Id") == target:
            return block.get("ActiveState") != "inactive" or _has_job(block)
    return False


def is_ending(shown: str) -> bool:
    """Whether the host is about to go down: then the target of every way down waits its turn."""
    return any(block.get("Id") == SHUTDOWN and _has_job(block) for block in _blocks(shown))


def start_of(shown: str) -> str:
    """What is another with each start of systemd: the kernel's own boot id stays the same where a container boots."""
    return next((block.get("InvocationID", "") for block in _blocks(shown) if block.get("Id") == BASICS), "")


def _blocks(shown: str) -> Iterator[dict[str, str]]:
    """The properties of each unit."""
    for block in shown.split("\n\n"):
        yield dict(line.partition("=")[::2] for line in block.splitlines())


def _is_there(block: Mapping[str, str]) -> bool:
    """Also one that runs by a file that has been broken or taken away since."""
    return block.get("LoadState") == "loaded" or block.get("ActiveState", "inactive") != "inactive"


def _has_job(block: Mapping[str, str]) -> bool:
    return block.get("Job", "0") not in ("", "0")


def _observation(block: Mapping[str, str]) -> Observation:
    phase = _PHASES.get(block.get("ActiveState", ""), "down")
    if block.get("SubState") == "auto-restart":
        phase = "down"
    elif block.get("ActiveState") == "deactivating" and _has_job(block):
        phase = "stopped"  # what ends by itself has no job of somebody's
    restarts = block.get("NRestarts", "")
    is_running = phase in ("up", "starting")
    return Observation(
        part=block["Id"],
        phase=phase,
        incarnation=block.get("InvocationID", "") if is_running else "",
        restarts=int(restarts) if restarts.isdigit() else 0,
        end=end_of(block.get("Result", ""), block.get("ExecMainCode", ""), block.get("ExecMainStatus", "")),
        status=block.get("StatusText", ""),
        is_on_request=is_running and restarts == "0",  # systemd begins to count anew when it is told to start it
    )


def end_of(result: str, code: str, status: str) -> End | None:
    """How the main process last ended; None when it did not. `code` as in siginfo: 1 exited, 2 killed, 3 dumped."""
    if result in _ENDS_OF_RESULT:
        return _ENDS_OF_RESULT[result]
    if code in ("1", "exited"):
        return End("exit", status)
    if code in ("2", "3", "killed", "dumped"):
        return End("signal", signal_name(status))
    return None


def end_in_journal(entries: Iterable[Mapping[str, str]]) -> End | None:
    """How a unit last ended by what systemd itself logged of it, oldest first; None when that does not say."""
    result = code = status = ""
    is_asked = is_stopping = False
    for entry in entries:
        if "EXIT_CODE" in entry:
            result, code, status, is_asked = "", entry["EXIT_CODE"], entry.get("EXIT_STATUS", ""), False
        if "UNIT_RESULT" in entry:  # a clean exit that systemd forced has no exit code of its own in the journal
            result, is_asked = entry["UNIT_RESULT"], False
        if entry.get("MESSAGE_ID") == _ENDED_WELL:
            result, code, status, is_asked, is_stopping = "", "exited", "0", is_stopping, False
        if _is_stopping(entry):
            is_asked = is_stopping = True
    return End("asked") if is_asked else end_of(result, code, status)


def _is_stopping(entry: Mapping[str, str]) -> bool:
    # "Stopped", which has a result as well, is logged after a crash, too.
    return entry.get("JOB_TYPE") in ("stop", "restart") and "JOB_RESULT" not in entry


def signal_name(status: str) -> str:
    """``9`` as ``KILL``; names stay what they are."""
    return _SIGNALS.get(status, status)
