"""The canary goes round through Kafka, the worker and Slack; the watchdog, without Kafka, tells when it does not.

The watchdog has a Slack of its own here, so that what it tells arrives while the worker's refuses.
"""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from pydantic import SecretStr

from services.alert_worker.actions import Place
from services.alert_worker.messages import blocks
from services.alert_worker.messages.message import Message as AlertMessage
from services.alert_worker.notifiers.slack import SlackBot, make_bot
from services.alert_worker.topic_reader import read_topic
from services.consumer.decode import read_batch
from services.simulator.slack.api import SlackApi, SlackFault, SlackLimits
from services.simulator.slack.workspace import Message, Workspace
from shared.clock import now_us
from shared.events import Alert, Notification, Trade
from shared.settings import KafkaSettings, Settings, SlackSettings
from shared.topics import ALERTS, NOTIFICATIONS, TRADES
from shared.wire import decode

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
async def ops() -> AsyncIterator[tuple[Workspace, str]]:
    """Where the watchdog tells."""
    workspace = Workspace(["ops"])
    application = web.Application()
    application.add_routes(SlackApi(workspace, SlackLimits(), now_us).routes())
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    yield workspace, f"http://{host}:{port}/api/"
    await runner.cleanup()


@pytest.fixture
async def watchdog(worker: Any, ops: tuple[Workspace, str], tmp_path: Any) -> AsyncIterator[asyncio.subprocess.Process]:
    """Watches the worker's health page."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    worker.environment |= {
        "TAPEWATCH_ALERTS__CANARY_EVERY_S": "2",
        "TAPEWATCH_SLACK__OPS_CHANNEL": "#ops",
        "TAPEWATCH_METRICS__PORT": str(port),
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TAPEWATCH_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.cli", "watchdog",
        env=kept | {
            "TAPEWATCH_WATCHDOG__PROBES": f"alert-worker=http://127.0.0.1:{port}",
            "TAPEWATCH_WATCHDOG__HOST": "vm1",
            "TAPEWATCH_SLACK__BOT_TOKEN": "xoxb-simulated",
            "TAPEWATCH_SLACK__CHANNEL": "#ops",
            "TAPEWATCH_SLACK__API_URL": ops[1],
            "TAPEWATCH_STATE__DIRECTORY": str(tmp_path),
        },
    )  # fmt: skip
    yield process
    process.kill()
    await process.wait()


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(SlackFault("refuse", 10_000, error="channel_not_found"), id="refused"),
        pytest.param(SlackFault("hang", 10_000, seconds=60), id="hung", marks=pytest.mark.long),
    ],
)
@pytest.mark.long
async def test_it_goes_round_unheard_and_is_told_when_it_does_not_come_back(
    worker: Any, slack: Any, watchdog: object, ops: tuple[Workspace, str], fresh_topics: KafkaSettings,
    eventually: Callable[..., Awaitable[None]], fault: SlackFault,
) -> None:  # fmt: skip
    def told() -> list[Message]:
        return list(ops[0].channels[0].messages)

    shown = slack.workspace.channels[1].messages
    await worker.start()
    await eventually(lambda: len(shown) == 1 and shown[0].edits >= 2)
    assert shown[0].text.startswith("tapewatch is awake")
    assert told() == []

    slack.api.plan_fault(fault)
    await eventually(lambda: len(told()) == 1)
    assert told()[0].text.startswith("🔇 ALERTS DO NOT GET THROUGH · alert-worker on vm1")

    fault.count = 1
    await eventually(lambda: len(told()) == 2)
    assert told()[1].text.startswith("✅ ALERTS GET THROUGH AGAIN · alert-worker on vm1 after ")
    assert told()[1].thread_ts == told()[0].ts

    assert await worker.stop() == 0
    assert slack.messages == []  # the traders' channel
    assert len(shown) == 1
    await stores_leave_it_out(fresh_topics)
    receipts = [decode(Notification, record.value) async for record in read_topic(fresh_topics, NOTIFICATIONS)]
    assert {receipt.episode_id for receipt in receipts} == {"canary"}
    assert not await asyncio.to_thread(listed, fresh_topics)


async def test_what_is_shown_in_the_ops_channel_stays_one_message_and_nothing_is_elsewhere(slack: Any) -> None:
    def bot(ops: str | None) -> SlackBot:
        return make_bot(
            Settings(slack=SlackSettings(bot_token=SecretStr("xoxb-simulated"), api_url=slack.url, ops_channel=ops))
        )

    awake = ops_message("it went round")
    assert await bot(None).prove(awake, Place()) == Place()
    assert "auth.test" in slack.api.called
    place = await bot("#ops").prove(awake, Place())
    assert await bot("#ops").prove(ops_message("and again"), place) == place
    slack.workspace.delete(slack.workspace.channels[1], place.ts)
    assert await bot("#ops").prove(awake, place) != place
    assert [message.text for message in slack.workspace.channels[1].messages] == ["it went round"]
    assert slack.messages == []


def ops_message(text: str) -> AlertMessage:
    return AlertMessage(text, [blocks.section(text)])


async def stores_leave_it_out(kafka: KafkaSettings) -> None:
    """What a consumer makes of everything on the topics: positions that move on, and no event."""
    for topic, event in ((TRADES, Trade), (ALERTS, Alert)):
        records = [record async for record in read_topic(kafka, topic)]
        assert {decode(event, record.value).exchange for record in records} == {"canary"}
        place = (topic.name, records[0].partition)
        batch, poison = read_batch({place: records}, {place: 0}, lambda _: None)
        assert not poison
        assert batch.slices[0].events == []
        assert batch.slices[0].next_offset == records[-1].offset + 1


def listed(kafka: KafkaSettings) -> list[object]:
    from services.cli import alert_records

    return list(asyncio.run(alert_records.read(kafka, 0)).episodes)
