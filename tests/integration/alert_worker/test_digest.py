"""The daily digest from what is on Kafka, gathered in a process of its own."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from services.alert_worker.digest.request import DigestRequest
from services.alert_worker.herald import gather
from shared.clock import now_us
from shared.events import Alert, FeedEvent, Trade
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
    for number, (state, suppressed) in enumerate((("open", None), ("resolve", None), ("open", "mute"))):
        alert = Alert(
            alert_id=f"e{number}-{state}", episode_id=f"e{number}", state=state, kind="move", detectors=["move"],
            scope="symbol", direction="down", severity="danger", started_at_us=now, decided_at_us=now,
            rule_version="x", exchange="upbit", symbol="KRW-DOGE", suppressed_by=suppressed,
        )  # type: ignore[arg-type]  # fmt: skip
        await producer.send_and_wait(ALERTS.name, encode(alert), headers=HEADERS_OF_EVENT[Alert])
    for to_us in (now, None):
        gap = FeedEvent(kind="gap", exchange="upbit", reason="x", at_us=now, from_us=now - 1, to_us=to_us)
        await producer.send_and_wait(FEED.name, encode(gap), headers=HEADERS_OF_EVENT[FeedEvent])


async def test_the_day_is_told(a_day, gathered) -> None:
    digest = await gathered()
    assert digest is not None
    assert [(one.symbol, one.change_pct) for one in digest.movers] == [("KRW-ETH", "-10.00"), ("KRW-BTC", "5.00")]
    assert (digest.fired, digest.muted, digest.muted_symbols) == (1, 1, ["KRW-DOGE"])
    assert (digest.gaps, digest.open_gaps, digest.missing) == (2, 1, None)
    assert 0 <= digest.ages_s["upbit"] < 600


async def test_without_data_of_the_day_it_is_of_the_last_good_one_and_says_so(a_day, gathered) -> None:
    digest = await gathered(days_ahead=2)
    today, wanted = (f"{datetime.now(UTC) + timedelta(days=days):%Y-%m-%d}" for days in (0, 2))
    assert digest is not None
    assert (digest.day, digest.missing) == (today, wanted)


async def test_before_the_first_trade_there_is_nothing_to_tell(gathered) -> None:
    assert await gathered() is None
