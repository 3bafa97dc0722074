"""A market's day: how far it went, and its most unusual minute."""

import random
from collections.abc import Iterator

import pytest

from services.alert_worker.digest.market_day import MarketDay, ranked
from services.alert_worker.digest.request import due
from shared.events import Trade

START_US = 1_700_006_400_000_000  # midnight, UTC


def trade(minute: float, price: float, symbol: str = "KRW-BTC") -> Trade:
    at_us = START_US + int(minute * 60e6)
    return Trade(
        exchange="upbit", symbol=symbol, base="BTC", quote="KRW", trade_id="1", price=f"{price:.0f}", quantity="1",
        side="buy", traded_at_us=at_us, received_at_us=at_us,
    )  # fmt: skip


def calm(minutes: int, shock_at: int | None = None, seed: int = 1) -> Iterator[Trade]:
    rng, price = random.Random(seed), 1e8
    for minute in range(minutes):
        price *= 1 + rng.gauss(0, 0.0004) - (0.01 if minute == shock_at else 0.0)
        yield trade(minute + 0.2, price)
        yield trade(minute + 0.7, price * 1.00001)


def day_of(trades: Iterator[Trade]) -> MarketDay:
    day = None
    for one in trades:
        day = day or MarketDay(one)
        day.add(one)
    assert day is not None
    return day


def test_the_most_unusual_minute_is_found() -> None:
    movers, unusual = ranked({("upbit", "KRW-BTC"): day_of(calm(600, shock_at=400))}, 10)
    (one,) = unusual
    assert movers == unusual
    assert one.minute_at_us == START_US + 400 * 60_000_000
    assert -1.2 < float(one.minute_pct or 0) < -0.8
    assert 99.9 < float(one.percentile or 0) < 100


def test_a_calm_day_has_an_ordinary_minute() -> None:
    _, (one,) = ranked({("upbit", "KRW-BTC"): day_of(calm(600))}, 10)
    assert float(one.percentile or 0) < 99.9


def test_a_short_day_has_none() -> None:
    movers, unusual = ranked({("upbit", "KRW-BTC"): day_of(calm(20))}, 10)
    assert unusual == []
    assert movers[0].percentile is None


def test_changes_are_exact_and_the_furthest_come_first() -> None:
    days = {("upbit", f"C{n}"): day_of(iter([trade(0, 1000), trade(1, 1000 + move)])) for n, move in
            enumerate((10, -300, 250))}  # fmt: skip
    movers, _ = ranked(days, 2)
    assert [(one.symbol, one.change_pct) for one in movers] == [("C1", "-30.00"), ("C2", "25.00")]


def test_a_late_trade_changes_neither_price_nor_minute() -> None:
    day = day_of(iter([trade(5, 1000), trade(6, 1100), trade(5.5, 9999)]))
    assert (day.last, day.trades) == ("1100", 3)


@pytest.mark.parametrize(
    ("at_us", "expected"),
    [
        (START_US + 10 * 60_000_000, ("2023-11-15", "2023-11-14")),
        (START_US + 9 * 60_000_000, None),
        (START_US + 14 * 3_600_000_000, ("2023-11-15", "2023-11-14")),
        (START_US + 16 * 3_600_000_000, None),
    ],
)
def test_it_is_due_from_ten_past_nine_in_korea_of_the_day_that_ended_at_nine(at_us, expected) -> None:
    found = due(at_us)
    assert (found and (found[0], found[1].day)) == expected
