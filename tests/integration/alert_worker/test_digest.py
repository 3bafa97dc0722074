"""The daily digest from what is on Kafka, gathered in a process of its own."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from services.alert_worker import herald as heralding
from services.alert_worker import notifiers
from services.alert_worker.board import Board
from services.alert_worker.charting import Charting
from services.alert_worker.delivery import Delivery
from services.alert_worker.digest.request import DigestRequest
from services.alert_worker.herald import Herald, gather
from services.alert_worker.messages.wording import ENGLISH
from services.alert_worker.outbox import Outbox
from services.alert_worker.proving import Proving
from services.alert_worker.rules_keeper import RulesKeeper
from services.alert_worker.scribe import Scribe
from services.alert_worker.telling import Telling
from services.simulator.slack.workspace import Message
from shared.clock import now_us
from shared.events import Alert, FeedEvent, Trade
from shared.settings import load_settings
from shared.topics import ALERTS, FEED
from shared.wire import HEADERS_OF_EVENT, encode


@pytest.fixture
def gathered(fresh_topics, monkeypatch):
    monkeypatch.setenv("TAPEWATCH_KAFKA__BOOTSTRAP_SERVERS", fresh_topics.bootstrap_servers)

    async def run(days_ahead: int = 0):
        day = datetime.now(UTC) + timedelta(days=days_ahead)
        return await gather(DigestRequest(f"{day:%Y-%m-%d}", now_us()), asyncio.Event())

    return run


def trade(symbol: str, number: int, price: int) -> Trade:
    at_us = now_us() - 2_000_000 + number
    return Trade(
        exchange="upbit", symbol=symbol, base="x", quote="KRW", trade_id=str(number + 1), price=str(price),
        quantity="1", side="buy", traded_at_us=at_us, received_at_us=at_us,
    )  # fmt: skip


@pytest.fixture
async def a_day(publish, producer) -> None:
    await publish(trade("KRW-BTC", n, 1_000 + n) for n in range(51))
    await publish(trade("KRW-ETH", n, 1_000 - 2 * n) for n in range(51))
    now = now_us()
    storm = {"scope": "market", "kind": "storm", "symbol": None, "suppressed_by": "mute"}
    for number, changes in enumerate(
        (
            {},
            {"state": "resolve"},
            {"suppressed_by": "mute"},
            {"data_quality": "gapped"},
            {"data_quality": "stale"},
            storm,
        )
    ):
        fields = {
            "alert_id": f"e{number}", "episode_id": f"e{number}", "state": "open", "kind": "move",
            "detectors": ["move"], "scope": "symbol", "direction": "down", "severity": "danger", "started_at_us": now,
            "decided_at_us": now, "rule_version": "x", "exchange": "upbit", "symbol": "KRW-DOGE",
        }  # fmt: skip
        alert = Alert(**(fields | changes))
        await producer.send_and_wait(ALERTS.name, encode(alert), headers=HEADERS_OF_EVENT[Alert])
    for to_us in (now, None):
        gap = FeedEvent(kind="gap", exchange="upbit", reason="x", at_us=now, from_us=now - 1, to_us=to_us)
        await producer.send_and_wait(FEED.name, encode(gap), headers=HEADERS_OF_EVENT[FeedEvent])


async def test_the_day_is_told(a_day, gathered) -> None:
    digest = await gathered()
    assert digest is not None
    assert [(one.symbol, one.change_pct) for one in digest.movers] == [("KRW-ETH", "-10.00"), ("KRW-BTC", "5.00")]
    assert (digest.fired, digest.muted, digest.muted_symbols) == (2, 2, ["KRW-DOGE", "rule:storm"])
    assert (digest.gaps, digest.open_gaps, digest.missing) == (2, 1, None)
    assert 0 <= digest.ages_s["upbit"] < 600


async def test_without_data_of_the_day_it_is_of_the_last_good_one_and_says_so(a_day, gathered) -> None:
    digest = await gathered(days_ahead=2)
    today, wanted = (f"{datetime.now(UTC) + timedelta(days=days):%Y-%m-%d}" for days in (0, 2))
    assert digest is not None
    assert (digest.day, digest.missing) == (today, wanted)


async def test_before_the_first_trade_there_is_nothing_to_tell(gathered) -> None:
    assert await gathered() is None


class Clock:
    """Stands where it is set, and counts who looks at it."""

    def __init__(self, at: datetime) -> None:
        self.at, self.looks = at, 0

    def now_us(self) -> int:
        self.looks += 1
        return int(self.at.timestamp()) * 1_000_000


@pytest.fixture
def tell_the_day(fresh_topics, slack, producer, monkeypatch):
    """Tell people as a worker does that is started, with a clock of its own, until a condition holds."""
    monkeypatch.setenv("TAPEWATCH_KAFKA__BOOTSTRAP_SERVERS", fresh_topics.bootstrap_servers)
    monkeypatch.setattr(heralding, "_LOOK_EVERY_S", 0.05)
    settings = load_settings(
        {
            "TAPEWATCH_KAFKA__BOOTSTRAP_SERVERS": fresh_topics.bootstrap_servers,
            "TAPEWATCH_SLACK__BOT_TOKEN": "xoxb-simulated",
            "TAPEWATCH_SLACK__API_URL": slack.url,
            "TAPEWATCH_ALERTS__GREETING": "false",
        }
    )

    async def run(clock: Clock, until) -> None:
        notifier, board, stop = notifiers.choose(settings), Board(), asyncio.Event()
        telling = Telling(
            settings.kafka, producer, Delivery(notifier, Scribe(ENGLISH, board, now_us), lambda: asyncio.sleep(0)),
            Charting(notifier, ENGLISH, None, korean_colours=False), Outbox(), Proving(0, producer, ENGLISH, now_us),
        )  # fmt: skip
        herald = Herald(settings.alerts, telling, board, ENGLISH, RulesKeeper(settings.alerts), clock.now_us)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(telling.run(stop))
            tasks.create_task(herald.run(stop))
            await until()
            stop.set()

    return run


async def test_at_ten_past_nine_in_korea_it_is_posted_once(a_day, tell_the_day, slack, eventually) -> None:
    today = datetime.now(UTC)
    clock = Clock((today + timedelta(days=1)).replace(hour=0, minute=9, second=59))  # nine hours later in Korea

    async def looked() -> None:
        seen = clock.looks
        await eventually(lambda: clock.looks >= seen + 5)

    def digests() -> list[Message]:
        return [message for message in slack.messages if message.text.startswith("Daily digest")]

    async def told() -> None:
        await eventually(lambda: len(digests()) == 1)
        await looked()

    await tell_the_day(clock, looked)
    assert digests() == []
    clock.at += timedelta(seconds=1)
    await tell_the_day(clock, told)
    await tell_the_day(clock, looked)
    (message,) = digests()
    assert message.text.startswith(f"Daily digest {today:%Y-%m-%d}: 2 told, 2 muted; KRW-ETH")
    assert "2, 1 of them still open" in str(message.blocks)
