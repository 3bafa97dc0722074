"""What the board knows of a market."""

import pytest

from services.alert_worker.board import Board
from services.alert_worker.messages.message import NO_FACTS
from shared.events import Instrument, Ticker
from shared.wire import encode


def ticker(exchange: str, symbol: str, price: str, window: str = "rolling_24h") -> tuple[bytes, bytes]:
    event = Ticker(
        exchange=exchange, symbol=symbol, base="x", quote="x", price=price, window=window, open=price, high="9",
        low="1", volume_24h="1", turnover_24h="1", event_at_us=1, received_at_us=1,
    )  # type: ignore[arg-type]  # fmt: skip
    return f"{exchange}:{symbol}".encode(), encode(event)


def listing(exchange: str, symbol: str, **more: object) -> tuple[bytes, bytes]:
    event = Instrument(exchange=exchange, symbol=symbol, base="x", quote="x", status="trading", updated_at_us=1, **more)  # type: ignore[arg-type]
    return f"{exchange}:{symbol}".encode(), encode(event)


@pytest.fixture
def board() -> Board:
    board = Board()
    board.put_instrument(*listing("upbit", "KRW-BTC", korean_name="비트코인", warning=True, cautions=["A"]))
    board.put_instrument(*listing("binance", "BTCUSDT"))
    board.put_ticker(*ticker("upbit", "KRW-BTC", "91800000", "utc_day"))
    board.put_ticker(*ticker("upbit", "KRW-USDT", "1350"))
    board.put_ticker(*ticker("binance", "BTCUSDT", "66666.67"))
    return board


def test_facts_of_a_market(board) -> None:
    facts = board.facts("upbit", "KRW-BTC", "BTC")
    assert (facts.korean_name, facts.has_warning, facts.cautions) == ("비트코인", True, ("A",))
    assert (facts.low, facts.high, facts.range_is_utc_day, facts.gap_pct) == ("1", "9", True, "2.00")


def test_the_korean_name_of_a_coin_is_known_on_the_other_exchange_too(board) -> None:
    facts = board.facts("binance", "BTCUSDT", "BTC")
    assert (facts.korean_name, facts.has_warning, facts.range_is_utc_day) == ("비트코인", False, False)


def test_korean_names_are_known_by_coin(board) -> None:
    markets = [("binance", "BTCUSDT", "BTC"), ("upbit", "KRW-NEW", "NEW"), (None, None, None)]
    assert board.korean_names(markets) == {"BTC": "비트코인"}


def test_two_coins_that_share_a_name_are_not_compared(board) -> None:
    board.put_ticker(*ticker("binance", "BTCUSDT", "2"))
    assert board.facts("upbit", "KRW-BTC", "BTC").gap_pct is None
    board.put_ticker(*ticker("binance", "BTCUSDT", "0"))
    assert board.facts("upbit", "KRW-BTC", "BTC").gap_pct is None


def test_what_is_unknown_or_unreadable_is_left_out(board) -> None:
    assert board.facts("upbit", "KRW-NEW", "NEW") == NO_FACTS
    assert board.facts(None, None) == NO_FACTS
    board.put_ticker(b"upbit:KRW-BTC", b"{")
    assert board.facts("upbit", "KRW-BTC", "BTC").low is None


def test_markets_are_counted_by_exchange(board) -> None:
    board.put_instrument(*listing("upbit", "KRW-ETH"))
    board.put_instrument(b"upbit:KRW-OLD", listing("upbit", "KRW-OLD")[1].replace(b"trading", b"gone"))
    assert board.markets() == {"upbit": 2, "binance": 1}
