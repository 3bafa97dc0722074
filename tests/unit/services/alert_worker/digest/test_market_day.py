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
    assert (one.percentile, one.minutes) == ("99.83", 600), "which is all of them but one"


def test_a_minute_of_one_step_is_no_larger_than_the_others_of_one_step() -> None:
    rng, price, trades = random.Random(2), 1e8, []
    for minute in range(1_440):
        price *= 1 + rng.choice((0, 0, 0, 0, 0, 0, 0, 0, 0.01, -0.01))
        trades.append(trade(minute, price))
    _, (one,) = ranked({("upbit", "KRW-X"): day_of(iter(trades))}, 10)
    assert 75 < float(one.percentile or 0) < 95, "every fifth minute moved by one per cent"


def test_a_large_minute_of_a_wild_hour_is_ranked_among_all_of_the_day() -> None:
    trades = [trade(n, 1e8 * (1 + 0.0001 * (n % 2))) for n in range(600)]
    trades.append(trade(600, 1.003e8))
    trades += [trade(601 + n, 1.003e8 * (1 + 0.0001 * 1.05**n * (n % 2))) for n in range(100)]
    _, (one,) = ranked({("upbit", "KRW-X"): day_of(iter(trades))}, 10)
    assert one.minute_at_us == START_US + 600 * 60_000_000
    assert 95 < float(one.percentile or 0) < 99, "it was the first large one, and not the largest"


def test_of_a_coin_on_several_exchanges_the_most_unusual_minute_is_told() -> None:
    here, there = day_of(calm(600, shock_at=400)), day_of(calm(600, seed=2))
    movers, unusual = ranked({("binance", "BTCUSDT"): there, ("upbit", "KRW-BTC"): here}, 10)
    assert len(movers) == 2
    assert [one.symbol for one in unusual] == ["KRW-BTC"]


@pytest.mark.parametrize("ratio", [0.0, 1e-9, 1e-6, 0.01, 5.0, 1e9])
def test_every_size_is_counted(ratio) -> None:
    trades = [trade(n, 1e7 * (1 + 1e-4 * (n % 2))) for n in range(60)]
    _, (one,) = ranked({("upbit", "KRW-X"): day_of(iter([*trades, trade(60, 1e7 * (1 + ratio))]))}, 10)
    assert 0 <= float(one.percentile or 0) < 100


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
