"""What happens to services on a real systemd, and what the ops channel got to read of it, and when."""

import re
import signal
import subprocess
from time import sleep, time
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import msgspec
import pytest

from services.alert_worker.charts.request import ChartAnswer, ChartRequest
from tests.systemd.conftest import AWAY_S, DATA, PRODUCERS, Installed
from tests.unit.deploy.test_units import ELSEWHERE, ports

pytestmark = pytest.mark.timeout(300 + 2 * AWAY_S)
REDIS = "tapewatch-consumer@redis"
# A third end within five minutes is a loop.
POSTGRES, WORKER = "tapewatch-consumer@postgres", "tapewatch-alert-worker"
STANDS_STILL = """
import asyncio, pathlib, time
from shared import lifecycle
STAND_STILL, began = pathlib.Path("/etc/tapewatch/stand-still"), time.time()
async def main(settings, stop, liveness):
    while not stop.is_set():
        if not STAND_STILL.exists() or STAND_STILL.stat().st_mtime < began:
            liveness.moved("at work")
        await asyncio.sleep(0.1)
raise SystemExit(lifecycle.run("drill", main))
"""
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
    began = time()
    installed.machine.kill(REDIS, signal.SIGKILL)
    told = installed.until_one_begins(before, at_once, down)
    installed.told_in_time("killed (SIGKILL)", told, began)
    installed.until_active(REDIS)
    if told["text"].startswith(down):
        back = installed.until_one_begins(before, f"✅ BACK · {REDIS}.service on vm1 after")
        installed.told_in_time("killed (SIGKILL), from ready", back, installed.ready_at(REDIS))
    sleep(3)
    assert len(installed.told(before)) == 1 + told["text"].startswith(down)


@pytest.mark.core
def test_a_hang_is_ended_by_the_watchdog_and_told_as_one(installed: Installed, before: int) -> None:
    began = time()
    installed.machine.kill(REDIS, signal.SIGSTOP)
    told = installed.until_one_begins(before, *hung(REDIS))
    installed.told_in_time("hangs (SIGSTOP)", told, began)
    installed.until_active(REDIS)


def hung(unit: str) -> tuple[str, str]:
    """How it is told: on a busy machine it is away for so long that it is down first."""
    return f"🟡 RESTARTED · {unit}.service on vm1: hung", f"🔴 DOWN · {unit}.service on vm1: hung"


@pytest.mark.core
def test_a_part_that_runs_and_does_not_get_on_is_ended_and_told_as_hung(installed: Installed, before: int) -> None:
    etc = installed.machine.root / "etc/tapewatch"
    (etc / "stands_still.py").write_text(STANDS_STILL)
    other = "[Service]\nExecStart=\nExecStart=/opt/tapewatch/bin/python /etc/tapewatch/stands_still.py\n"
    with installed.machine.drop_in(POSTGRES, other):
        installed.machine.run("systemctl", "restart", POSTGRES)
        installed.until_one_begins(
            before, *(f"{how} · {POSTGRES}.service on vm1" for how in ("🟡 RESTARTED", "✅ BACK"))
        )
        since, began = len(installed.ops()), time()
        (etc / "stand-still").touch()
        told = installed.until_one_begins(since, *hung(POSTGRES))
        installed.told_in_time("runs and does not get on", told, began)
        installed.until_active(POSTGRES)
    installed.machine.run("systemctl", "restart", POSTGRES)


def test_a_part_that_the_kernel_ends_for_want_of_memory_is_told_as_that(installed: Installed, before: int) -> None:
    """What systemd reads of the cgroup is written by this test; what it makes of that, and all after it, is real."""
    why = "on vm1: out of memory"
    began = time()
    try:
        with installed.machine.memory_is_out(WORKER):
            installed.machine.kill(WORKER, signal.SIGKILL)
            told = installed.until_one_begins(
                before, f"🟡 RESTARTED · {WORKER}.service {why}", f"🔴 DOWN · {WORKER}.service {why}"
            )
    except LookupError as error:
        pytest.skip(str(error))
    installed.told_in_time("out of memory", told, began)
    installed.until_active(WORKER)


@pytest.mark.core
def test_stopped_by_a_person_and_started_again(installed: Installed, before: int) -> None:
    began = time()
    installed.machine.run("systemctl", "stop", REDIS)
    installed.until_told(before, "⏹️ STOPPED · tapewatch-consumer@redis.service on vm1")
    installed.machine.run("systemctl", "start", REDIS)
    installed.until_told(before, "⏹️ STOPPED", "✅ STARTED · tapewatch-consumer@redis.service on vm1 after")
    stopped, started = installed.ops()[before:]
    installed.told_in_time("stopped by a person", stopped, began)
    installed.told_in_time("started by a person, from ready", started, installed.ready_at(REDIS))
    assert started["thread_ts"] == stopped["ts"]


def test_a_crash_loop_is_told_once_and_ends_once(installed: Installed, before: int) -> None:
    with installed.machine.drop_in(REDIS, "[Service]\nEnvironment=TAPEWATCH_REDIS__STREAM_CAP=nonsense\n"):
        began = time()
        installed.machine.run("systemctl", "restart", "--no-block", REDIS)
        loop = installed.until_one_begins(before, "🔁 CRASH LOOP · tapewatch-consumer@redis.service on vm1")
        installed.took("a setting that ends it: the third end makes it a loop", loop, began)
        assert "exit status 2" in loop["text"]
        assert "TAPEWATCH_REDIS__STREAM_CAP" in str(loop["blocks"])
        count = len(installed.told(before))
        sleep(20)
        assert len(installed.told(before)) == count
    installed.machine.run("systemctl", "restart", REDIS)
    back = installed.until_one_begins(before, "✅ BACK · tapewatch-consumer@redis.service on vm1 after", within_s=120)
    assert back["thread_ts"]
    installed.took("the loop is over: a minute after ready", back, installed.ready_at(REDIS))


def test_the_target_stopped_on_purpose_is_one_message(installed: Installed, before: int) -> None:
    began = time()
    installed.machine.run("systemctl", "stop", "tapewatch.target")
    installed.until_told(before, "⏹️ STOPPED · tapewatch on vm1, all parts")
    installed.told_in_time("the target stopped", installed.ops()[before], began)
    sleep(10)
    assert len(installed.told(before)) == 1
    installed.machine.run("systemctl", "start", "--no-block", "tapewatch.target")
    installed.until_told(before, "⏹️ STOPPED · tapewatch", "✅ STARTED · tapewatch on vm1 after", within_s=120)
    assert len(installed.told(before)) == 2
    installed.told_in_time("the target started, from ready", installed.ops()[before + 1], installed.ready_at(*DATA))


def test_a_watchdog_that_is_killed_is_back_and_still_watches(installed: Installed, before: int) -> None:
    installed.machine.kill("tapewatch-watchdog", signal.SIGKILL)
    installed.until_active("tapewatch-watchdog")
    installed.machine.until(lambda: "up" in installed.machine.show("tapewatch-watchdog", "StatusText"), "a look")
    began = time()
    installed.machine.kill(REDIS, signal.SIGKILL)
    # On a busy machine it is away for so long that it is told as down first.
    over = ("🟡 RESTARTED · tapewatch-consumer@redis.service", "✅ BACK · tapewatch-consumer@redis.service")
    told = installed.until_one_begins(before, *over)
    installed.took("killed after its watchdog was", told, began)


def test_a_chart_can_be_drawn_within_what_the_alert_workers_unit_allows(installed: Installed) -> None:
    unit = (installed.machine.root / "etc/systemd/system/tapewatch-alert-worker.service").read_text(encoding="utf-8")
    limits = re.findall(r"^((?:SystemCall|Memory|Restrict|Lock|Protect|Private|Nice).*)$", unit, re.MULTILINE)
    now_us = int(time() * 1e6)
    request = ChartRequest(
        exchange="upbit", symbol="KRW-BTC", quote="KRW", title="KRW-BTC", to_us=now_us, received_at_us=now_us
    )
    (installed.machine.root / "etc/tapewatch/chart.json").write_bytes(msgspec.json.encode(request))
    answer = installed.machine.run(
        "systemd-run", "--quiet", "--wait", "--pipe", "--property=EnvironmentFile=/etc/tapewatch/tapewatch.env",
        *(f"--property={line}" for line in limits),
        "/bin/sh", "-c", "exec /opt/tapewatch/bin/python -m services.alert_worker.charts </etc/tapewatch/chart.json",
    )  # fmt: skip
    assert msgspec.json.decode(answer, type=ChartAnswer).png.startswith(b"\x89PNG")


def test_a_stopped_producer_restarts_nobody_else(installed: Installed, before: int) -> None:
    restarts, began = installed.restarts(), time()
    installed.machine.run("systemctl", "stop", PRODUCERS[0])
    sleep(AWAY_S)
    assert installed.restarts() == restarts
    assert [text[:20] for text in installed.told(before)] == ["⏹️ STOPPED · tapewatch-producer@upbit.service"[:20]]
    installed.told_in_time("a producer stopped", installed.ops()[before], began)
    installed.machine.run("systemctl", "start", PRODUCERS[0])
    installed.until_told(before, "⏹️ STOPPED", "✅ STARTED · tapewatch-producer@upbit.service on vm1")
    started = installed.ops()[before + 1]
    installed.told_in_time("a producer started, from ready", started, installed.ready_at(PRODUCERS[0]))


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


def test_a_kafka_that_goes_away_is_told_early_and_once_for_all_who_wait(installed: Installed, before: int) -> None:
    kafka = installed.stack.kafka
    assert kafka is not None
    kafka.kill(signal.SIGKILL)
    kafka.wait()
    began = time()
    try:
        waits = installed.until_one_begins(before, "⏳ WAITS · ")
        installed.told_in_time("Kafka killed", waits, began)
        sleep(AWAY_S)
    finally:
        kafka.start()
    installed.until_active(*DATA)
    over = installed.until_one_begins(before, "✅ GETS ON · ", within_s=120)
    assert over["thread_ts"] == waits["ts"]
    own = [one["text"] for one in installed.ops()[before:] if one.get("thread_ts", one["ts"]) != waits["ts"]]
    assert own == []


def test_a_start_waits_for_its_exchange_and_does_not_loop(installed: Installed, before: int) -> None:
    upbit, restarts = PRODUCERS[0], installed.restarts()
    away = installed.machine.root / "etc/tapewatch/away.env"
    away.write_text("TAPEWATCH_UPBIT__WEBSOCKET_URL=ws://127.0.0.1:9\nTAPEWATCH_UPBIT__REST_URL=http://127.0.0.1:9\n")
    installed.machine.run("systemctl", "stop", upbit)
    with installed.machine.drop_in(upbit, "[Service]\nEnvironmentFile=/etc/tapewatch/away.env\n"):
        began = time()
        installed.machine.run("systemctl", "start", "--no-block", upbit)
        sleep(AWAY_S)
        assert installed.machine.show(upbit, "ActiveState") == "activating"
        assert "0 of " in installed.machine.show(upbit, "StatusText")
        [told] = installed.ops()[before:]
        assert told["text"].startswith(f"🔴 DOWN · {upbit}.service on vm1")
        installed.told_in_time("a start that waits for its exchange", told, began)
        assert installed.restarts() == restarts | {upbit: 0}
        installed.machine.run("systemctl", "stop", upbit)
    installed.machine.run("systemctl", "start", upbit)
    installed.until_one_begins(before, f"✅ BACK · {upbit}.service", f"✅ STARTED · {upbit}.service")


def test_a_store_that_is_down_takes_its_own_consumer_and_nobody_else(installed: Installed, before: int) -> None:
    redis, restarts = installed.stack.redis, installed.restarts()
    assert redis is not None
    began = time()
    redis.kill(signal.SIGKILL)
    redis.wait()
    try:
        down = installed.until_one_begins(before, f"🔴 DOWN · {REDIS}.service on vm1")
        installed.told_in_time("its store killed", down, began)
        sleep(AWAY_S / 4)
        assert "Redis" in str(down)
        assert [text for text in installed.told(before) if REDIS not in text] == []
    finally:
        redis.start()
    back = installed.until_one_begins(before, f"✅ BACK · {REDIS}.service on vm1 after")
    installed.told_in_time("its store is back, from ready", back, installed.ready_at(REDIS))
    assert {unit: n for unit, n in installed.restarts().items() if unit != REDIS} == {
        unit: n for unit, n in restarts.items() if unit != REDIS
    }
    assert len(installed.told(before)) == 2


def test_a_start_without_postgres_keeps_nobody_else_waiting(installed: Installed, before: int) -> None:
    postgres, others = installed.stack.postgres, [unit for unit in DATA if unit != POSTGRES]
    assert postgres is not None
    installed.machine.run("systemctl", "stop", "tapewatch.target")
    installed.until_told(before, "⏹️ STOPPED · tapewatch on vm1, all parts")
    for unit in ("tapewatch-setup", *DATA):
        installed.machine.until(lambda unit=unit: installed.machine.show(unit, "ActiveState") == "inactive", "stop")
    postgres.kill(signal.SIGKILL)
    postgres.wait()
    try:
        installed.machine.run("systemctl", "start", "--no-block", "tapewatch.target")
        installed.until_active(*others, within_s=60)
        assert installed.machine.show("tapewatch-setup", "ActiveState") != "active"
        started = installed.until_one_begins(before, "✅ STARTED · tapewatch on vm1", within_s=120)
        assert f"{POSTGRES}.service not up" in str(started["blocks"])
        assert installed.machine.show(POSTGRES, "MainPID") != "0"  # it waits for PostgreSQL itself
    finally:
        postgres.start()
    installed.until_active("tapewatch-setup", *DATA)
    installed.until_one_begins(before, f"✅ BACK · {POSTGRES}.service on vm1")


def test_a_part_that_gets_no_memory_is_told_with_the_reason(installed: Installed, before: int) -> None:
    """The limit is the address space: a container's memory limit needs cgroups that a machine may not grant."""
    with installed.machine.drop_in(REDIS, "[Service]\nLimitAS=60M\n"):
        began = time()
        installed.machine.run("systemctl", "restart", "--no-block", REDIS)
        loop = installed.until_one_begins(before, f"🔁 CRASH LOOP · {REDIS}.service on vm1", within_s=180)
        installed.took("gets no memory: the third end makes it a loop", loop, began)
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
        ready_at = installed.ready_at(*DATA, "tapewatch-watchdog")
        installed.told_in_time(f"the host started anew, {count}, from ready", messages[-1], ready_at)
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
