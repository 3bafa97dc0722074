"""What the truth log says is what the frames say, in every format and for every kind of record."""

import json
from decimal import Decimal
from typing import Any

import pytest

from services.simulator.binance import encode as binance
from services.simulator.market.instruments import listing
from services.simulator.market.market import Market
from services.simulator.market.records import Book, Record, Ticker, Trade
from services.simulator.scenarios import SCENARIOS
from services.simulator.truth_text import truth_text
from services.simulator.upbit import encode as upbit

EPOCH_MS = 1_700_000_000_000


@pytest.fixture(scope="module")
def records() -> list[Record]:
    market = Market(listing(40), 5_000.0, 3, SCENARIOS["flash-crash"], EPOCH_MS)
    return [*market.open(), *filter(None, (market.tell() for _ in range(6_000)))]


def exactly(text: str | bytes) -> Any:
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


def truth(record: Record, depth: int = 30) -> dict[str, Any]:
    return dict(json.loads("{" + truth_text(record, depth) + "}"))


def decimals(texts: list[Any]) -> list[Decimal]:
    return [Decimal(text) for text in texts]


def pairs(levels: list[Any]) -> list[tuple[Decimal, ...]]:
    return [tuple(decimals(level)) for level in levels]


UPBIT_KEYS = {
    "DEFAULT": ("trade_price", "trade_volume", "ask_bid", "trade_timestamp", "sequential_id", "orderbook_units",
                "ask_price", "ask_size", "bid_price", "bid_size", "opening_price", "high_price", "low_price",
                "acc_trade_volume_24h", "acc_trade_price_24h", "timestamp"),
    "SIMPLE": ("tp", "tv", "ab", "ttms", "sid", "obu", "ap", "as", "bp", "bs", "op", "hp", "lp", "atv24h", "atp24h",
               "tms"),
}  # fmt: skip


@pytest.mark.parametrize("told_format", upbit.FORMATS)
def test_upbit_frames_say_what_the_truth_says(records: list[Record], told_format: str) -> None:
    keys = dict(zip(UPBIT_KEYS["DEFAULT"], UPBIT_KEYS[told_format.removesuffix("_LIST").replace("JSON", "DEFAULT")],
                    strict=True))  # fmt: skip
    compared = 0
    for record in records:
        if record.instrument.exchange != "upbit":
            continue
        frame = exactly(upbit.encode(record, upbit.Variant(told_format)))
        body = frame[0] if told_format.endswith("_LIST") else frame
        say, said = (lambda name, body=body: body[keys[name]]), truth(record)
        if isinstance(record, Trade):
            assert [say("trade_price"), say("trade_volume")] == decimals([said["price"], said["quantity"]])
            assert (str(say("sequential_id")), say("ask_bid") == "BID") == (said["trade_id"], said["side"] == "buy")
            assert say("trade_timestamp") * 1000 == said["traded_at_us"]
        elif isinstance(record, Ticker):
            names = ("trade_price", "opening_price", "high_price", "low_price", "acc_trade_volume_24h",
                     "acc_trade_price_24h")  # fmt: skip
            told = ("price", "open", "high", "low", "volume_24h", "turnover_24h")
            assert [say(name) for name in names] == decimals([said[name] for name in told])
            assert say("timestamp") * 1000 == said["event_at_us"]
        elif isinstance(record, Book):
            units = say("orderbook_units")
            assert len(units) == 30
            asks = [(unit[keys["ask_price"]], unit[keys["ask_size"]]) for unit in units]
            bids = [(unit[keys["bid_price"]], unit[keys["bid_size"]]) for unit in units]
            assert [level for level in asks if any(level)] == pairs(said["asks"])
            assert [level for level in bids if any(level)] == pairs(said["bids"])
        compared += 1
    assert compared > 2_000


@pytest.mark.parametrize("micros", [False, True])
def test_binance_frames_say_what_the_truth_says(records: list[Record], micros: bool) -> None:
    scale = 1 if micros else 1_000
    compared = 0
    for record in records:
        if record.instrument.exchange != "binance":
            continue
        symbol = record.instrument.symbol.lower()
        kind = {Trade: "trade", Ticker: "ticker", Book: "depth20@100ms"}[type(record)]
        frame = json.loads(binance.encode(record, binance.Variant(f"{symbol}@{kind}", True, micros)))
        assert frame["stream"] == f"{symbol}@{kind}"
        body, said = frame["data"], truth(record, 20)
        if isinstance(record, Trade):
            assert decimals([body["p"], body["q"]]) == decimals([said["price"], said["quantity"]])
            assert (str(body["t"]), body["m"]) == (said["trade_id"], said["side"] == "sell")
            assert body["T"] * scale == said["traded_at_us"]
        elif isinstance(record, Ticker):
            names = ("c", "o", "h", "l", "v", "q", "b", "B", "a", "A")
            told = ("price", "open", "high", "low", "volume_24h", "turnover_24h", "bid_price", "bid_quantity",
                    "ask_price", "ask_quantity")  # fmt: skip
            assert decimals([body[name] for name in names]) == decimals([said[name] for name in told])
            assert body["E"] * scale == said["event_at_us"]
        elif isinstance(record, Book):
            assert pairs(body["bids"]) == pairs(said["bids"])
            assert pairs(body["asks"]) == pairs(said["asks"])
            assert body["lastUpdateId"] == said["sequence"]
            assert "s" not in body
        compared += 1
    assert compared > 2_000


def test_a_book_is_cut_to_the_depth_that_was_heard(records: list[Record]) -> None:
    book = next(record for record in records if isinstance(record, Book) and len(record.asks) == 30)
    assert len(truth(book, 5)["asks"]) == len(truth(book, 5)["bids"]) == 5
    assert truth(book, 5)["bids"] == truth(book, 20)["bids"][:5]
