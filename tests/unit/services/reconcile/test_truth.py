"""The truth log is read line by line; a line that is none is named."""

import json

import pytest

from services.reconcile.truth import read_truth
from shared.errors import WrongUse

TRADE = {
    "exchange": "upbit",
    "channel": "trade",
    "symbol": "KRW-BTC",
    "trade_id": "17583",
    "price": "93421000",
    "quantity": "0.00123",
    "side": "buy",
    "traded_at_us": 1_700_000_000_000_000,
    "published_at_us": 1_700_000_000_500_000,
}


def line(**changes: object) -> bytes:
    return json.dumps(TRADE | changes).encode()


def test_a_line_without_heard_was_heard() -> None:
    truth = read_truth([line(), line(trade_id="17584", heard=0)])
    trades = truth.trades["upbit", "KRW-BTC"]
    assert [(state.order, state.heard) for state in trades.values()] == [(0, True), (1, False)]
    assert truth.published == {"trade": 2, "ticker": 0, "orderbook": 0}
    assert truth.first_traded_us == TRADE["traded_at_us"]


def test_an_exchange_that_repeats_itself_has_published_one_trade() -> None:
    truth = read_truth([line(), line()])
    assert list(truth.trades["upbit", "KRW-BTC"]) == ["17583"]


def test_seconds_are_from_the_first_publication_to_the_last() -> None:
    assert read_truth([line(), line(published_at_us=1_700_000_002_000_000)]).seconds == 1.5
    assert read_truth([]).seconds == 0


@pytest.mark.parametrize("bad", [b"{", b"[]", line(channel="candle"), line(published_at_us="now"), b"\xff"])
def test_a_line_that_is_none_is_named(bad: bytes) -> None:
    with pytest.raises(WrongUse, match="line 2 of the truth log"):
        read_truth([line(), bad])
