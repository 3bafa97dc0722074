"""Real months: calm ones stay calm, known crashes are told no later than by a fixed rule, bad prints raise nothing."""

import csv
import gzip
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import pytest

from shared.events import Alert, Trade

pytestmark = [pytest.mark.needs_recordings, pytest.mark.timeout(180)]


class Minute(NamedTuple):
    """One candle."""

    at_us: int
    open: str
    high: str
    low: str
    close: str
    volume: float


@pytest.fixture
def read_minutes() -> Callable[[str], list[Minute]]:
    """Candles of a file below the recordings' ``history`` folder."""
    named = os.environ.get("TAPEWATCH_RECORDINGS")
    folder = Path(named) if named else Path(__file__).parents[5] / "shared" / "recordings"
    if not folder.is_dir():
        pytest.skip("needs_recordings")

    def read(name: str) -> list[Minute]:
        with gzip.open(folder / "history" / name, "rt", encoding="utf-8-sig") as lines:
            return [_minute(row) for row in csv.DictReader(lines)]

    return read


def _minute(row: dict[str, str]) -> Minute:
    if "timestamp_ms" in row:
        at_us = int(row["timestamp_ms"]) * 1000
    else:
        at_us = int(datetime.fromisoformat(row["timestamp"]).replace(tzinfo=UTC).timestamp()) * 1_000_000
    prices = (format(Decimal(row[name]), "f") for name in ("open", "high", "low", "close"))
    return Minute(at_us, *prices, float(row["volume"]))


def as_trades(minutes: list[Minute], prints: int = 3) -> Iterator[Trade]:
    """Each minute's four prices in the likelier order, `prints` trades of each, fifteen seconds apart."""
    number = 0
    for minute in minutes:
        falls = Decimal(minute.close) < Decimal(minute.open)
        middle = (minute.high, minute.low) if falls else (minute.low, minute.high)
        for place, price in enumerate((minute.open, *middle, minute.close)):
            for again in range(prints):
                number += 1
                at_us = minute.at_us + place * 15_000_000 + again * 400_000
                yield Trade(
                    exchange="binance", symbol="BTCUSDT", base="BTC", quote="USDT", trade_id=str(number), price=price,
                    quantity=f"{minute.volume / 4 / prints:.8f}", side="buy", traded_at_us=at_us,
                    received_at_us=at_us + 5_000,
                )  # fmt: skip


def fixed_rule(minutes: list[Minute]) -> Iterator[int]:
    """When a minute closes 2 % or more away from the close five minutes before."""
    closes = {minute.at_us: float(minute.close) for minute in minutes}
    for at_us, close in closes.items():
        before = closes.get(at_us - 300_000_000)
        if before and abs(close / before - 1) >= 0.02:
            yield at_us + 60_000_000


def day(minutes: list[Minute], date: str, days_before: int = 1) -> list[Minute]:
    noon_us = int(datetime.fromisoformat(date).replace(tzinfo=UTC).timestamp()) * 1_000_000
    return [m for m in minutes if noon_us - days_before * 86_400_000_000 <= m.at_us < noon_us + 86_400_000_000]


def opened(alerts: list[Alert]) -> list[Alert]:
    return [alert for alert in alerts if alert.state == "open"]


@pytest.mark.long
def test_a_calm_month_of_bitcoin_has_hardly_an_episode(read_minutes, watch) -> None:
    episodes = opened(watch(as_trades(read_minutes("binance_BTCUSDT_1m_2023-07.csv.gz"))))
    assert 1 <= len(episodes) <= 0.1 * 31


@pytest.mark.parametrize(
    ("name", "date"),
    [
        ("binance_BTCUSDT_1m_2020-03.csv.gz", "2020-03-12"),
        ("binance_BTCUSDT_1m_2021-05.csv.gz", "2021-05-19"),
        ("binance_BTCUSDT_1m_2024-08.csv.gz", "2024-08-05"),
    ],
)
def test_a_known_crash_is_told_no_later_than_by_a_fixed_rule(read_minutes, watch, name, date) -> None:
    minutes = day(read_minutes(name), date)
    begins_us = int(datetime.fromisoformat(date).replace(tzinfo=UTC).timestamp()) * 1_000_000
    fixed_us = next(at_us for at_us in fixed_rule(minutes) if at_us >= begins_us)
    told = [alert.event_at_us or 0 for alert in watch(as_trades(minutes)) if alert.state != "resolve"]
    after = [at_us for at_us in told if at_us >= begins_us]
    assert after
    assert min(after) <= fixed_us


def test_a_bad_print_of_one_cent_raises_nothing(read_minutes, watch) -> None:
    minutes = read_minutes("bitfinex_BTCUSD_1m_2013-04-15_2013-04-17.csv.gz")
    bad = [minute for minute in minutes if Decimal(minute.low) < 1]
    assert bad
    mended = [one._replace(low=min(one.open, one.close, key=Decimal)) if one in bad else one for one in minutes]
    told = [alert.alert_id for alert in watch(as_trades(minutes, prints=1))]
    assert told
    assert told == [alert.alert_id for alert in watch(as_trades(mended, prints=1))]
