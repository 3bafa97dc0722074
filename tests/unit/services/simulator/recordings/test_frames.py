import json
from typing import Any

from services.simulator.binance.encode import Variant
from services.simulator.recordings.frames import Frame, read_frame


def frame(exchange: str, body: Any) -> Frame:
    found = read_frame(exchange, json.dumps(body, separators=(",", ":")), 1.5)
    assert found is not None
    return found


def said(found: Frame) -> dict[str, Any]:
    return dict(json.loads("{" + found.truth(5) + "}"))


def test_an_upbit_trade_in_short_keys() -> None:
    text = ('{"ty":"trade","cd":"BTC-CHZ","tms":3,"ttms":2,"tp":2.1E-7,"tv":10.50,"ab":"ASK","pcp":0.00000021,'
            '"c":"EVEN","cp":0E-8,"sid":16176466200000001,"st":"REALTIME"}')  # fmt: skip
    found = read_frame("upbit", text, 0.0)
    assert found is not None
    assert found.key == ("upbit", "trade", "BTC-CHZ")
    assert found.payload(Variant("x")) == text.encode()
    assert said(found) == {"trade_id": "16176466200000001", "price": "0.00000021", "quantity": "10.50", "side": "sell",
                           "traded_at_us": 2000}  # fmt: skip


def test_an_upbit_book_without_its_empty_slots() -> None:
    found = frame("upbit", {"type": "orderbook", "code": "KRW-A", "timestamp": 5, "orderbook_units": [
        {"ask_price": 2, "bid_price": 1, "ask_size": 3, "bid_size": 4},
        {"ask_price": 0, "bid_price": 0.5, "ask_size": 0.0, "bid_size": 1}]})  # fmt: skip
    assert said(found) == {
        "bids": [["1", "4"], ["0.5", "1"]],
        "asks": [["2", "3"]],
        "sequence": None,
        "event_at_us": 5000,
    }


def test_binance_trades_and_aggregates_have_names_of_their_own() -> None:
    trade = {"e": "trade", "E": 9, "s": "BTCUSDT", "t": 5, "p": "1.00", "q": "2.00", "T": 8, "m": True, "M": True}
    found = frame("binance", {"stream": "btcusdt@trade", "data": trade})
    assert (found.key, said(found)["trade_id"], said(found)["side"]) == (("binance", "trade", "BTCUSDT"), "5", "sell")
    found = frame("binance", {"stream": "btcusdt@aggTrade", "data": trade | {"a": 77, "m": False}})
    assert (found.key, said(found)["trade_id"], said(found)["side"]) == (
        ("binance_agg", "trade", "BTCUSDT"),
        "77",
        "buy",
    )


def test_a_raw_subscriber_gets_what_is_inside_the_wrapper() -> None:
    data = {"e": "trade", "E": 9, "s": "B", "t": 5, "p": "1", "q": "2", "T": 8, "m": True, "M": True}
    found = frame("binance", {"stream": "b@trade", "data": data})
    assert json.loads(found.payload(Variant("b@trade", combined=False))) == data


def test_what_is_not_read_is_not_played() -> None:
    assert read_frame("upbit", '{"status":"UP"}', 0.0) is None
    assert read_frame("binance", '{"stream":"btcusdt@bookTicker","data":{}}', 0.0) is None
