from collections.abc import Callable
from typing import Any

import pytest

from shared.events import OrderBook, Ticker, Trade

AT_US = 1_790_000_000_000_000


@pytest.fixture
def make_trade() -> Callable[..., Trade]:
    """A valid trade of binance BTCUSDT; every field can be given."""

    def make(trade_id: int = 1, **fields: Any) -> Trade:
        given = {
            "exchange": "binance",
            "symbol": "BTCUSDT",
            "base": "BTC",
            "quote": "USDT",
            "trade_id": str(trade_id),
            "price": "60000.10",
            "quantity": "0.00100",
            "side": "buy",
            "traded_at_us": AT_US + trade_id,
            "received_at_us": AT_US + trade_id + 5,
        }
        return Trade(**(given | fields))

    return make


@pytest.fixture
def make_ticker() -> Callable[..., Ticker]:
    """A valid ticker of upbit KRW-BTC; every field can be given."""

    def make(**fields: Any) -> Ticker:
        given = {
            "exchange": "upbit",
            "symbol": "KRW-BTC",
            "base": "BTC",
            "quote": "KRW",
            "price": "93421000",
            "window": "utc_day",
            "open": "93000000",
            "high": "94000000",
            "low": "92000000",
            "volume_24h": "1000.5",
            "turnover_24h": "93000000000",
            "event_at_us": AT_US,
            "received_at_us": AT_US + 5,
        }
        return Ticker(**(given | fields))

    return make


@pytest.fixture
def make_book() -> Callable[..., OrderBook]:
    """A valid order book of binance BTCUSDT, which has a sequence and no time; every field can be given."""

    def make(**fields: Any) -> OrderBook:
        given = {
            "exchange": "binance",
            "symbol": "BTCUSDT",
            "base": "BTC",
            "quote": "USDT",
            "bids": [("60000.1", "1")],
            "asks": [("60000.2", "2")],
            "sequence": 7,
            "received_at_us": AT_US,
        }
        return OrderBook(**(given | fields))

    return make
