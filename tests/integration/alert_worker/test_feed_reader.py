"""What the feeds say of themselves, heard whenever an alert is decided."""

import asyncio

from services.alert_worker.feed_reader import FeedReader
from shared.clock import now_us
from shared.events import Alert, FeedEvent
from shared.topics import FEED
from shared.wire import HEADERS_OF_EVENT, encode

ALERTS_AT_ONCE = 40
ALERT = Alert(
    alert_id="a-1-open", episode_id="a", state="open", kind="move", detectors=["move"], scope="symbol",
    direction="down", severity="notice", started_at_us=1, decided_at_us=1, rule_version="moves/6",
    exchange="upbit", symbol="KRW-BTC",
)  # fmt: skip


async def test_hearing_that_nothing_was_said_does_not_wait_for_news(fresh_topics) -> None:
    """Kafka answers one question of a connection after the other, and that for news may take half a second."""
    reader = FeedReader(fresh_topics)
    try:
        await reader.start(now_us())
        await reader.catch_up()
        async with asyncio.timeout(ALERTS_AT_ONCE * 0.5 / 2):
            for _ in range(ALERTS_AT_ONCE):
                await reader.catch_up()
    finally:
        await reader.close()


async def test_what_was_said_by_now_is_heard(fresh_topics, producer) -> None:
    reader = FeedReader(fresh_topics)
    try:
        await reader.start(now_us())
        for kind, is_down in (("stalled", True), ("connected", False)) * 3:
            said = FeedEvent(kind=kind, exchange="upbit", channel="trade", reason="a test", at_us=now_us())
            await producer.send_and_wait(FEED.name, encode(said), b"upbit", headers=HEADERS_OF_EVENT[FeedEvent])
            await reader.catch_up()
            assert reader.feeds.is_down(ALERT) is is_down
    finally:
        await reader.close()
