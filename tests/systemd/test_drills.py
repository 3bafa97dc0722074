"""What happens to services on a real systemd, and what the ops channel got to read of it, and when."""

import os
import re
import signal
import subprocess
from time import monotonic, sleep
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.systemd.conftest import DATA, PRODUCERS, Installed
from tests.unit.deploy.test_units import ELSEWHERE, ports

pytestmark = pytest.mark.timeout(300 + 2 * float(os.environ.get("TAPEWATCH_DRILLS_AWAY_S", "120")))
TOLD_WITHIN_S = 20.0
AWAY_S = float(os.environ.get("TAPEWATCH_DRILLS_AWAY_S", "120"))
"""How long what is away stays away: longer than the 90 s within which a start that says nothing is ended."""
REDIS = "tapewatch-consumer@redis"
HOST_GOES = 4
FIGURES = r"\d (records|trades)/s.*, [\d,]+ (unacknowledged|behind), newest trade \d+ (s|min|h) old"


@pytest.mark.core
def test_status_lines_say_what_each_is_at(installed: Installed) -> None:
    for unit in DATA:
        installed.machine.until(
            lambda unit=unit: re.search(FIGURES, installed.machine.show(unit, "StatusText")) is not None,
            f"rate, lag and age in the line of {unit}",
        )
    installed.machine.until(lambda: "up" in installed.machine.show("tapewatch-watchdog", "StatusText"), "a look")
    assert installed.machine.ask("systemd-analyze", "verify", "--man=no", *(f"{unit}.service" for unit in DATA)) == ""


@pytest.mark.core
def test_each_shows_its_metrics_on_a_port_of_its_own(installed: Installed) -> None:
    of_its_own = {
        "tapewatch-producer@upbit": 'tapewatch_frames_received_total{exchange="upbit"}',
        "tapewatch-producer@binance": 'tapewatch_frames_received_total{exchange="binance"}',
        "tapewatch-consumer@redis": 'tapewatch_batches_written_total{sink="redis"}',
        "tapewatch-consumer@postgres": 'tapewatch_batches_written_total{sink="postgres"}',
        "tapewatch-alert-worker": 'tapewatch_slack_calls_total{outcome="told"}',
        "tapewatch-watchdog": "tapewatch_still_seconds",
    }
    shipped = {unit: port for unit, port in ports() if unit != ELSEWHERE}
    assert of_its_own.keys() == installed.ports.keys() == shipped.keys()
    for unit, series in of_its_own.items():
        assert f"TAPEWATCH_METRICS__PORT={shipped[unit]}" in installed.machine.show(unit, "Environment")
        installed.machine.until(
            lambda unit=unit, series=series: f"\n{series} " in _page(installed, unit, "metrics"), f"{series} of {unit}"
        )
        installed.machine.until(
            lambda unit=unit: '"ready": true' in _page(installed, unit, "readyz"), f"readiness of {unit}"
        )


def _page(installed: Installed, unit: str, name: str) -> str:
    """What the unit shows there, nothing when it says that it does not do well."""
    try:
        with urlopen(f"http://127.0.0.1:{installed.ports[unit]}/{name}", timeout=30) as answer:
            return str(answer.read().decode())
    except HTTPError:
        return ""


def test_the_worker_reads_its_rules_again_when_it_is_told_to_reload(installed: Installed) -> None:
    pid = installed.machine.show("tapewatch-alert-worker", "MainPID")
    installed.machine.run("systemctl", "reload", "tapewatch-alert-worker")
    assert installed.machine.show("tapewatch-alert-worker", "MainPID") == pid


def test_the_command_sees_what_the_services_are_given(installed: Installed) -> None:
    said = installed.machine.run("/usr/local/bin/tapewatch", "settings")
    assert f"TAPEWATCH_KAFKA__BOOTSTRAP_SERVERS\t{installed.stack.kafka_bootstrap_servers}\tenvironment" in said
    assert "TAPEWATCH_SLACK__BOT_TOKEN\t***\tsecret file" in said


@pytest.mark.core
def test_a_crash_is_told_within_seconds_as_one_or_as_down_and_back(installed: Installed, before: int) -> None:
    """How long the start takes is the machine's matter: news of a part that is back at once is one message."""
    at_once, down = (f"{what} · {REDIS}.service on vm1: killed by signal KILL" for what in ("🟡 RESTARTED", "🔴 DOWN"))
    began = monotonic()
    installed.machine.kill(REDIS, signal.SIGKILL)
    told = installed.until_one_begins(before, at_once, down)
    assert monotonic() - began < TOLD_WITHIN_S
    installed.until_active(REDIS)
    if told["text"].startswith(down):
        installed.until_told(before, down, f"✅ BACK · {REDIS}.service on vm1 after")
    sleep(3)
    assert len(installed.told(before)) == 1 + told["text"].startswith(down)


@pytest.mark.core
def test_a_hang_is_ended_by_the_watchdog_and_told_as_one(installed: Installed, before: int) -> None:
    installed.machine.kill(REDIS, signal.SIGSTOP)
    took_s = installed.until_told(before, "🟡 RESTARTED · tapewatch-consumer@redis.service on vm1: hung")
    assert took_s < TOLD_WITHIN_S


@pytest.mark.core
def test_stopped_by_a_person_and_started_again(installed: Installed, before: int) -> None:
    began = monotonic()
    installed.machine.run("systemctl", "stop", REDIS)
    installed.until_told(before, "⏹️ STOPPED · tapewatch-consumer@redis.service on vm1")
    assert monotonic() - began < TOLD_WITHIN_S
    installed.machine.run("systemctl", "start", REDIS)
    took_s = installed.until_told(before, "⏹️ STOPPED", "✅ STARTED · tapewatch-consumer@redis.service on vm1 after")
    assert took_s < TOLD_WITHIN_S
    stopped, started = installed.ops()[before:]
    assert started["thread_ts"] == stopped["ts"]


def test_a_crash_loop_is_told_once_and_ends_once(installed: Installed, before: int) -> None:
    with installed.machine.drop_in(REDIS, "[Service]\nEnvironment=TAPEWATCH_REDIS__STREAM_CAP=nonsense\n"):
        installed.machine.run("systemctl", "restart", "--no-block", REDIS)
        loop = installed.until_one_begins(before, "🔁 CRASH LOOP · tapewatch-consumer@redis.service on vm1")
        assert "exit status 2" in loop["text"]
        assert "TAPEWATCH_REDIS__STREAM_CAP" in str(loop["blocks"])
        count = len(installed.told(before))
        sleep(20)
        assert len(installed.told(before)) == count
    installed.machine.run("systemctl", "restart", REDIS)
    back = installed.until_one_begins(before, "✅ BACK · tapewatch-consumer@redis.service on vm1 after", within_s=120)
    assert back["thread_ts"]


def test_the_target_stopped_on_purpose_is_one_message(installed: Installed, before: int) -> None:
    installed.machine.run("systemctl", "stop", "tapewatch.target")
    installed.until_told(before, "⏹️ STOPPED · tapewatch on vm1, all parts")
    sleep(10)
    assert len(installed.told(before)) == 1
    installed.machine.run("systemctl", "start", "--no-block", "tapewatch.target")
    installed.until_told(before, "⏹️ STOPPED · tapewatch", "✅ STARTED · tapewatch on vm1 after", within_s=120)
    assert len(installed.told(before)) == 2


def test_a_watchdog_that_is_killed_is_back_and_still_watches(installed: Installed, before: int) -> None:
    installed.machine.kill("tapewatch-watchdog", signal.SIGKILL)
    installed.until_active("tapewatch-watchdog")
    installed.machine.until(lambda: "up" in installed.machine.show("tapewatch-watchdog", "StatusText"), "a look")
    installed.machine.kill(REDIS, signal.SIGKILL)
    # On a busy machine it is away for so long that it is told as down first.
    over = ("🟡 RESTARTED · tapewatch-consumer@redis.service", "✅ BACK · tapewatch-consumer@redis.service")
    installed.until_one_begins(before, *over)


def test_a_stopped_producer_restarts_nobody_else(installed: Installed, before: int) -> None:
    restarts = installed.restarts()
    installed.machine.run("systemctl", "stop", PRODUCERS[0])
    sleep(AWAY_S)
    assert installed.restarts() == restarts
    assert [text[:20] for text in installed.told(before)] == ["⏹️ STOPPED · tapewatch-producer@upbit.service"[:20]]
    installed.machine.run("systemctl", "start", PRODUCERS[0])
    installed.until_told(before, "⏹️ STOPPED", "✅ STARTED · tapewatch-producer@upbit.service on vm1")


def test_a_start_waits_for_kafka_and_does_not_loop(installed: Installed, before: int) -> None:
    kafka = installed.stack.kafka
    assert kafka is not None
    installed.machine.run("systemctl", "stop", REDIS)
    kafka.kill(signal.SIGKILL)
    kafka.wait()
    try:
        installed.machine.run("systemctl", "start", "--no-block", REDIS)
        sleep(AWAY_S)
        assert installed.machine.show(REDIS, "ActiveState") == "activating"
        assert installed.machine.show(REDIS, "NRestarts") == "0"
        assert "waiting for Kafka" in installed.machine.show(REDIS, "StatusText")
    finally:
        kafka.start()
    installed.until_active(*DATA)
    assert installed.machine.show(REDIS, "NRestarts") == "0"


def test_a_start_waits_for_its_exchange_and_does_not_loop(installed: Installed, before: int) -> None:
    upbit, restarts = PRODUCERS[0], installed.restarts()
    away = installed.machine.root / "etc/tapewatch/away.env"
    away.write_text("TAPEWATCH_UPBIT__WEBSOCKET_URL=ws://127.0.0.1:9\nTAPEWATCH_UPBIT__REST_URL=http://127.0.0.1:9\n")
    installed.machine.run("systemctl", "stop", upbit)
    with installed.machine.drop_in(upbit, "[Service]\nEnvironmentFile=/etc/tapewatch/away.env\n"):
        installed.machine.run("systemctl", "start", "--no-block", upbit)
        sleep(AWAY_S)
        assert installed.machine.show(upbit, "ActiveState") == "activating"
        assert "0 of " in installed.machine.show(upbit, "StatusText")
        [told] = installed.told(before)
        assert told.startswith(f"🔴 DOWN · {upbit}.service on vm1")
        assert installed.restarts() == restarts | {upbit: 0}
        installed.machine.run("systemctl", "stop", upbit)
    installed.machine.run("systemctl", "start", upbit)
    installed.until_one_begins(before, f"✅ BACK · {upbit}.service", f"✅ STARTED · {upbit}.service")


def test_a_store_that_is_down_takes_its_own_consumer_and_nobody_else(installed: Installed, before: int) -> None:
    redis, restarts = installed.stack.redis, installed.restarts()
    assert redis is not None
    redis.kill(signal.SIGKILL)
    redis.wait()
    try:
        down = installed.until_one_begins(before, f"🔴 DOWN · {REDIS}.service on vm1")
        sleep(AWAY_S / 4)
        assert "Redis" in str(down)
        assert [text for text in installed.told(before) if REDIS not in text] == []
    finally:
        redis.start()
    installed.until_one_begins(before, f"✅ BACK · {REDIS}.service on vm1 after")
    assert {unit: n for unit, n in installed.restarts().items() if unit != REDIS} == {
        unit: n for unit, n in restarts.items() if unit != REDIS
    }
    assert len(installed.told(before)) == 2


def test_a_part_that_gets_no_memory_is_told_with_the_reason(installed: Installed, before: int) -> None:
    """The limit is the address space: a container's memory limit needs cgroups that a machine may not grant."""
    with installed.machine.drop_in(REDIS, "[Service]\nLimitAS=60M\n"):
        installed.machine.run("systemctl", "restart", "--no-block", REDIS)
        loop = installed.until_one_begins(before, f"🔁 CRASH LOOP · {REDIS}.service on vm1", within_s=180)
        assert "exit status" in loop["text"]
        said = str(loop["blocks"])  # where it fails first is Python's or the linker's matter
        assert any(word in said for word in ("MemoryError", "map segment", "allocate")), said
    installed.machine.run("systemctl", "restart", REDIS)
    installed.until_one_begins(before, f"✅ BACK · {REDIS}.service on vm1 after", within_s=120)


def test_a_host_that_goes_again_and_again_is_one_message_each_in_one_thread(installed: Installed, before: int) -> None:
    first_in_thread = None
    for count in range(1, HOST_GOES + 1):
        installed.machine.reboot()
        installed.until_active(*DATA, "tapewatch-watchdog")
        installed.until_told(before, *["🟡 HOST IS BACK · vm1 was away for"] * count, within_s=120)
        sleep(10)
        messages = installed.ops()[before:]
        assert len(messages) == count
        first_in_thread = first_in_thread or messages[0].get("thread_ts") or messages[0]["ts"]
        assert all(message["thread_ts"] == first_in_thread for message in messages[1:])


def test_no_secret_is_in_the_journal(installed: Installed) -> None:
    said = installed.machine.run("journalctl", "--no-pager", "-o", "cat")
    for secret in ("xoxb-simulated", installed.stack.postgres_dsn.split("@")[0].rsplit(":", 1)[-1]):
        assert secret not in said
    assert "starting" in said


def test_the_market_goes_on(installed: Installed) -> None:
    """Last: after all drills what is published still arrives."""
    urlopen(Request(f"{installed.addresses['control_url']}/pause", method="POST"), timeout=30).close()
    installed.until_active(*DATA)
    with pytest.raises(subprocess.CalledProcessError):
        installed.machine.run("systemctl", "is-failed", *DATA)
