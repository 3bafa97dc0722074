"""From the exchange's list to Slack: a simulated exchange, a real producer, Kafka and the alert worker."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest

from services.alert_worker.topic_reader import read_topic
from services.simulator.app import Simulator, SimulatorOptions
from shared.topics import INSTRUMENTS

Change = Callable[..., Awaitable[None]]
COINS = ("ETH", "XRP", "SOL", "DOGE", "ADA")


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    """It lists markets; nobody trades."""
    one = Simulator(SimulatorOptions(symbols=6, expect=1_000))
    await one.start()
    yield one
    await one.close()


@pytest.fixture
async def change(simulator) -> AsyncIterator[Change]:
    """``await change({"symbol": …, "warning": True}, …)``: all of it at one moment."""
    async with aiohttp.ClientSession() as http:

        async def order(*changes: dict[str, object]) -> None:
            body = [{"exchange": "upbit", **one} for one in changes]
            async with http.post(f"{simulator.addresses()['control_url']}/list", json=body) as answer:
                assert answer.status == 200, await answer.text()

        yield order


@pytest.fixture
async def listening(fresh_topics, simulator, tmp_path) -> AsyncIterator[None]:
    """A producer that asks Upbit for its list every second."""
    settings = {
        "TAPEWATCH_KAFKA__BOOTSTRAP_SERVERS": fresh_topics.bootstrap_servers,
        "TAPEWATCH_UPBIT__WEBSOCKET_URL": simulator.addresses()["upbit_websocket_url"],
        "TAPEWATCH_UPBIT__REST_URL": simulator.addresses()["upbit_rest_url"],
        "TAPEWATCH_UPBIT__LIST_EVERY_S": "1",
    }
    with (tmp_path / "producer.log").open("w") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.cli", "producer", "upbit", env={**os.environ, **settings}, stderr=log
        )
    yield
    process.terminate()
    await process.wait()


@pytest.mark.long
@pytest.mark.timeout(120)
async def test_a_flag_that_is_raised_is_one_message_and_no_second_after_a_restart(
    worker, slack, change, listening, alerts, eventually, fresh_topics
) -> None:
    async def lists_are_there() -> bool:
        return len([record async for record in read_topic(fresh_topics, INSTRUMENTS)]) >= 6

    await worker.start()
    await worker.watching()
    await eventually(lists_are_there)
    await change({"symbol": "KRW-BTC", "warning": True})
    await eventually(lambda: len(slack.parents) == 1)
    await worker.kill()
    await change({"symbol": "KRW-BTC", "warning": False})  # while nobody looks
    await worker.start()
    await eventually(lambda: len(slack.parents) == 2)
    assert await worker.stop() == 0
    await worker.start()
    await worker.watching()
    await change(
        *({"symbol": f"KRW-{coin}", "cautions": ["PRICE_FLUCTUATIONS"]} for coin in COINS[:3]),
        {"symbol": "KRW-DOGE", "listed": False},
        {"symbol": "KRW-ADA", "cautions": ["PRICE_FLUCTUATIONS"]},
    )
    await eventually(lambda: any("markets have news" in message.text for message in slack.parents))
    await eventually(lambda: any("no longer listed" in str(message.blocks) for message in slack.messages))
    first, second = (message.text for message in slack.parents[:2])
    assert first == "WARNING · Upbit KRW-BTC: now under investment warning"
    assert second == "NOTICE · Upbit KRW-BTC: no longer under investment warning"
    assert len(slack.parents) == 3
    assert [alert.changes for alert in await alerts() if alert.symbol == "KRW-BTC"] == [
        ["raised:WARNING"], ["lifted:WARNING"],
    ]  # fmt: skip
