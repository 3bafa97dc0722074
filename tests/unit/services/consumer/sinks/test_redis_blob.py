from collections.abc import Callable
from dataclasses import replace

import pytest

from services.consumer.batch import Batch, Slice
from services.consumer.sinks.recent_trades import LeftBehind, RecentTrades
from services.consumer.sinks.redis_blob import (
    MOST_EARLY,
    early_entries,
    early_span,
    pack,
    recent_trades,
    refusal,
    traded_symbols,
)
from services.consumer.sinks.redis_positions import Position
from shared.events import Event, OrderBook, Ticker, Trade
from shared.topics import ORDERBOOKS, TICKERS, TRADES, Topic

AT_US = 1_790_000_000_000_000
BTC = ("binance", "BTCUSDT")


def one_slice(topic: Topic, *events: Event, first: int = 100) -> Batch:
    offsets = list(range(first, first + len(events)))
    return Batch("b", (Slice(topic.name, 2, first, first + len(events), offsets, list(events)),))


def at(topic: Topic, offset: int = 100, generation: int = 1) -> dict[tuple[str, int], Position]:
    return {(topic.name, 2): Position(offset, generation, "id", "me")}


def test_trades_are_six_fields_behind_the_generation_and_the_offset(make_trade: Callable[..., Trade]) -> None:
    batch = one_slice(TRADES, make_trade(1), make_trade(2, side="sell"))

    packed = pack(batch, at(TRADES, generation=3), {BTC: RecentTrades()})

    ((exchange, symbol, trades, ticker, book, displaced),) = packed.symbols
    assert (exchange, symbol, ticker, book, displaced) == ("binance", "BTCUSDT", False, False, False)
    assert trades == [
        "trades:binance:BTCUSDT",
        *("3-100", "1", "60000.10", "0.00100", "buy", "1790000000000001", "1790000000000006"),
        *("3-101", "2", "60000.10", "0.00100", "sell", "1790000000000002", "1790000000000007"),
    ]
    assert packed.positions == [("position:tape.trades.v1", "2", "100 3 id me", "102 3 id me")]
    assert packed.repeated == {TRADES.name: 0}


def test_a_repeat_is_counted_and_left_out(make_trade: Callable[..., Trade]) -> None:
    batch = one_slice(TRADES, make_trade(1), make_trade(2), make_trade(1), make_trade(3))

    packed = pack(batch, at(TRADES), {BTC: RecentTrades([3])})

    assert packed.symbols[0][2][1::7] == ["1-100", "1-101"]
    assert packed.repeated == {TRADES.name: 2}


def test_what_was_written_early_moves_to_its_place(make_trade: Callable[..., Trade]) -> None:
    """Trades 3 and 4 were written at the old position, 101 and 102, before the log was known to be another one."""
    stored = {key: replace(position, begun=2) for key, position in at(TRADES, generation=2).items()}
    recent = RecentTrades([1, 3, 4], left_behind=LeftBehind([(1, 107, AT_US), (3, 102, AT_US), (4, 103, AT_US)]))

    packed = pack(one_slice(TRADES, *map(make_trade, (1, 2, 3, 4, 3))), stored, {BTC: recent})

    assert packed.symbols[0][2][1::7] == ["2-101", "2-102", "2-103"]
    assert packed.symbols[0][-1] == ["1-102", "1-103"]
    assert packed.repeated == {TRADES.name: 2}


def test_only_the_newest_ticker_of_a_symbol_is_sent(make_ticker: Callable[..., Ticker]) -> None:
    batch = one_slice(
        TICKERS,
        make_ticker(price="1", event_at_us=20),
        make_ticker(price="3", event_at_us=30),
        make_ticker(price="2", event_at_us=25),
        make_ticker(price="4", event_at_us=30),
    )

    packed = pack(batch, at(TICKERS), {})

    key, version, fields = packed.symbols[0][3]
    assert (key, version) == ("ticker:upbit:KRW-BTC", "30 0 1 103")
    hash_of = dict(zip(fields[::2], fields[1::2], strict=True))
    assert hash_of["price"] == "4"
    assert (hash_of["window"], hash_of["bid_price"]) == ("utc_day", "")
    assert packed.repeated == {TICKERS.name: 3}


def test_a_book_without_a_time_is_as_old_as_its_receipt_then_by_sequence(make_book: Callable[..., OrderBook]) -> None:
    batch = one_slice(ORDERBOOKS, make_book(sequence=9, received_at_us=50), make_book(sequence=8, received_at_us=50))

    packed = pack(batch, at(ORDERBOOKS), {})

    key, version, fields = packed.symbols[0][4]
    assert (key, version) == ("orderbook:binance:BTCUSDT", "50 9 1 100")
    assert fields[:4] == ["bids", '[["60000.1","1"]]', "asks", '[["60000.2","2"]]']


def test_a_book_with_a_time_goes_by_it(make_book: Callable[..., OrderBook]) -> None:
    packed = pack(one_slice(ORDERBOOKS, make_book(sequence=None, event_at_us=40)), at(ORDERBOOKS), {})

    assert packed.symbols[0][4][1] == "40 0 1 100"


def test_a_time_far_ahead_counts_as_a_minute_ahead_and_the_event_keeps_it(
    make_ticker: Callable[..., Ticker], make_book: Callable[..., OrderBook]
) -> None:
    wrong = make_ticker(price="1", event_at_us=10**15, received_at_us=50)
    right = make_ticker(price="2", event_at_us=60_000_060, received_at_us=60_000_070)

    _, version, fields = pack(one_slice(TICKERS, wrong), at(TICKERS), {}).symbols[0][3]
    assert version == "60000050 0 1 100"
    assert dict(zip(fields[::2], fields[1::2], strict=True))["event_at_us"] == str(10**15)
    assert pack(one_slice(TICKERS, wrong, right), at(TICKERS), {}).symbols[0][3][1] == "60000060 0 1 101"
    book = make_book(sequence=None, event_at_us=10**15, received_at_us=50)
    assert pack(one_slice(ORDERBOOKS, book), at(ORDERBOOKS), {}).symbols[0][4][1] == "60000050 0 1 100"


def test_a_batch_without_events_moves_the_position_alone() -> None:
    packed = pack(one_slice(TRADES), at(TRADES), {})

    assert packed.symbols == []
    assert packed.after == at(TRADES)


def test_traded_symbols_are_those_of_trades_alone(
    make_trade: Callable[..., Trade], make_ticker: Callable[..., Ticker]
) -> None:
    batch = Batch("b", one_slice(TRADES, make_trade()).slices + one_slice(TICKERS, make_ticker()).slices)

    assert traded_symbols(batch) == {BTC: 2}


@pytest.mark.parametrize("names", [{"exchange": "a:b"}, {"symbol": "A B"}, {"symbol": "A\n"}, {"exchange": "\x00"}])
def test_names_that_would_mix_up_keys_are_refused(make_trade: Callable[..., Trade], names: dict[str, str]) -> None:
    assert refusal(make_trade(**names)) == "exchange or symbol cannot be part of a key"


def test_a_sequence_that_lua_cannot_count_is_refused(make_book: Callable[..., OrderBook]) -> None:
    assert refusal(make_book(sequence=1 << 53)) == "the order book's sequence is out of bounds"
    assert refusal(make_book(sequence=-1)) == "the order book's sequence is out of bounds"
    assert refusal(make_book(sequence=(1 << 53) - 1)) is None


def test_a_streams_tail_is_remembered(make_trade: Callable[..., Trade]) -> None:
    recent = recent_trades((b"5 7", b"1790000000000007", b"1790000000000012", b"2-40"), Position(41, 2, "id", "me"))

    assert [recent.is_new(trade_id) for trade_id in (5, 6, 7)] == [False, True, False]
    assert recent.admits(make_trade(4))


def test_a_topic_made_anew_has_seen_nothing_and_gives_way_to_what_comes_again(make_trade: Callable[..., Trade]) -> None:
    tail = (b"5 7", b"1790000000000007", b"1790000000000012", b"1-40")
    early = early_entries((b"7 5", b"40 38", b"12 12"))
    recent = recent_trades(tail, Position(None, 2, "id", "me", begun=2), early)

    assert recent.admits(make_trade(4))
    at = ((5, 37), (5, 38), (5, 39), (6, 40), (7, 40), (7, 40))
    assert [recent.moves(make_trade(trade_id), offset) for trade_id, offset in at] == [None, 38, None, None, 40, None]


def test_a_log_read_again_after_the_topic_was_made_anew_has_seen_what_was_received(
    make_trade: Callable[..., Trade],
) -> None:
    tail = (b"5 7", b"1790000000000007", b"1790000000000012", b"2-40")

    assert not recent_trades(tail, Position(30, 3, "id", "me", begun=2)).admits(make_trade(4))


@pytest.mark.parametrize(
    ("next_offset", "generation", "read", "span"),
    [
        (None, 2, [], ("1-0", "1")),
        (9, 3, [], ("1-9", "1")),
        (9, 2, [(5, 41, 0), (4, 40, 0)], ("1-9", "1-39")),
        (None, 2, [(5, 0, 0)], ("1-0", "0")),
    ],
    ids=["all of the generation", "what is not read yet", "the next page", "nothing more"],
)
def test_written_early_is_what_stands_behind_the_position_one_generation_before(
    next_offset: int | None, generation: int, read: list[tuple[int, int, int]], span: tuple[str, str]
) -> None:
    assert early_span(Position(next_offset, generation, "id", "me", begun=2), read) == span


def test_of_more_than_can_be_early_what_was_received_before_is_there_already(make_trade: Callable[..., Trade]) -> None:
    oldest_us = make_trade(5).received_at_us
    early = [(1_000_000 - n, 1_000_000 - n, oldest_us) for n in range(MOST_EARLY)]
    tail = (b"", b"0", b"0", b"1-1000000")
    position = Position(None, 2, "id", "me", begun=2)

    assert not recent_trades(tail, position, early).admits(make_trade(4))
    assert recent_trades(tail, position, early).admits(make_trade(5))
    assert recent_trades(tail, position, early[1:]).admits(make_trade(4))


def test_behind_what_was_written_early_it_is_forgotten(make_trade: Callable[..., Trade]) -> None:
    stored = {(TRADES.name, 2): Position(100, 2, "id", "me", begun=2, early_until=102)}
    recent = RecentTrades(left_behind=LeftBehind([(2, 101, AT_US)]))

    packed = pack(one_slice(TRADES, make_trade(1), make_trade(2)), stored, {BTC: recent})
    assert packed.symbols[0][-1] == ["1-101"]
    assert packed.after[TRADES.name, 2].begun == 0
    pack(one_slice(TRADES, make_trade(3), first=102), packed.after, {BTC: recent})
    assert recent.left_behind is None


def test_a_tail_of_an_older_generation_has_seen_what_was_received_before(make_trade: Callable[..., Trade]) -> None:
    recent = recent_trades((b"5 7", b"1790000000000007", b"1790000000000012", b"1-40"), Position(41, 2, "id", "me"))

    assert not recent.admits(make_trade(4))
    assert recent.admits(make_trade(8))
