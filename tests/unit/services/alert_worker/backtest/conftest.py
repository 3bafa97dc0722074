"""Prices minute by minute, and the series that they make."""

from collections.abc import Callable, Sequence

import pytest

from services.alert_worker.backtest.minutes import MINUTE_US, Minute, as_trades
from services.alert_worker.backtest.series import Series
from services.alert_worker.records import Market
from shared.events import Trade

BITCOIN = Market("binance", "BTCUSDT", "BTC", "USDT")
START_US = 28_000_000 * MINUTE_US


def minutes_through(closes: Sequence[float], volume: float = 4.0) -> list[Minute]:
    """One minute a close, each opening where the one before closed."""
    opens = [closes[0], *closes[:-1]]
    return [
        Minute(
            START_US + number * MINUTE_US,
            *(f"{price:.2f}" for price in (opened, max(opened, close), min(opened, close), close)),  # type: ignore[arg-type]
            volume=volume,
        )
        for number, (opened, close) in enumerate(zip(opens, closes, strict=True))
    ]


@pytest.fixture
def trades_through() -> Callable[[Sequence[float]], list[Trade]]:
    """Trades of bitcoin through these closes of minutes."""
    return lambda closes: list(as_trades(minutes_through(closes), BITCOIN))


@pytest.fixture
def series_through(trades_through: Callable[[Sequence[float]], list[Trade]]) -> Callable[[Sequence[float]], Series]:
    """The same, as they are seen."""

    def see(closes: Sequence[float]) -> Series:
        series = Series("binance", "BTCUSDT", "USDT")
        for trade in trades_through(closes):
            series.add(trade)
        return series

    return see


@pytest.fixture
def start_us() -> int:
    """When the first minute opens."""
    return START_US
