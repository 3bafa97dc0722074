from hypothesis import given
from hypothesis import strategies as st

from services.producer.gaps import Gap, gap_event
from services.producer.lanes import MAX_DEAD_LETTER_BYTES, RECORD_OVERHEAD_BYTES, Lanes
from services.producer.rejects import dead_letter
from shared import wire
from shared.events import DeadLetter, FeedEvent, OrderBook, Trade
from shared.partitioning import partition_of
from shared.topics import DEAD_LETTERS, FEED, ORDERBOOKS, TRADES


def _trade(number, symbol="KRW-BTC"):
    return Trade(
        exchange="upbit",
        symbol=symbol,
        base="BTC",
        quote="KRW",
        trade_id=str(number),
        price="1",
        quantity="1",
        side="buy",
        traded_at_us=number,
        received_at_us=number,
    )


def _book(number, symbol):
    return OrderBook(
        exchange="upbit",
        symbol=symbol,
        base="B",
        quote="Q",
        bids=[],
        asks=[],
        received_at_us=number,
        event_at_us=number,
    )


def _waiting(lanes, event):
    return [wire.decode(event, value) for lane in lanes.of(event) for _, value in lane.waiting]


def test_a_record_has_its_symbols_key_and_partition():
    lanes = Lanes()
    lanes.put(_trade(1))
    (lane,) = lanes.of(Trade)
    assert lane.topic is TRADES
    assert lane.partition == partition_of("upbit:KRW-BTC", 8)
    assert lane.waiting[0][0] == b"upbit:KRW-BTC"
    assert lane.headers == [("schema", b"trade/1")]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["put", "take", "back", "ack"])), max_size=60))
def test_nothing_is_lost_or_reordered_on_the_way_to_kafka(steps):
    lanes, put, arrived = Lanes(), {}, {}
    for number, (symbol, step) in enumerate(steps):
        if step == "put":
            lanes.put(_trade(number, symbol))
            put.setdefault(symbol, []).append(number)
        for lane in lanes.of(Trade):
            if step == "take" and not lane.in_flight:
                lane.take(2)
            elif step == "back":
                lane.give_back()
            elif step == "ack":
                for _, value in lane.in_flight:
                    trade = wire.decode(Trade, value)
                    arrived.setdefault(trade.symbol, []).append(trade.traded_at_us)
                lanes.acknowledged(lane)
    for lane in lanes.of(Trade):
        lane.give_back()
    for trade in _waiting(lanes, Trade):
        arrived.setdefault(trade.symbol, []).append(trade.traded_at_us)
    assert arrived == put


def test_books_give_way_to_newer_ones_of_their_symbol_at_the_bound():
    lanes = Lanes(max_newest_bytes=10_000)
    for number in range(500):
        lanes.put(_book(number, "ABC"[number % 3]))
    newest = {book.symbol: book.event_at_us for book in _waiting(lanes, OrderBook)}
    assert newest == {"A": 498, "B": 499, "C": 497}
    waiting = len(_waiting(lanes, OrderBook))
    assert waiting * RECORD_OVERHEAD_BYTES < 10_000
    assert lanes.conflated == {"orderbook": 500 - waiting}


def test_more_symbols_than_the_bound_holds_are_kept_once_each():
    lanes = Lanes(max_newest_bytes=1_000)
    for number in range(400):
        lanes.put(_book(number, f"S{number % 100}"))
    books = _waiting(lanes, OrderBook)
    assert {book.symbol for book in books} == {f"S{number}" for number in range(100)}
    assert len(books) <= 200


def test_trades_are_kept_to_the_bound_then_given_up_until_half_is_free_and_told():
    lanes = Lanes(max_trade_bytes=40_000)
    for number in range(500):
        lanes.put(_trade(number))
    (lane,) = lanes.of(Trade)
    kept = len(lane.waiting)
    assert [trade.traded_at_us for trade in _waiting(lanes, Trade)] == list(range(kept))
    assert lanes.dropped_trades == 500 - kept
    assert lanes.end_of_dropping() is None
    lane.take(kept // 4)
    lanes.acknowledged(lane)
    lanes.put(_trade(500))
    assert lanes.dropped_trades == 501 - kept
    assert lanes.end_of_dropping() is None
    lane.take(kept // 2)
    lanes.acknowledged(lane)
    gap = lanes.end_of_dropping()
    assert gap is not None
    assert gap.symbols == ("KRW-BTC",)
    assert gap.to_us == 500
    lanes.put(_trade(501))
    assert _waiting(lanes, Trade)[-1].traded_at_us == 501
    assert lanes.end_of_dropping() is None


def test_dead_letters_wait_up_to_a_bound_of_bytes_and_leave_room_when_they_are_gone():
    lanes = Lanes()
    letter = dead_letter(bytes(48 << 10), "y", exchange="upbit", connection="c", suppressed=0, at_us=1)
    size = len(wire.encode(letter)) + RECORD_OVERHEAD_BYTES
    fit = MAX_DEAD_LETTER_BYTES // size
    taken = [lanes.put_record(DEAD_LETTERS, "upbit", letter) for _ in range(fit + 3)]
    assert taken == [True] * fit + [False] * 3
    (lane,) = lanes.of(DeadLetter)
    lane.take(2)
    assert not lanes.put_record(DEAD_LETTERS, "upbit", letter)
    lanes.acknowledged(lane)
    assert [lanes.put_record(DEAD_LETTERS, "upbit", letter) for _ in range(3)] == [True, True, False]


def test_what_is_about_the_feeds_is_bounded_and_the_gaps_given_up_become_one():
    lanes = Lanes(max_feed_bytes=20_000)
    gaps = [Gap((f"S{number % 7}",), number, number + 5) for number in range(100, 1000)]
    taken = [lanes.put_record(FEED, "upbit", gap_event(gap, "upbit", "c", "cut", 1)) for gap in gaps]
    (lane,) = lanes.of(FeedEvent)
    kept = taken.count(True)
    assert len(lane.waiting) == kept
    assert sum(len(value) for _, value in lane.waiting) < 21_000
    assert lanes.conflated == {"feed": 900 - kept}
    assert lanes.end_of_dropping() is None
    lane.take(kept)
    lanes.acknowledged(lane)
    told = lanes.end_of_dropping()
    assert told is not None
    given_up = gaps[kept:]
    assert set(told.symbols) == {symbol for gap in given_up for symbol in gap.symbols}
    assert told.from_us <= min(gap.from_us for gap in given_up)
    assert told.to_us == max(gap.to_us for gap in given_up)
    assert lanes.end_of_dropping() is None


def test_empty_means_that_kafka_has_everything():
    lanes = Lanes()
    assert lanes.empty
    lanes.put(_book(1, "A"))
    (lane,) = lanes.of(OrderBook)
    assert lane.topic is ORDERBOOKS
    assert not lanes.empty
    lane.take(1)
    assert not lanes.empty
    assert lanes.acknowledged(lane) == 1
    assert lanes.empty


def test_trades_are_held_by_kafka_once_all_that_were_put_by_then_arrived_and_none_was_given_up_untold():
    lanes = Lanes(max_trade_bytes=2 * (RECORD_OVERHEAD_BYTES + 300))
    lanes.put(_trade(1))
    put = lanes.trades_put
    lanes.put(_trade(2))
    (lane,) = lanes.of(Trade)
    lane.take(1)
    assert not lanes.holds(put)
    lanes.acknowledged(lane)
    assert lanes.holds(put)
    assert not lanes.holds(lanes.trades_put)
    for number in range(3, 9):
        lanes.put(_trade(number))
    assert lanes.dropped
    assert not lanes.holds(put)


def test_what_is_too_large_goes_in_halves_until_one_record_is_left_that_is_refused_time_and_again():
    lanes = Lanes()
    for number in range(8):
        lanes.put(_trade(number))
    (lane,) = lanes.lanes.values()
    sizes = []
    while True:
        lane.take(min(lane.most, len(lane.waiting)))
        sizes.append(len(lane.in_flight))
        if lane.too_large():
            break
        lane.give_back()
    assert sizes == [8, 4, 2, 1, 1, 1]
    assert len(lane.waiting) == 7


def test_after_what_was_too_large_ever_more_goes_together_again():
    lanes = Lanes()
    for number in range(8):
        lanes.put(_trade(number))
    (lane,) = lanes.lanes.values()
    lane.take(8)
    assert not lane.too_large()
    lane.give_back()
    sizes = []
    while lane.waiting:
        lane.take(min(lane.most, len(lane.waiting)))
        sizes.append(lanes.acknowledged(lane))
    assert sizes == [4, 4]
    assert lane.most == 16
