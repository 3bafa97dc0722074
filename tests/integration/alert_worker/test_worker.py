"""The alert worker against real Kafka and a simulated Slack, killed and started again."""

import asyncio

import msgspec
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from msgspec.structs import replace

from services.alert_worker.partition import Partition
from shared.clock import now_us
from shared.events import Control
from shared.topics import DETECTOR_STATE, TRADES

STATES = ["open", "escalate", "resolve"]


async def test_a_crash_is_one_message_that_escalates_and_resolves(
    worker, publish, crash, alerts, notifications, slack, eventually
) -> None:
    await worker.start()
    await publish(crash(now_us() - 12_000_000))
    await eventually(lambda: any("RESOLVED" in message.text for message in slack.parents))
    assert [alert.state for alert in await alerts()] == STATES
    assert len(slack.parents) == 1
    assert await worker.stop() == 0
    assert [note.stage for note in await notifications()][-1] == "sent"


async def test_killed_in_the_middle_of_an_episode_it_goes_on_with_the_same_message(
    worker, publish, crash, alerts, slack, eventually
) -> None:
    began_us = now_us() - 4_000_000
    await worker.start()
    await publish(crash(began_us, until_s=4.0))
    await eventually(lambda: any("DANGER" in message.text for message in slack.parents))
    await worker.kill()
    await publish(crash(began_us, from_s=4.0))
    await worker.start()
    await eventually(lambda: any("RESOLVED" in message.text for message in slack.parents))
    records = await alerts()
    assert [alert.state for alert in records] == STATES
    assert len({alert.episode_id for alert in records}) == 1
    assert len(slack.parents) == 1


@pytest.mark.long
async def test_killed_again_and_again_it_repeats_nothing(worker, publish, crash, alerts, slack, eventually) -> None:
    began_us = now_us() - 12_000_000
    for second in range(0, 12, 3):
        await worker.start()
        await publish(crash(began_us, second, second + 3.0))
        await worker.watching()
        await asyncio.sleep(0.1 * second)  # killed at once, and ever later
        await worker.kill()
    await worker.start()
    await eventually(lambda: any("RESOLVED" in message.text for message in slack.parents))
    assert [alert.state for alert in await alerts()] == STATES
    assert len(slack.parents) == 1


async def test_what_happened_while_it_was_stopped_is_told_after_the_next_start(
    worker, publish, crash, alerts, slack, eventually
) -> None:
    began_us = now_us() - 12_000_000
    await worker.start()
    await publish(crash(began_us, until_s=1.0))
    await worker.watching()
    assert await worker.stop() == 0
    await publish(crash(began_us, from_s=1.0))
    await worker.start()
    await eventually(lambda: any("RESOLVED" in message.text for message in slack.parents))
    assert [alert.state for alert in await alerts()] == STATES
    assert len(slack.parents) == 1


async def test_after_a_long_sleep_what_was_abnormal_then_is_on_record_and_nobody_is_woken(
    worker, publish, crash, alerts, slack, eventually
) -> None:
    fell_us = now_us() - 15 * 60_000_000
    await worker.start()
    await publish(crash(fell_us, until_s=1.0))
    await worker.watching()
    assert await worker.stop() == 0  # and the host sleeps
    await publish(crash(fell_us, from_s=1.0))
    await worker.start()
    await eventually(lambda: any(b'"event": "alert"' in line for line in worker.log))
    await worker.watching()
    records = await alerts()
    assert records
    assert {alert.data_quality for alert in records} == {"stale"}
    assert await worker.stop() == 0
    assert slack.parents == []


async def test_killed_while_slack_takes_the_message_it_looks_before_it_posts_again(
    worker, publish, crash, alerts, slack, eventually
) -> None:
    began_us = now_us() - 4_000_000
    slack.fail("cut")
    await worker.start()
    await publish(crash(began_us, until_s=4.0))
    await eventually(lambda: len(slack.messages) == 1)
    await worker.kill()
    await publish(crash(began_us, from_s=4.0))
    await worker.start()
    await eventually(lambda: any("RESOLVED" in message.text for message in slack.parents))
    assert [alert.state for alert in await alerts()] == STATES
    assert len(slack.parents) == 1


async def test_a_slack_outage_delays_and_loses_nothing(
    worker, publish, crash, alerts, notifications, slack, eventually
) -> None:
    slack.fail("error", 2)
    await worker.start()
    await publish(crash(now_us() - 12_000_000))
    await eventually(lambda: len(slack.parents) == 1 and "RESOLVED" in slack.parents[0].text)
    assert [alert.state for alert in await alerts()] == STATES
    assert await worker.stop() == 0
    last = (await notifications())[-1]
    assert last.stage == "sent"
    assert last.settled_offset == len(STATES)


async def test_what_slack_refuses_is_kept_and_does_not_block(
    worker, publish, crash, alerts, notifications, slack, eventually
) -> None:
    began_us = now_us() - 12_000_000
    slack.fail("refuse", 1, error="channel_not_found")
    await worker.start()
    await publish(crash(began_us, until_s=4.0))
    await eventually(lambda: any(b"refused for good" in line for line in worker.log))
    await publish(crash(began_us, from_s=4.0))
    await eventually(lambda: any("RESOLVED" in message.text for message in slack.parents))
    assert await worker.stop() == 0
    refused = [note for note in await notifications() if note.stage == "refused"]
    assert len(refused) == 1
    assert "TAPEWATCH_SLACK__CHANNEL" in (refused[0].reason or "")


async def test_live_and_replayed_trades_give_the_same_alerts(worker, publish, crash, alerts, slack, eventually) -> None:
    await worker.start()
    await worker.watching()
    began_us = now_us()
    for step in range(12 * 20):
        await asyncio.sleep(max(0.0, (began_us + step * 50_000 - now_us()) / 1e6))
        await publish(crash(began_us, step / 20, (step + 1) / 20))
    await eventually(lambda: any("RESOLVED" in message.text for message in slack.parents))
    replayed = Partition()
    again = [one.alert for offset, trade in enumerate(crash(began_us)) for one in replayed.observe(trade, offset)]
    assert [msgspec.structs.replace(alert, decided_at_us=0) for alert in await alerts()] == again
    assert [alert.state for alert in again] == STATES


async def test_a_muted_market_is_recorded_and_not_told(worker, publish, crash, alerts, slack, eventually, wish) -> None:
    await wish(Control(action="mute", target="KRW-BTC", at_us=now_us()))
    await worker.start()
    await publish(crash(now_us() - 12_000_000))

    async def recorded() -> bool:
        return [alert.state for alert in await alerts()] == STATES

    await eventually(recorded)
    assert {alert.suppressed_by for alert in await alerts()} == {"mute"}
    assert await worker.stop() == 0
    assert slack.messages == []


async def test_a_mute_and_its_end_hold_while_it_runs(worker, publish, crash, alerts, slack, eventually, wish) -> None:
    async def says(action: str, target: str) -> None:
        said = f'"action": "{action}", "target": "{target}"'.encode()

        async def heard() -> bool:
            """It names only what is said after it began to listen, so it is said again."""
            await wish(Control(action=action, target=target, at_us=now_us()))
            return any(said in line for line in worker.log)

        await eventually(heard)

    async def recorded(symbol: str) -> bool:
        return [alert.state for alert in await alerts() if alert.symbol == symbol] == STATES

    await worker.start()
    await worker.watching()
    await says("mute", "coin:BTC")
    await says("mute", "coin:ETH")
    await publish(crash(now_us() - 12_000_000))
    await eventually(lambda: recorded("KRW-BTC"))
    await says("unmute", "coin:ETH")
    await publish(replace(trade, symbol="KRW-ETH", base="ETH") for trade in crash(now_us() - 12_000_000))
    await eventually(lambda: any("RESOLVED" in message.text for message in slack.parents))
    assert await worker.stop() == 0
    assert {(alert.base, alert.suppressed_by) for alert in await alerts()} == {("BTC", "mute"), ("ETH", None)}
    assert ["KRW-ETH" in message.text for message in slack.parents] == [True]


async def test_a_fresh_worker_knows_from_candles_what_is_usual_and_killed_it_repeats_nothing(
    worker, publish, publish_candles, crash, alerts, slack, eventually
) -> None:
    began_us = now_us() - 4_000_000
    await publish_candles(began_us)
    await worker.start()
    await publish(crash(began_us, until_s=4.0))
    await eventually(lambda: any("DANGER" in message.text for message in slack.parents))
    await worker.kill()
    await publish_candles(began_us)  # a producer that was killed may tell some again
    await publish(crash(began_us, from_s=4.0))
    await worker.start()
    await eventually(lambda: any("RESOLVED" in message.text for message in slack.parents))
    records = await alerts()
    assert (records[0].state, records[0].kind) == ("open", "move")
    assert float(records[0].sigma or 0) > 6  # without a past: move_abs, and nothing of the volatility
    assert len({alert.episode_id for alert in records}) == 1
    assert len({alert.alert_id for alert in records}) == len(records)
    assert len(slack.parents) == 1


async def test_killed_it_goes_on_with_what_it_told_though_it_knows_more_of_the_market_by_then(
    worker, publish, publish_candles, crash, alerts, slack, eventually, tmp_path
) -> None:
    """With the past that comes too late the same fall would have been told earlier, as another one."""
    file = tmp_path / "rules.toml"
    file.write_text("[rules.move]\nopens_percent = 1.5\n[rules.move_abs]\npercent = 3\n", encoding="utf-8")
    worker.environment["TAPEWATCH_ALERTS__RULES_FILE"] = str(file)
    began_us = now_us() - 4_000_000
    await worker.start()
    await publish(crash(began_us, until_s=4.0))
    await eventually(lambda: any("DANGER" in message.text for message in slack.parents))
    await asyncio.sleep(1)  # what was told is saved at once, and everything in turn only after some seconds
    await worker.kill()
    await publish_candles(began_us)
    await publish(crash(began_us, from_s=4.0))
    await worker.start()
    await eventually(lambda: any("RESOLVED" in message.text for message in slack.parents))
    assert {alert.episode_id for alert in await alerts()} == {(await alerts())[0].episode_id}
    assert len(slack.parents) == 1


async def test_state_that_kafka_does_not_take_ends_it(worker, publish, crash, fresh_topics) -> None:
    """It is saved beside the decisions, and a fault there is nobody's to miss."""
    await worker.start()
    await worker.watching()
    await publish(crash(now_us() - 12_000_000, until_s=4.0))
    admin = AIOKafkaAdminClient(bootstrap_servers=fresh_topics.bootstrap_servers)
    await admin.start()
    try:
        tiny = ConfigResource(ConfigResourceType.TOPIC, DETECTOR_STATE.name, {"max.message.bytes": "100"})
        await admin.alter_configs([tiny])
    finally:
        await admin.close()
    assert await worker.ended() == 1
    assert any(b"MessageSizeTooLarge" in line for line in worker.log)


async def test_a_newer_version_of_an_event_ends_it_with_one_line(worker, producer) -> None:
    await worker.start()
    await worker.watching()
    await producer.send_and_wait(TRADES.name, b"{}", partition=0, headers=[("schema", b"trade/2")])
    assert await worker.ended() == 1
    assert worker.log[-1] == b"tapewatch alert-worker: this program reads trade/1 and found trade/2: upgrade it first\n"
    assert not any(b"Traceback" in line or b"unforeseen" in line for line in worker.log)


async def test_a_topic_with_other_partitions_is_refused_at_the_start(worker, fresh_topics) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=fresh_topics.bootstrap_servers)
    await admin.start()
    try:
        await admin.create_partitions({DETECTOR_STATE.name: NewPartitions(12)})
        await worker.start()
        assert await worker.ended() == 2
        assert b"topic tape.detector-state.v1 has 12 partitions and must have 8" in worker.log[-1]
        await admin.delete_topics([DETECTOR_STATE.name])  # partitions are never taken away again
    finally:
        await admin.close()


@pytest.mark.long
@pytest.mark.timeout(120)
async def test_a_kafka_that_is_silent_for_as_long_as_a_restart_takes_ends_nobody(
    worker, publish, crash, slack, eventually, kafka_frozen, kafka_listed
) -> None:
    worker.environment["TAPEWATCH_LIVENESS__WITHIN_S"] = "10"
    await worker.start()
    await publish(crash(now_us() - 12_000_000))
    await eventually(lambda: any("RESOLVED" in message.text for message in slack.parents))
    with kafka_frozen():
        await asyncio.sleep(18)
        assert worker.process.returncode is None
    await kafka_listed()
    assert await worker.stop() == 0
