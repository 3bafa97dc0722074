import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import wire
from shared.events import Alert, DeadLetter, FeedEvent, OrderBook, Ticker, Trade

EVENT_TYPES = list(wire.SCHEMA_OF_EVENT)
name_of_type = pytest.mark.parametrize("event_type", EVENT_TYPES, ids=lambda one: one.__name__)

TRADE: dict[str, Any] = {
    "exchange": "upbit",
    "symbol": "KRW-BTC",
    "base": "BTC",
    "quote": "KRW",
    "trade_id": "17583920000000000",
    "price": "93421000",
    "quantity": "0.00123000",
    "side": "buy",
    "traded_at_us": 1_700_000_000_000_000,
    "received_at_us": 1_700_000_000_020_000,
}


def decoded(event_type: Any = Trade, **changes: Any) -> Any:
    return wire.decode(event_type, json.dumps(TRADE | changes).encode())


@name_of_type
@given(data=st.data())
def test_every_event_comes_back_as_it_went(event_type: Any, events: Any, data: st.DataObject) -> None:
    event = data.draw(events[event_type])
    value = wire.encode(event)
    assert wire.decode(event_type, value) == event
    assert json.loads(value)  # any console can show it


@name_of_type
@given(value=st.binary(max_size=300))
def test_any_bytes_give_an_invalid_record(event_type: Any, value: bytes) -> None:
    with pytest.raises(wire.InvalidRecord) as error:
        wire.decode(event_type, value)
    assert len(str(error.value)) <= 300


@name_of_type
@given(data=st.data())
def test_damaged_bytes_give_an_event_or_an_invalid_record(event_type: Any, events: Any, data: st.DataObject) -> None:
    value = bytearray(wire.encode(data.draw(events[event_type])))
    for _ in range(data.draw(st.integers(1, 4))):
        value[data.draw(st.integers(0, len(value) - 1))] = data.draw(st.integers(0, 255))
    try:
        event = wire.decode(event_type, bytes(value))
    except wire.InvalidRecord:
        return
    assert wire.decode(event_type, wire.encode(event)) == event


@name_of_type
@pytest.mark.parametrize("opening", [b"[", b'{"x":'], ids=["lists", "objects"])
def test_deep_nesting_in_an_unknown_key_is_an_invalid_record(event_type: Any, opening: bytes) -> None:
    with pytest.raises(wire.InvalidRecord):
        wire.decode(event_type, b'{"unknown":' + opening * 200_000)


def test_a_record_without_value_is_invalid() -> None:
    with pytest.raises(wire.InvalidRecord, match="no value"):
        wire.decode(Trade, None)


def test_fields_that_a_newer_writer_adds_are_ignored() -> None:
    assert decoded(liquidation=True) == decoded()


@pytest.mark.parametrize(
    "changes",
    [
        {"price": "NaN"},
        {"price": "1_000"},
        {"price": "１２"},
        {"price": "1e5"},
        {"price": "-1"},
        {"price": "0.00"},
        {"price": 93421000},
        {"price": "9" * 39},
        {"quantity": "0"},
        {"quantity": "0." + "0" * 18 + "1"},
        {"trade_id": "-1"},
        {"trade_id": "007"},
        {"trade_id": "9223372036854775808"},
        {"trade_id": "１２"},
        {"trade_id": 12},
        {"side": "BUY"},
        {"symbol": ""},
        {"symbol": "K" * 65},
        {"symbol": "KRW\0BTC"},
        {"traded_at_us": -1},
        {"traded_at_us": 10**30},
        {"traded_at_us": 1.5},
        {"origin": "rumour"},
    ],
    ids=str,
)
def test_a_trade_that_no_store_could_hold_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(wire.InvalidRecord):
        decoded(**changes)


_odd_text = st.text("0123456789. \n-eE１\0\\", max_size=24)


@given(
    st.lists(
        st.fixed_dictionaries({}, optional=dict.fromkeys(("price", "quantity", "trade_id", "symbol"), _odd_text)),
        max_size=5,
    )
)
def test_read_together_no_trade_gets_in_that_is_refused_alone(changes: list[dict[str, str]]) -> None:
    values = [json.dumps(TRADE | change).encode() for change in changes]
    together = wire.decode_all(Trade, values)
    if together is None:
        assert changes
    else:
        assert together == [wire.decode(Trade, value) for value in values]


@pytest.mark.parametrize(
    "changes",
    [
        {"price": "1 1", "quantity": "1"},
        {"price": "1 1 1\n1", "quantity": "1"},
        {"price": "0"},
        {"quantity": "0.000"},
        {"quantity": "0." + "0" * 17 + "10"},
        {"price": "01"},
        {"price": "1."},
        {"trade_id": "1\n"},
        {"trade_id": "9223372036854775808"},
        {"symbol": "KRW\0BTC"},
    ],
    ids=str,
)
def test_one_unsound_trade_among_sound_ones_is_noticed(changes: dict[str, Any]) -> None:
    values = [json.dumps(TRADE | change).encode() for change in ({}, changes, {})]
    assert wire.decode_all(Trade, values) is None
    assert wire.decode_all(Trade, [*values[:1], None]) is None


@name_of_type
@given(data=st.data())
def test_read_together_events_are_what_they_are_alone(event_type: Any, events: Any, data: st.DataObject) -> None:
    values = [wire.encode(event) for event in data.draw(st.lists(events[event_type], max_size=3))]
    together = wire.decode_all(event_type, values)
    assert together is None or together == [wire.decode(event_type, value) for value in values]


def test_what_exchanges_send_every_day_is_read_together() -> None:
    usual: list[dict[str, str]] = [
        {},
        {"price": "0.00000012", "trade_id": "3735683259"},
        {"price": "1", "quantity": "184.50000000"},
    ]
    events = wire.decode_all(Trade, [json.dumps(TRADE | change).encode() for change in usual])
    assert events is not None
    assert [event.price for event in events] == ["93421000", "0.00000012", "1"]


def test_the_spelling_of_nul_is_refused_and_a_backslash_is_not() -> None:
    event = FeedEvent(kind="gap", exchange="upbit", reason="the text \\u0000, not the character", at_us=1)
    assert wire.decode(FeedEvent, wire.encode(event)) == event
    with pytest.raises(wire.InvalidRecord, match="NUL"):
        wire.decode(FeedEvent, wire.encode(msgspec.structs.replace(event, reason="\\\0")))


def test_numbers_of_other_events_are_checked() -> None:
    book = OrderBook(
        exchange="b", symbol="s", base="a", quote="b", bids=[("1", "2")], asks=[("1e3", "2")], received_at_us=1
    )
    with pytest.raises(wire.InvalidRecord, match="level"):
        wire.decode(OrderBook, wire.encode(book))
    gap = FeedEvent(kind="gap", exchange="b", reason="", at_us=1, first_missing_id="seven")
    with pytest.raises(wire.InvalidRecord, match="missing id"):
        wire.decode(FeedEvent, wire.encode(gap))
    numbers = dict.fromkeys(("price", "open", "high", "low", "volume_24h", "turnover_24h"), "1")
    names = dict.fromkeys(("exchange", "symbol", "base", "quote"), "x")
    ticker = Ticker(**names, **numbers, window="utc_day", event_at_us=1, received_at_us=1, ask_price="Infinity")  # type: ignore[arg-type]
    with pytest.raises(wire.InvalidRecord, match="plain decimal"):
        wire.decode(Ticker, wire.encode(ticker))
    letter = DeadLetter(reason="", at_us=1, payload="", payload_bytes=1, reader="r", partition=1 << 31)
    with pytest.raises(wire.InvalidRecord, match="partition"):
        wire.decode(DeadLetter, wire.encode(letter))


@pytest.mark.parametrize(("change_pct", "sound"), [("-4.93", True), ("4.93", True), ("--1", False), ("1e2", False)])
def test_a_change_may_be_negative(change_pct: str, sound: bool) -> None:
    names = dict.fromkeys(("alert_id", "episode_id", "kind", "rule_version"), "x")
    times = {"started_at_us": 1, "decided_at_us": 2}
    choices = {"state": "open", "scope": "symbol", "direction": "down", "severity": "danger"}
    value = json.dumps({**names, **times, **choices, "detectors": [], "change_pct": change_pct}).encode()
    if sound:
        assert wire.decode(Alert, value).change_pct == change_pct
    else:
        with pytest.raises(wire.InvalidRecord):
            wire.decode(Alert, value)


def test_schema_header_is_checked() -> None:
    wire.check_schema(Trade, (("schema", b"trade/1"),))
    wire.check_schema(Trade, [("traceparent", b"00"), ("schema", b"trade/1")])
    with pytest.raises(wire.InvalidRecord, match="no schema"):
        wire.check_schema(Trade, ())
    with pytest.raises(wire.InvalidRecord, match="expected trade/1, found ticker/1"):
        wire.check_schema(Trade, [("schema", b"ticker/1")])


@pytest.mark.parametrize("found", [b"trade/2", b"trade/", b"trade", b"trade/\xff" + b"9" * 100])
def test_another_version_stops_the_reader(found: bytes) -> None:
    with pytest.raises(wire.UnknownSchema, match="upgrade it first"):
        wire.check_schema(Trade, [("schema", found)])


def test_a_header_without_value_is_an_invalid_record() -> None:
    with pytest.raises(wire.InvalidRecord, match="no schema"):
        wire.check_schema(Trade, [("schema", None)])  # type: ignore[list-item]
