"""The dead man's switch as two processes: a watchdog that gives signs of life, and who hears them on another host."""

import asyncio
import re
from time import monotonic

import pytest

from services.simulator.slack.api import SlackFault
from tests.integration.watchdog.conftest import Ops

pytestmark = pytest.mark.timeout(120)
WITHIN_S = 5
SILENT = "🔴 HOST IS SILENT · no sign of life from vm1 for "
HEARD = "✅ HOST IS HEARD AGAIN · vm1 after "


async def host(ops: Ops) -> asyncio.subprocess.Process:
    """A watchdog that tells nobody anything but that it lives."""
    url = f"http://127.0.0.1:{ops.receiver_port}/heartbeat"
    settings = {"WATCHDOG__HEARTBEAT_URL": url, "WATCHDOG__HEARTBEAT_EVERY_S": "1", "SLACK__BOT_TOKEN": ""}
    return await ops.watchdog(**settings)


async def is_heard(ops: Ops) -> None:
    await ops.kept(lambda kept: '"vm1"' in kept, "deadman.json")


async def test_silence_is_told_once_slack_is_back_and_the_receiver_lives_on(ops: Ops) -> None:
    receiver = await ops.receiver(WITHIN_S)
    vm1 = await host(ops)
    await is_heard(ops)
    ops.api.plan_fault(SlackFault("error", 2, status=503))
    vm1.kill()
    [silent] = await ops.until(bool)
    assert silent.text.startswith(SILENT)
    assert receiver.returncode is None
    await host(ops)
    _, heard = await ops.until(lambda messages: len(messages) == 2)
    assert heard.text.startswith(HEARD)
    assert heard.thread_ts == silent.ts


@pytest.mark.long
async def test_silences_of_one_night_are_one_thread_also_across_a_restart_of_the_receiver(ops: Ops) -> None:
    receiver = await ops.receiver(WITHIN_S)
    vm1 = await host(ops)
    await is_heard(ops)
    vm1.kill()
    [silent] = await ops.until(bool)
    vm1 = await host(ops)
    await ops.until(lambda messages: len(messages) == 2)
    await ops.kept(lambda kept: '"waiting":[]' in kept, "deadman.json")
    receiver.kill()
    await receiver.wait()
    await ops.receiver(WITHIN_S)
    vm1.kill()
    _, heard, again = await ops.until(lambda messages: len(messages) == 3)
    assert again.text.startswith(SILENT)
    assert again.text.endswith(")")
    assert "(2 times in " in again.text
    assert {heard.thread_ts, again.thread_ts} == {silent.ts}


async def test_a_receiver_that_is_killed_still_tells_and_tells_once_and_says_for_how_long_it_was(ops: Ops) -> None:
    receiver = await ops.receiver(WITHIN_S)
    vm1 = await host(ops)
    await is_heard(ops)
    vm1.kill()
    killed_at = monotonic()
    receiver.kill()
    await receiver.wait()
    receiver = await ops.receiver(WITHIN_S)
    [silent] = await ops.until(bool)
    assert silent.text.startswith(SILENT)

    await ops.kept(lambda kept: silent.ts in kept, "deadman.json")
    receiver.kill()
    await receiver.wait()
    await ops.receiver(WITHIN_S)
    await asyncio.sleep(WITHIN_S + 3)
    assert len(ops.messages) == 1

    started_at = monotonic()
    await host(ops)
    _, heard = await ops.until(lambda messages: len(messages) == 2)
    found = re.match(rf"{HEARD}([\d.]+) s$", heard.text)
    assert found
    assert started_at - killed_at - 1 <= float(found[1]) <= monotonic() - killed_at + 3
    assert heard.thread_ts == silent.ts
