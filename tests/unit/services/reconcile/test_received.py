"""What was received, told as if the exchange had written a truth log."""

import msgspec

from services.reconcile.facts import TICKER_NUMBERS, TICKER_QUOTES, book_facts, ticker_facts, trade_facts
from services.reconcile.received import line
from services.reconcile.truth import read_truth
from shared.events import OrderBook, Ticker, Trade

MARKET = {"exchange": "binance", "symbol": "BTCUSDT", "base": "BTC", "quote": "USDT", "received_at_us": 70}
TRADE = {"trade_id": "17", "price": "1.50", "quantity": "0.1", "side": "sell", "traded_at_us": 60}
PRICES = {"price": "3", "open": "1", "high": "4", "low": "0.5", "volume_24h": "9", "turnover_24h": "27"}
TICKER = {**PRICES, "window": "rolling_24h", "event_at_us": 61, "bid_price": "2", "bid_quantity": "1"}
BOOK = {"bids": [("2", "1")], "asks": [("3", "1"), ("4", "2")], "sequence": 8}


def test_a_received_event_is_a_line_of_a_truth_log_with_all_its_facts() -> None:
    trade, ticker = msgspec.convert(MARKET | TRADE, Trade), msgspec.convert(MARKET | TICKER, Ticker)
    book = msgspec.convert(MARKET | BOOK, OrderBook)
    truth = read_truth([line("trade", trade), line("ticker", ticker), line("orderbook", book)])
    [told] = truth.trades["binance", "BTCUSDT"].values()
    assert told.facts == trade_facts(trade.price, trade.quantity, trade.side, trade.traded_at_us)
    assert (told.published_at_us, told.heard) == (70, True)
    [told] = truth.tickers["binance", "BTCUSDT"]
    assert told.facts == ticker_facts(61, [getattr(ticker, name) for name in TICKER_NUMBERS + TICKER_QUOTES])
    [told] = truth.books["binance", "BTCUSDT"]
    assert told.facts == book_facts(8, None, book.bids, book.asks)


def test_a_run_begins_with_the_earliest_line_wherever_it_stands() -> None:
    trades = [msgspec.convert(MARKET | TRADE | {"received_at_us": us}, Trade) for us in (50, 20, 90)]
    truth = read_truth([line("trade", trade) for trade in trades])
    assert (truth.first_at_us, truth.last_at_us) == (20, 90)
