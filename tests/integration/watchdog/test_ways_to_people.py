"""Two ways to people, Slack and a webhook of anybody's: each tells, whatever becomes of the other. And heartbeats."""

import pytest

from services.simulator.slack.api import SlackFault
from tests.integration.watchdog.conftest import Ops, eventually

pytestmark = pytest.mark.timeout(120)
DOWN = "🔴 DOWN · consumer-redis on vm1: does not answer: Connection refused"
BACK = "✅ BACK · consumer-redis on vm1 after "


async def part_goes_down(ops: Ops) -> None:
    """Watched, and then killed."""
    part = await ops.part()
    await ops.watchdog(WATCHDOG__WEBHOOK_URL=f"{ops.outside.url}/hook")
    await ops.known_up()
    part.kill()


async def test_the_second_way_tells_the_same_as_the_first(ops: Ops) -> None:
    await part_goes_down(ops)
    await eventually(lambda: bool(ops.messages and ops.outside.told))
    await ops.part()
    await eventually(lambda: len(ops.messages) == len(ops.outside.told) == 2)
    assert [message.text for message in ops.messages] == ops.outside.told
    assert ops.outside.told[0] == DOWN
    assert ops.outside.told[1].startswith(BACK)


async def test_a_slack_that_is_away_keeps_nobody_else_from_telling(ops: Ops) -> None:
    ops.api.plan_fault(SlackFault("error", 3, status=503))
    await part_goes_down(ops)
    await eventually(lambda: ops.outside.told == [DOWN])
    assert ops.messages == []
    [down] = await ops.until(bool)
    assert down.text == DOWN


async def test_a_second_way_that_is_away_keeps_slack_from_nothing_and_tells_afterwards(ops: Ops) -> None:
    ops.outside.status = 503
    await part_goes_down(ops)
    [down] = await ops.until(bool)
    await ops.part()
    _, back = await ops.until(lambda messages: len(messages) == 2)
    assert ops.outside.told == []
    ops.outside.status = 200
    await eventually(lambda: ops.outside.told == [down.text, back.text])


async def test_an_end_is_told_on_top_where_somebody_deleted_the_message_of_the_beginning(ops: Ops) -> None:
    await part_goes_down(ops)
    [down] = await ops.until(bool)
    await ops.written_down(down.ts)
    ops.workspace.delete(ops.workspace.channels[0], down.ts)
    await ops.part()
    [back] = await ops.until(bool)
    assert back.text.startswith(BACK)
    assert back.thread_ts is None


async def test_a_message_that_slack_refuses_for_good_holds_up_none_behind_it(ops: Ops) -> None:
    ops.api.plan_fault(SlackFault("refuse", 2, error="invalid_blocks"))
    await part_goes_down(ops)
    await ops.kept(lambda kept: '"given_up":1' in kept)
    await ops.part()
    [back] = await ops.until(bool)
    assert back.text.startswith(BACK)
    assert back.text.endswith("(before it 1 messages were given up)")


async def test_heartbeats_arrive_again_and_again_with_the_hosts_name(ops: Ops) -> None:
    url = f"{ops.outside.url}/heartbeat"
    await ops.watchdog(WATCHDOG__HEARTBEAT_URL=url, WATCHDOG__HEARTBEAT_EVERY_S="1")
    await eventually(lambda: len(ops.outside.heartbeats) >= 3)
    assert ops.outside.heartbeats[:3] == [{"host": "vm1"}] * 3
