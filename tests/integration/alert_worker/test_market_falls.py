"""Three hundred markets fall together, trade by trade: what people get of it, and when."""

import asyncio
import random
from collections.abc import Callable

import pytest

from shared.clock import now_us
from shared.events import Candle, Trade
from shared.partitioning import partition_of, symbol_key
from shared.topics import CANDLES
from shared.wire import HEADERS_OF_EVENT, encode

MARKETS = [f"KRW-C{number:03}" for number in range(300)]
CALM_S, FALL_S, LASTS_S = 4.0, 12.0, 22.0
STEPS_A_SECOND = 4
DEEP = 0.06


def begins_s(place: int) -> float:
    """Three go ahead, one after the other; all others within three seconds."""
    return CALM_S + 0.7 * place if place < 3 else CALM_S + 2.5 + place / 100


def price(place: int, at_s: float) -> str:
    share = min(1.0, max(0.0, (at_s - begins_s(place)) / FALL_S))
    return str(round(1_000_000 * (1 - DEEP * share)))


def trade(place: int, step: int, began_us: int) -> Trade:
    at_us = began_us + step * 1_000_000 // STEPS_A_SECOND + place * 100
    return Trade(
        exchange="upbit", symbol=MARKETS[place], base=MARKETS[place][4:], quote="KRW", trade_id=str(step + 1),
        price=price(place, step / STEPS_A_SECOND), quantity="10", side="sell", traded_at_us=at_us,
        received_at_us=at_us + 12_000,
    )  # fmt: skip


@pytest.fixture
async def quiet_past(producer) -> None:
    """An hour of quiet minutes of each market, so that their volatility is known."""
    rng, now = random.Random(1), now_us()
    for symbol in MARKETS:
        key = symbol_key("upbit", symbol)
        for back in range(1, 61):
            close = str(round(1_000_000 * (1 + rng.gauss(0, 0.0004))))
            candle = Candle(
                exchange="upbit", symbol=symbol, base=symbol[4:], quote="KRW",
                opened_at_us=(now // 60_000_000 - back) * 60_000_000, open=close, high=close, low=close, close=close,
                volume="800", turnover="800000000", received_at_us=now,
            )  # fmt: skip
            await producer.send(
                CANDLES.name, encode(candle), key.encode(), partition_of(key, CANDLES.partitions),
                headers=HEADERS_OF_EVENT[Candle],
            )  # fmt: skip
    await producer.flush()


@pytest.fixture
def falls(publish) -> Callable[[], asyncio.Task[None]]:
    """Lets them fall, live."""

    async def run() -> None:
        began_us = now_us()
        for step in range(int(LASTS_S * STEPS_A_SECOND)):
            await asyncio.sleep(max(0.0, (began_us + step * 1_000_000 / STEPS_A_SECOND - now_us()) / 1e6))
            await publish(trade(place, step, began_us) for place in range(len(MARKETS)))

    return lambda: asyncio.create_task(run())


@pytest.mark.long
@pytest.mark.timeout(200)  # the details are paced
async def test_three_hundred_that_fall_from_warning_to_danger_are_a_handful_of_messages(
    worker, slack, quiet_past, falls, alerts, eventually
) -> None:
    await worker.start()
    await worker.watching()
    falling = falls()
    await eventually(lambda: any("markets fall" in message.text for message in slack.parents))
    group = next(message for message in slack.parents if "markets fall" in message.text)

    def in_thread() -> str:
        return str([message.blocks for message in slack.messages if message.thread_ts == group.ts])

    await falling
    await eventually(lambda: all(symbol in in_thread() for symbol in MARKETS))
    decided = [alert for alert in await alerts() if alert.suppressed_by is None]
    assert {alert.severity for alert in decided if alert.scope == "symbol"} == {"warning", "danger"}
    storm_us = min(alert.decided_at_us for alert in decided if alert.scope == "market")
    assert float(group.ts) - storm_us / 1e6 < 5
    first = min(float(message.ts) for message in slack.messages)
    in_a_minute = [message for message in slack.messages if float(message.ts) < first + 60]
    assert len(in_a_minute) <= 5, [message.text for message in in_a_minute]
    assert "DANGER" in group.text
    assert slack.workspace.counts["rejected"] == slack.workspace.counts["rate_limited"] == 0
