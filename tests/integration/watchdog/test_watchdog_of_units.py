"""The watchdog as a process that asks systemctl and journalctl, which print what systemd 252 printed of a service that
the kernel ended for want of memory (tests/systemd makes one); and the simulated Slack.
"""

import json
from pathlib import Path
from time import monotonic

import pytest

from tests.integration.watchdog.conftest import Ops

pytestmark = pytest.mark.timeout(120)
UNIT = "tapewatch-consumer@redis.service"
OTHERS = """\
Id=tapewatch.target
LoadState=loaded
ActiveState=active
Job=

Id=sysinit.target
ActiveState=active
InvocationID=77aa
Job=

Id=shutdown.target
ActiveState=inactive
InvocationID=
Job=
"""
RUNS = """\
Type=notify
StatusText=12 records/s, 0 behind
Result=success
NRestarts={restarts}
ExecMainCode=0
ExecMainStatus=0
Id=tapewatch-consumer@redis.service
LoadState=loaded
ActiveState=active
SubState=running
Job=
InvocationID={run}
"""
ENDED = """\
Type=notify
StatusText=12 records/s, 0 behind
Result=oom-kill
NRestarts=0
ExecMainCode=2
ExecMainStatus=9
Id=tapewatch-consumer@redis.service
LoadState=loaded
ActiveState=activating
SubState=auto-restart
Job=
InvocationID=f92b473851e54ecf800c17bc516111b1
"""
FIRST = RUNS.format(restarts=0, run="f92b473851e54ecf800c17bc516111b1")
SECOND = RUNS.format(restarts=1, run="f5151c16a0ee43f2a516557ba8885ca8")
JOURNAL = (
    {"MESSAGE_ID": "7d4958e842da4a758f6c1cdc7b36dcc5", "JOB_TYPE": "start"},
    {"MESSAGE_ID": "39f53479d3a045ac8e11786248231fbf", "JOB_TYPE": "start", "JOB_RESULT": "done"},
    {"MESSAGE_ID": "fe6faa94e7774663a0da52717891d8ef"},
    {"MESSAGE_ID": "98e322203f7a4ed290d09fe03c09fe15", "EXIT_CODE": "killed", "EXIT_STATUS": "9"},
    {"MESSAGE_ID": "d9b373ed55a64feb8242e02dbe79a49c", "UNIT_RESULT": "oom-kill"},
    {"MESSAGE_ID": "5eb03494b6584870a536b337290809b3"},
    {"MESSAGE_ID": "9d1aaa27d60140bd96365438aad20286", "JOB_TYPE": "restart", "JOB_RESULT": "done"},
    {"MESSAGE_ID": "7d4958e842da4a758f6c1cdc7b36dcc5", "JOB_TYPE": "start"},
)
"""What systemd logged of it, oldest first."""
SYSTEMCTL = '#!/bin/sh\ncat "$(dirname "$0")/shown"\n'
JOURNALCTL = """#!/bin/sh
case "$*" in
  *"-o json"*) cat "$(dirname "$0")/journal" ;;
  *) echo 'writing 5,000 trades' ;;
esac
"""


class Systemd:
    """What the two programs print."""

    def __init__(self, programs: Path) -> None:
        self.programs = programs
        programs.mkdir()
        for name, text in (("systemctl", SYSTEMCTL), ("journalctl", JOURNALCTL)):
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
        (programs / "journal").write_text("".join(f"{json.dumps(entry)}\n" for entry in reversed(JOURNAL)))
        self.shows(FIRST)

    def shows(self, unit: str) -> None:
        fresh = self.programs / "shown.new"
        fresh.write_text(f"{unit}\n{OTHERS}")
        fresh.rename(self.programs / "shown")


@pytest.fixture
async def systemd(ops: Ops, tmp_path: Path) -> Systemd:
    """The watchdog knows that the unit is up."""
    one = Systemd(tmp_path / "programs")
    await ops.watchdog_of_units(one.programs)
    await ops.kept(lambda kept: json.loads(kept)["memory"]["parts"].get(UNIT, {}).get("told") == "up")
    return one


async def test_a_part_that_was_out_of_memory_is_told_with_that_reason_and_its_last_words(
    ops: Ops, systemd: Systemd
) -> None:
    systemd.shows(ENDED)
    [down] = await ops.until(bool)
    assert down.text == f"🔴 DOWN · {UNIT} on vm1: out of memory"
    said = json.dumps(down.blocks)
    assert "writing 5,000 trades" in said
    assert f"journalctl -u {UNIT}" in said
    systemd.shows(SECOND)
    _, back = await ops.until(lambda messages: len(messages) == 2)
    assert back.text.startswith(f"✅ BACK · {UNIT} on vm1 after ")
    assert back.thread_ts == down.ts


async def test_one_that_is_back_between_two_looks_is_told_with_what_the_journal_knows(
    ops: Ops, systemd: Systemd
) -> None:
    systemd.shows(SECOND)
    [restarted] = await ops.until(bool)
    assert restarted.text.startswith(f"🟡 RESTARTED · {UNIT} on vm1: out of memory, back after ")


async def test_a_journal_that_does_not_answer_holds_no_message_up(ops: Ops, systemd: Systemd) -> None:
    (systemd.programs / "journalctl").write_text("#!/bin/sh\nexec sleep 3600\n")
    systemd.shows(ENDED)
    ended_at = monotonic()
    [down] = await ops.until(bool)
    assert monotonic() - ended_at < 20
    assert down.text == f"🔴 DOWN · {UNIT} on vm1: out of memory"
    assert "writing 5,000 trades" not in json.dumps(down.blocks)
