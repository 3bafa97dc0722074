"""The watchdog as a process, parts that show their health as every service does, and the simulated Slack."""

import json
import signal
from time import monotonic

import pytest

from services.simulator.slack.api import SlackFault
from services.watchdog.boot import boot_id
from tests.integration.watchdog.conftest import Ops
from tests.unit.deploy.compose_file import parts

pytestmark = pytest.mark.timeout(120)


async def test_killed_and_back_again_are_two_messages_in_one_thread(ops: Ops) -> None:
    part = await ops.part()
    await ops.watchdog()
    await ops.known_up()
    part.kill()
    killed_at = monotonic()
    [down] = await ops.until(bool)
    assert down.text == "🔴 DOWN · consumer-redis on vm1: does not answer: Connection refused"
    assert monotonic() - killed_at < 20
    await ops.part()
    _, back = await ops.until(lambda messages: len(messages) == 2)
    assert back.text.startswith("✅ BACK · consumer-redis on vm1 after ")
    assert back.thread_ts == down.ts


async def test_what_answers_and_does_not_get_on_is_told_as_hung(ops: Ops) -> None:
    part = await ops.part(within_s=float(parts()["consumer-redis"]["environment"]["TAPEWATCH_LIVENESS__WITHIN_S"]))
    await ops.watchdog()
    await ops.known_up()
    part.send_signal(signal.SIGUSR1)
    still_since = monotonic()
    [hung] = await ops.until(bool)
    assert "hung: no progress" in hung.text
    assert monotonic() - still_since < 20


async def test_what_says_that_it_waits_is_told_with_what_for_and_told_as_over_in_its_thread(ops: Ops) -> None:
    part = await ops.part()
    await ops.watchdog()
    await ops.known_up()
    part.send_signal(signal.SIGUSR2)
    began_at = monotonic()
    [waits] = await ops.until(bool)
    assert monotonic() - began_at < 20
    assert waits.text == "⏳ WAITS · consumer-redis on vm1: Kafka does not answer"
    assert "docker compose logs --tail 100 consumer-redis" in json.dumps(waits.blocks)
    part.send_signal(signal.SIGUSR2)
    over_at = monotonic()
    _, over = await ops.until(lambda messages: len(messages) == 2)
    assert monotonic() - over_at < 20
    assert over.text.startswith("✅ GETS ON · consumer-redis on vm1, waited for Kafka for ")
    assert over.thread_ts == waits.ts


async def test_a_reboot_of_the_containers_host_is_one_message_once_its_parts_are_up(ops: Ops) -> None:
    part = await ops.part()
    watchdog = await ops.watchdog()
    await ops.known_up()
    for process in (watchdog, part):
        process.kill()
        await process.wait()
    kept = ops.directory / "watchdog.json"
    before = json.loads(kept.read_text())
    assert before["memory"]["boot_id"] == boot_id()
    before["memory"]["boot_id"] = "the one before"
    kept.write_text(json.dumps(before))
    await ops.watchdog()
    await ops.kept(lambda kept: bool(json.loads(kept)["memory"]["coming"]))
    await ops.part()
    [told] = await ops.until(bool)
    assert told.text.startswith("🟡 HOST IS BACK · vm1 was away for ")
    await ops.kept(lambda kept: json.loads(kept)["memory"]["parts"]["consumer-redis"]["told"] == "up")
    assert ops.messages == [told]


@pytest.mark.long
async def test_a_watchdog_that_is_killed_tells_what_happened_meanwhile_and_nothing_twice(ops: Ops) -> None:
    part = await ops.part()
    watchdog = await ops.watchdog()
    await ops.known_up()
    part.kill()
    [down] = await ops.until(bool)
    await ops.written_down(down.ts)
    watchdog.kill()
    await watchdog.wait()
    await ops.part()
    await ops.watchdog()
    _, back = await ops.until(lambda messages: len(messages) == 2)
    assert back.text.startswith("✅ BACK")
    assert back.thread_ts == down.ts


@pytest.mark.long
async def test_slack_that_is_away_delays_and_loses_nothing(ops: Ops) -> None:
    ops.api.plan_fault(SlackFault("error", 3, status=503))
    part = await ops.part()
    watchdog = await ops.watchdog()
    await ops.known_up()
    part.kill()
    [down] = await ops.until(bool)
    assert down.text.startswith("🔴 DOWN")
    watchdog.send_signal(signal.SIGTERM)
    assert await watchdog.wait() == 0
