"""The alert worker's rules file: refused at the start when it is broken, taken up while it runs."""

import os
import signal

from services.alert_worker.rules_file import read_rules
from shared.clock import now_us

FIRST, SECOND = "[rules.move_abs]\npercent = 30\n", "[rules.move_abs]\npercent = 1\n"


async def test_a_worker_with_a_broken_file_does_not_start(worker, tmp_path) -> None:
    worker.environment["TAPEWATCH_ALERTS__RULES_FILE"] = str(tmp_path / "none.toml")
    await worker.start()
    assert worker.process is not None
    assert await worker.process.wait() == 2


async def test_a_broken_change_is_told_once_and_a_right_one_counts(
    worker, publish, crash, alerts, slack, eventually, tmp_path
) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(FIRST, encoding="utf-8")
    worker.environment["TAPEWATCH_ALERTS__RULES_FILE"] = str(file)
    began_us = now_us() - 12_000_000
    await worker.start()
    await publish(crash(began_us, until_s=1.0))
    await worker.watching()
    file.write_text("[rules.move_abs]\npercents = 1\n", encoding="utf-8")
    await eventually(lambda: any("did you mean percent?" in message.text for message in slack.messages))
    file.write_text(SECOND, encoding="utf-8")
    os.kill(worker.process.pid, signal.SIGHUP)
    await eventually(lambda: any(b"rules changed" in line for line in worker.log))
    await publish(crash(began_us, from_s=1.0))
    await eventually(lambda: any("RESOLVED" in message.text for message in slack.parents))
    assert {alert.rule_version for alert in await alerts()} == {read_rules(SECOND, "").ruleset.version}
    assert len([message for message in slack.parents if "rules file" in message.text]) == 1
    assert await worker.stop() == 0
