"""What happens to containers, and what the simulated Slack got to read of it, and when."""

import subprocess
from time import time

import pytest

from tests.compose.deployment import REPOSITORY, Deployment, run_in_image, until
from tests.unit.deploy.compose_file import lasting, parts

pytestmark = pytest.mark.timeout(1200)
TOLD_WITHIN_S = 20.0
ONCE = {"secrets", "topics", "migrate"}
STANDS_STILL = """
import asyncio
from shared import lifecycle
async def main(settings, stop, liveness):
    liveness.moved("at work")
    await stop.wait()
raise SystemExit(lifecycle.run("drill", main))
"""
HANGS = STANDS_STILL.replace("await stop.wait()", "import time; time.sleep(600)")


@pytest.mark.parametrize("files", [(), ("docker-compose.redpanda.yaml",)])
def test_compose_takes_the_files(files: tuple[str, ...]) -> None:
    chosen = [argument for file in ("docker-compose.yaml", *files) for argument in ("-f", file)]
    for profiles in ([], ["--profile", "*"]):
        done = subprocess.run(
            ["docker", "compose", *chosen, *profiles, "config", "--quiet"],
            check=False, capture_output=True, text=True, cwd=REPOSITORY,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")


def test_everything_is_healthy_and_what_ran_once_ended_well(deployed: Deployment) -> None:
    states = deployed.states()
    wanted = {name for name, one in lasting().items() if one.get("profiles", ["demo"]) == ["demo"]}
    assert states.keys() == wanted | ONCE
    assert {name for name, one in states.items() if one["Health"] == "healthy"} == wanted
    assert {states[name]["ExitCode"] for name in ONCE} == {0}
    for name in wanted:
        host = deployed.inspect(name)["HostConfig"]
        assert host["ReadonlyRootfs"]
        assert host["CapDrop"] == ["ALL"]
        assert host["Memory"] > 0
        assert deployed.inspect(name)["Config"]["User"] or name == "kafka"  # whose image has one of its own
    size = subprocess.run(
        ["docker", "image", "inspect", "-f", "{{.Size}}", _image(deployed)], check=True, capture_output=True, text=True
    )
    deployed.figures["size of the image"] = f"{int(size.stdout) / 1e6:.0f} MB"


def test_an_alert_arrives_in_slack_with_its_chart(deployed: Deployment) -> None:
    def told() -> str:
        return " ".join(message["text"] for message in deployed.slack("tapewatch"))

    until(lambda: "RESOLVED · KRW-BTC on Upbit" in told(), 180, told)
    deployed.figures |= {f"memory of {name}": used for name, used in deployed.memory().items()}


def test_the_stores_hold_what_kafka_holds_as_a_reader_sees_it(deployed: Deployment) -> None:
    said = deployed.compose("run", "--rm", "tapewatch", "status", "--json")
    assert '"store": "redis"' in said
    assert '"store": "postgres"' in said


def test_killed_and_back_is_told(deployed: Deployment, before: int) -> None:
    killed_at = deployed.kill("consumer-redis")
    first, *_ = deployed.told(before, "")
    restarted, down = (f"{word} · consumer-redis on compose: does not answer" for word in ("🟡 RESTARTED", "🔴 DOWN"))
    assert first["text"].startswith((restarted, down))  # as down where it takes longer than some seconds to be back
    _within(deployed, "killed, back within seconds: told after", float(first["ts"]) - killed_at)
    if first["text"].startswith(down):
        deployed.told(before, down, "✅ BACK · consumer-redis on compose after")


def test_killed_by_the_kernel_for_its_memory_is_told_down_and_then_back(deployed: Deployment, before: int) -> None:
    def told() -> list[str]:
        return [message["text"] for message in deployed.slack("tapewatch-ops")[before:]]

    def told_while_its_memory_fills() -> bool:
        deployed.fill_tmp("producer-binance", 60)
        return bool(told())

    with deployed.limited("producer-binance", to_mb=80):
        began = time()
        until(told_while_its_memory_fills, 60, lambda: str(told()))
        [down] = deployed.told(before, "🔴 DOWN · producer-binance on compose: does not answer")
        assert deployed.out_of_memory("producer-binance", began)
        _within(deployed, "killed by the kernel for its memory: told after", float(down["ts"]) - began)
        _, back = deployed.told(before, "🔴 DOWN", "✅ BACK · producer-binance on compose after")
        assert back["thread_ts"] == down["ts"]


def test_stopped_and_started_again_are_two_messages_in_one_thread(deployed: Deployment, before: int) -> None:
    stopped_at = deployed.does("stop", "consumer-postgres")
    [down] = deployed.told(before, "🔴 DOWN · consumer-postgres on compose: does not answer")
    _within(deployed, "stopped: told after", float(down["ts"]) - stopped_at)
    started_at = deployed.does("start", "consumer-postgres")
    _, back = deployed.told(before, "🔴 DOWN", "✅ BACK · consumer-postgres on compose after")
    _within(deployed, "started again: told after", float(back["ts"]) - started_at)
    assert back["thread_ts"] == down["ts"]


def test_a_hang_is_told(deployed: Deployment, before: int) -> None:
    paused_at = deployed.does("pause", "alert-worker")
    try:
        [down] = deployed.told(before, "🔴 DOWN · alert-worker on compose: does not answer")
    finally:
        unpaused_at = deployed.does("unpause", "alert-worker")
    _within(deployed, "frozen: told after", float(down["ts"]) - paused_at)
    _, back = deployed.told(before, "🔴 DOWN", "✅ BACK · alert-worker on compose after")
    _within(deployed, "goes on: told after", float(back["ts"]) - unpaused_at)


def test_a_store_that_freezes_is_told_by_the_part_that_ends_and_nobody_else_restarts(
    deployed: Deployment, before: int
) -> None:
    others = [name for name in parts() if name not in {"consumer-redis", "simulator", "deadman"}]
    restarts = {name: deployed.inspect(name)["RestartCount"] for name in others}
    frozen_at = deployed.does("pause", "redis")
    try:
        [down] = deployed.told(before, "🔴 DOWN · consumer-redis on compose")
    finally:
        deployed.does("unpause", "redis")
    deployed.figures["Redis frozen: its consumer told down after"] = f"{float(down['ts']) - frozen_at:.1f} s"
    deployed.told(before, "🔴 DOWN", "✅ BACK · consumer-redis on compose after")
    assert {name: deployed.inspect(name)["RestartCount"] for name in others} == restarts


@pytest.mark.parametrize(
    ("program", "says"),
    [(STANDS_STILL, "no progress for 9 s (at work): starting over"), (HANGS, "the event loop has hung for 8 s")],
)
def test_a_process_without_progress_ends_itself(deployed: Deployment, program: str, says: str) -> None:
    status, said, took_s = run_in_image(_image(deployed), program, TAPEWATCH_LIVENESS__WITHIN_S="8")
    assert status == 1
    assert says in said
    deployed.figures[f"“{says}”, of 8 s allowed: ended after"] = f"{took_s:.1f} s"


def test_no_secret_is_in_any_log(deployed: Deployment) -> None:
    logs = deployed.compose("logs", "--no-color")
    assert "starting" in logs
    secrets = [
        deployed.compose("run", "--rm", "-T", "--entrypoint", "cat", "tapewatch", f"/secrets/{file}")
        for file in ("postgres-reader/password", "redis-reader/password")
    ]
    assert all(len(secret) == 48 for secret in secrets)
    assert not [secret for secret in (*secrets, "xoxb-simulated") if secret in logs]


def _image(deployed: Deployment) -> str:
    image: str = deployed.inspect("watchdog")["Config"]["Image"]
    return image


def _within(deployed: Deployment, what: str, took_s: float) -> None:
    deployed.figures[what] = f"{took_s:.1f} s"
    assert took_s < TOLD_WITHIN_S
