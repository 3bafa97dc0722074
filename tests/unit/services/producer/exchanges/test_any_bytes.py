"""Whatever comes over the wire: events that every reader accepts, or one of the two errors that are foreseen."""

import json
import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.frames import FRAMES
from benchmarks.mutate import HANDMADE, mutated
from services.producer.exchanges.base import ExchangeError, InvalidFrame
from shared import wire

COUNT = 20_000
LIMIT_S = 0.5  # of cpu, far above what any frame needs: something that grows without bound takes seconds


def _check(adapter, frame):
    """Parse, and read back what would be published. Returns whether events came."""
    try:
        parsed = adapter.parse(frame, 1_700_000_000_000_000)
    except (InvalidFrame, ExchangeError) as refused:
        reason = str(refused)
    else:
        reason = ""
    assert reason == "" or (reason.isprintable() and len(reason) < 500)
    if reason:
        return False
    events = parsed if isinstance(parsed, list) else []
    for event in events:
        assert wire.decode(type(event), wire.encode(event)) == event
    return bool(events)


@pytest.mark.parametrize("exchange", FRAMES)
def test_mutated_frames(make_adapter, frames, exchange):
    adapter, rng = make_adapter(exchange), random.Random(20240808)
    accepted, slowest_s = 0, 0.0
    seeds = list(frames[exchange].values())
    for _ in range(COUNT):
        frame = mutated(rng.choice(seeds), rng)
        began_s = time.thread_time()
        accepted += _check(adapter, frame)
        adapter.unknown_fields(frame)
        slowest_s = max(slowest_s, time.thread_time() - began_s)
    assert 0 < accepted < COUNT
    assert slowest_s < LIMIT_S


@pytest.mark.parametrize("exchange", FRAMES)
@pytest.mark.parametrize("frame", HANDMADE, ids=lambda frame: repr(frame[:24]))
def test_hand_made_frames(make_adapter, exchange, frame):
    adapter = make_adapter(exchange)
    began_s = time.thread_time()
    _check(adapter, frame)
    adapter.unknown_fields(frame)
    assert time.thread_time() - began_s < LIMIT_S


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=10), inner, max_size=5),
    max_leaves=20,
)


@given(frame=st.binary(max_size=200) | st.text(max_size=200) | _json.map(json.dumps))
def test_nothing_else_comes_out(make_adapter, frame):
    for exchange in FRAMES:
        _check(make_adapter(exchange), frame)


@given(
    price=st.decimals(min_value="1e-18", max_value="1e19", allow_nan=False).filter(lambda d: d > 0),
    quantity=st.decimals(min_value="1e-18", max_value="1e19", allow_nan=False).filter(lambda d: d > 0),
    trade_id=st.integers(0, wire.MAX_TRADE_ID),
    at_ms=st.integers(0, 9_000_000_000_000),
)
def test_a_trade_keeps_its_numbers_exactly(make_adapter, price, quantity, trade_id, at_ms):
    texts = [format(price, "f"), format(quantity, "f")]
    upbit = (
        f'{{"type":"trade","code":"KRW-BTC","trade_price":{texts[0]},"trade_volume":{texts[1]},"ask_bid":"BID",'
        f'"trade_timestamp":{at_ms},"sequential_id":{trade_id}}}'
    )
    binance = (
        f'{{"stream":"btcusdt@trade","data":{{"e":"trade","s":"BTCUSDT","t":{trade_id},"p":"{texts[0]}",'
        f'"q":"{texts[1]}","T":{at_ms},"m":false}}}}'
    )
    for exchange, frame in (("upbit", upbit), ("binance", binance)):
        try:
            parsed = make_adapter(exchange).parse(frame, 1)
        except InvalidFrame:
            assert any(len(text.partition(".")[2]) > 18 or len(text.replace(".", "")) > 38 for text in texts)
            continue
        assert isinstance(parsed, list)
        (trade,) = parsed
        assert [trade.price, trade.quantity] == texts
        assert (trade.trade_id, trade.traded_at_us, trade.side) == (str(trade_id), at_ms * 1000, "buy")
