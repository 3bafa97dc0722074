from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.consumer.decode import read_batch
from shared import canary
from shared.events import Trade
from shared.partitioning import partition_of, symbol_key
from shared.topics import TRADES
from shared.wire import HEADERS_OF_EVENT, UnknownSchema, encode

HOME = partition_of(symbol_key("binance", "BTCUSDT"), TRADES.partitions)
KEY = (TRADES.name, HOME)


@dataclass
class Record:
    offset: int
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = tuple(HEADERS_OF_EVENT[Trade])
    timestamp: int = 17


def admit_all(_: object) -> None:
    return None


def test_records_become_a_slice_from_the_position_to_behind_the_last(make_trade: Callable[..., Trade]) -> None:
    trades = [make_trade(1), make_trade(2)]
    records = [Record(10, encode(trades[0])), Record(13, encode(trades[1]))]

    batch, poison = read_batch({KEY: records}, {KEY: 8}, admit_all)

    (piece,) = batch.slices
    assert (piece.topic, piece.partition, piece.first_offset, piece.next_offset) == (*KEY, 8, 14)
    assert piece.offsets == [10, 13]
    assert piece.events == trades
    assert poison == []


def test_the_unreadable_are_told_apart_and_the_rest_goes_on(make_trade: Callable[..., Trade]) -> None:
    good = encode(make_trade(1))
    records = [
        Record(0, b"{"),
        Record(1, None),
        Record(2, good, []),
        Record(3, good),
        Record(4, encode(make_trade(1, price="NaN"))),
        Record(5, good, [("schema", b"ticker/1")]),
    ]

    batch, poison = read_batch({KEY: records}, {KEY: 0}, admit_all)

    assert batch.slices[0].offsets == [3]
    assert batch.slices[0].next_offset == 6
    assert [(p.topic, p.partition, p.offset) for p in poison] == [(*KEY, offset) for offset in (0, 1, 2, 4, 5)]
    assert poison[0].value == b"{"
    assert poison[0].taken_at_ms == 17
    assert poison[1].reason == "the record has no value"
    assert poison[2].schema is None
    assert poison[4].schema == "ticker/1"


def test_headers_in_another_order_or_company_are_read_too(make_trade: Callable[..., Trade]) -> None:
    headers = [("traceparent", b"00"), ("schema", b"trade/1")]
    records = [Record(0, encode(make_trade(1))), Record(1, encode(make_trade(2)), headers)]

    batch, poison = read_batch({KEY: records}, {KEY: 0}, admit_all)

    assert (batch.slices[0].offsets, poison) == ([0, 1], [])


def test_a_slice_can_hold_nothing_but_unreadable_records() -> None:
    batch, poison = read_batch({KEY: [Record(5, b"?")]}, {KEY: 5}, admit_all)

    assert (batch.slices[0].events, batch.slices[0].next_offset, len(poison)) == ([], 6, 1)


def test_what_the_sink_refuses_is_poison_with_its_reason(make_trade: Callable[..., Trade]) -> None:
    records = [Record(0, encode(make_trade(1))), Record(1, encode(make_trade(2)))]

    batch, poison = read_batch({KEY: records}, {KEY: 0}, lambda event: "too odd" if event.trade_id == "1" else None)

    assert batch.slices[0].offsets == [1]
    assert [(p.offset, p.reason) for p in poison] == [(0, "too odd")]


def test_a_symbol_in_a_foreign_partition_would_lose_its_order(make_trade: Callable[..., Trade]) -> None:
    foreign = (TRADES.name, (HOME + 1) % TRADES.partitions)

    batch, poison = read_batch({foreign: [Record(0, encode(make_trade(1)))]}, {foreign: 0}, admit_all)

    assert batch.slices[0].events == []
    assert poison[0].reason == f"its symbol belongs to partition {HOME}"


def test_another_major_version_stops_everything(make_trade: Callable[..., Trade]) -> None:
    records = [Record(0, encode(make_trade(1))), Record(1, b"{}", [("schema", b"trade/2")])]

    with pytest.raises(UnknownSchema, match="trade/2"):
        read_batch({KEY: records}, {KEY: 0}, admit_all)


@given(st.lists(st.binary(max_size=60), min_size=1, max_size=20))
def test_whatever_the_bytes_every_record_is_an_event_or_poison(values: list[bytes]) -> None:
    records = [Record(offset, value) for offset, value in enumerate(values)]

    batch, poison = read_batch({KEY: records}, {KEY: 0}, admit_all)

    assert sorted(batch.slices[0].offsets + [p.offset for p in poison]) == list(range(len(values)))


def test_what_goes_round_beside_the_market_is_passed_over(make_trade: Callable[..., Trade]) -> None:
    home = partition_of(symbol_key(canary.EXCHANGE, canary.SYMBOL), TRADES.partitions)
    beside = next(f"C{n}USDT" for n in range(99) if partition_of(f"binance:C{n}USDT", TRADES.partitions) == home)
    real = [make_trade(number, symbol=beside) for number in (1, 2)]
    going_round = make_trade(3, exchange=canary.EXCHANGE, symbol=canary.SYMBOL)
    records = [Record(offset, encode(trade)) for offset, trade in enumerate((real[0], going_round, real[1]))]

    batch, poison = read_batch({(TRADES.name, home): records}, {(TRADES.name, home): 0}, admit_all)

    assert (batch.slices[0].events, batch.slices[0].offsets, batch.slices[0].next_offset) == (real, [0, 2], 3)
    assert poison == []
