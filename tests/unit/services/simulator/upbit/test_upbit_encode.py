import json

import pytest

from services.simulator.market.instruments import listing
from services.simulator.market.records import Book, Trade
from services.simulator.upbit.encode import Variant, encode

INSTRUMENT = listing(1)[0]
MINUTE_MS = 1_700_000_040_000


def trade(**changes: int) -> Trade:
    numbers = {
        "trade_id": 17_000_000_400_000_001, "price": 116_539_000, "quantity": 77_720, "traded_ms": MINUTE_MS,
        "event_ms": MINUTE_MS + 50, "previous_close": 116_539_000, "bid": 116_538_000, "bid_quantity": 79_276,
        "ask": 116_539_000, "ask_quantity": 5,
    } | changes  # fmt: skip
    return Trade(instrument=INSTRUMENT, is_buy=True, **numbers)


def test_default_spells_large_prices_with_an_exponent_and_keeps_zeros_in_sizes() -> None:
    text = encode(trade(), Variant("DEFAULT")).decode()
    assert '"trade_price":1.16539E8,' in text
    assert '"trade_volume":0.00077720,' in text
    assert '"change":"EVEN","change_price":0E-8,' in text


def test_simple_spells_plain_prices_and_small_sizes_with_an_exponent() -> None:
    text = encode(trade(), Variant("SIMPLE")).decode()
    assert '"tp":116539000.0,' in text
    assert '"tv":7.772E-4,' in text
    assert '"sid":17000000400000001,' in text


@pytest.mark.parametrize(
    ("traded_ms", "clock"), [(MINUTE_MS, "22:14"), (MINUTE_MS + 999, "22:14"), (MINUTE_MS + 1_000, "22:14:01")]
)
def test_a_trade_on_a_whole_minute_has_no_seconds(traded_ms: int, clock: str) -> None:
    assert json.loads(encode(trade(traded_ms=traded_ms), Variant()))["trade_time"] == clock


def test_a_snapshot_says_so_and_spells_the_same_price_otherwise() -> None:
    text = encode(trade(), Variant(snapshot=True)).decode()
    assert '"stream_type":"SNAPSHOT"' in text
    assert '"trade_price":116539000.00000000,' in text


def test_the_list_formats_wrap_the_same_object() -> None:
    assert encode(trade(), Variant("JSON_LIST")) == b"[" + encode(trade(), Variant("DEFAULT")) + b"]"
    assert encode(trade(), Variant("SIMPLE_LIST")) == b"[" + encode(trade(), Variant("SIMPLE")) + b"]"


def test_a_thin_side_is_filled_up_with_zeros() -> None:
    book = Book(INSTRUMENT, MINUTE_MS, 1, [5_000, 4_000, 3_000], [1, 2, 3], [6_000], [9])
    units = json.loads(encode(book, Variant(levels=5)))["orderbook_units"]
    assert [(unit["ask_price"], unit["bid_price"]) for unit in units] == [
        (6000, 5000),
        (0, 4000),
        (0, 3000),
        (0, 0),
        (0, 0),
    ]
