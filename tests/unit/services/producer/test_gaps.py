from hypothesis import given
from hypothesis import strategies as st

from services.producer.gaps import (
    CLOCK_BACK_US,
    FORGOTTEN,
    LATE_US,
    NOT_RUNNING,
    STANDS,
    Dropped,
    Gap,
    Heard,
    Tail,
    gap_event,
    gaps_after,
    missed_since,
    note_connected,
)
from shared.events import FeedEvent, Trade
from shared.partitioning import partition_of, symbol_key

S = 1_000_000
NOW_US = 1_800_000_000 * S


def test_what_was_heard_ahead_of_our_clock_was_heard_before_that_was_set_back():
    heard = {"BEFORE": NOW_US - S, "UNTIL NOW": NOW_US, "AHEAD": NOW_US + 30 * S}
    assert missed_since(heard, NOW_US) == {"BEFORE": NOW_US - S, "AHEAD": NOW_US - CLOCK_BACK_US}


def _trade(symbol="KRW-BTC", received_at_us=NOW_US, traded_at_us=NOW_US):
    return Trade(
        exchange="upbit",
        symbol=symbol,
        base="BTC",
        quote="KRW",
        trade_id="1",
        price="1",
        quantity="1",
        side="buy",
        traded_at_us=traded_at_us,
        received_at_us=received_at_us,
    )


@given(
    heard_s=st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 100_000), min_size=1),
    offset_s=st.sampled_from([0, 1, 150_000_000]),
    traded_ahead_s=st.integers(-10, 3),
)
def test_every_missing_trade_lies_in_its_symbols_gap_by_both_clocks(heard_s, offset_s, traded_ahead_s):
    heard = {symbol: NOW_US - s * S for symbol, s in heard_s.items()}
    early = [_trade(traded_at_us=NOW_US + (traded_ahead_s - offset_s) * S)]
    gaps = gaps_after(heard, offset_s * S, NOW_US, early)
    assert sorted(symbol for gap in gaps for symbol in gap.symbols) == sorted(heard)
    for symbol, since_us in heard.items():
        (gap,) = (gap for gap in gaps if symbol in gap.symbols)
        assert gap.from_us <= since_us - LATE_US
        assert gap.to_us >= NOW_US + LATE_US
        assert gap.from_us <= since_us - offset_s * S - LATE_US
        assert gap.to_us >= early[0].traded_at_us
        # About as long as it must be: within a factor of two, and seconds.
        assert NOW_US - gap.from_us - offset_s * S <= 2 * (NOW_US - since_us) + 2 * S + LATE_US
    assert len(gaps) <= 18


def test_nothing_was_subscribed_so_nothing_is_missing():
    assert gaps_after({}, 0, NOW_US) == []


def test_a_symbol_is_heard_until_its_last_trade_or_its_last_confirmed_connection():
    tail = Tail(last={"A": Heard(50, 40), "B": Heard(60, 50)}, connected_us={"A": 55, "C": 70})
    assert {s: tail.heard_until_us("upbit", s) for s in "ABCD"} == {"A": 55, "B": 60, "C": 70, "D": None}


@given(offset_s=st.sampled_from([0, 1, 150_000_000]), lag_s=st.integers(0, 60))
def test_what_a_lagging_line_still_had_on_its_way_lies_in_the_gap(offset_s, lag_s):
    last = Heard(NOW_US, NOW_US - (offset_s + lag_s) * S)
    tail = Tail(last={"A": last, "B": Heard(NOW_US - 90 * S, NOW_US - (90 + offset_s) * S)})
    (gap,) = gaps_after({"A": tail.heard_until_us("upbit", "A")}, tail.clock_offset_us(), NOW_US + S)
    assert gap.from_us <= NOW_US - lag_s * S - LATE_US


def test_where_nothing_tells_of_a_symbol_it_may_be_missing_for_as_long_as_anything_is_forgotten():
    tail = Tail(forgotten_us=30, connected_us={"TOLD": 20})
    assert [tail.heard_until_us("upbit", symbol) for symbol in ("QUIET", "TOLD")] == [30, 20]
    assert (tail.why, Tail().why) == (FORGOTTEN, NOT_RUNNING)


def test_a_connection_that_stands_says_up_to_when_nothing_is_missing():
    tail = Tail()
    stands = _connected(900, "A", "B", to_us=800, reason=STANDS)
    note_connected(tail, [stands, _connected(500, "A", "B", "C")], "upbit")
    heard = {symbol: tail.heard_until_us("upbit", symbol) for symbol in "ABC"}
    assert heard == {"A": 800, "B": 800, "C": 500}, "the newest counts, in whatever order they are read"
    assert tail.together["A"] == ("A", "B")


def test_a_trade_of_its_own_counts_more_than_that_its_connection_stood_for_it_may_have_stalled():
    tail = Tail(last={"A": Heard(510, 510)})
    note_connected(tail, [_connected(500, "A", "B"), _connected(900, "A", "B", to_us=800, reason=STANDS)], "upbit")
    assert [tail.heard_until_us("upbit", symbol) for symbol in "AB"] == [510, 800]


def test_a_trade_of_the_same_connection_and_partition_speaks_for_a_quiet_symbol():
    names = [f"S{number}" for number in range(40)]
    quiet, *others = names
    partition = partition_of(symbol_key("upbit", quiet), 8)
    near = next(name for name in others if partition_of(symbol_key("upbit", name), 8) == partition)
    far = next(name for name in others if partition_of(symbol_key("upbit", name), 8) != partition)
    tail = Tail(last={near: Heard(60, 60), far: Heard(90, 90)})
    note_connected(tail, [_connected(40, quiet, near, far)], "upbit")
    assert tail.heard_until_us("upbit", quiet) == 60
    note_connected(tail, [_connected(45, quiet, far)], "upbit")
    assert tail.heard_until_us("upbit", quiet) == 45


def _connected(at_us, *symbols, reason="", to_us=None):
    return FeedEvent(
        kind="connected",
        exchange="upbit",
        channel="trade",
        at_us=at_us,
        to_us=to_us,
        reason=reason,
        symbols=list(symbols),
    )


def test_the_clock_of_a_recording_is_found_and_an_old_repeat_does_not_move_it():
    year = 365 * 86400 * S
    last = {"A": Heard(NOW_US, NOW_US - year), "B": Heard(NOW_US, NOW_US - year - 90 * S)}
    assert Tail(last=last).clock_offset_us() == year
    assert Tail(last={"A": Heard(NOW_US, NOW_US + 2 * S)}).clock_offset_us() == 0
    assert Tail().clock_offset_us() == 0


def test_only_confirmed_trade_connections_of_this_exchange_count():
    def event(kind, at_us, **fields):
        return FeedEvent(kind=kind, at_us=at_us, reason="", **({"exchange": "upbit", "channel": "trade"} | fields))

    tail = Tail()
    events = [
        event("connected", 1, symbols=["A", "B"]),
        event("connected", 2, symbols=["A"]),
        event("connected", 3, symbols=["A"], channel=None),
        event("connected", 4, symbols=["A"], exchange="binance"),
        event("disconnected", 5, symbols=["A"]),
    ]
    note_connected(tail, events, "upbit")
    assert tail.connected_us == {"A": 2, "B": 1}


def test_dropped_trades_are_one_gap_and_then_forgotten():
    dropped = Dropped()
    assert not dropped
    dropped.note(_trade("A", received_at_us=NOW_US + 5, traded_at_us=NOW_US))
    dropped.note(_trade("B", received_at_us=NOW_US + 9, traded_at_us=NOW_US + 12))
    assert dropped
    assert dropped.gap() == Gap(("A", "B"), NOW_US - LATE_US, NOW_US + 12)
    assert not dropped


def test_a_gap_as_a_record():
    event = gap_event(Gap(("A",), 1, 2), "upbit", "upbit-0-trades-1", "because", 3)
    assert (event.kind, event.channel, event.symbols, event.from_us, event.to_us) == ("gap", "trade", ["A"], 1, 2)
