from collections import deque
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.consumer.sinks.recent_trades import REMEMBERED, LeftBehind, RecentTrades
from shared.events import Trade

AT_US = 1_790_000_000_000_000


@given(st.lists(st.integers(0, 300), max_size=600), st.lists(st.integers(0, 300), max_size=100))
def test_any_order_of_ids_admits_each_once(tail: list[int], ids: list[int]) -> None:
    recent = RecentTrades(tail)
    seen = set(tail)

    for trade_id in ids:
        assert recent.is_new(trade_id) == (trade_id not in seen)
        seen.add(trade_id)


def test_a_thousand_ids_are_remembered_whatever_came_between() -> None:
    recent = RecentTrades()
    last: deque[int] = deque(maxlen=REMEMBERED)
    for i in range(5 * REMEMBERED):
        trade_id = i ^ 0b101  # neighbours change places
        assert recent.is_new(trade_id)
        last.append(trade_id)
        if i % 97 == 0:
            assert not any(recent.is_new(old) for old in last)


def test_memory_is_bounded() -> None:
    recent = RecentTrades(range(10 * REMEMBERED))

    assert len(recent._arrived) <= 2 * REMEMBERED
    assert recent.is_new(0)  # forgotten long ago


def test_a_late_trade_is_admitted_unless_it_is_backfill(make_trade: Callable[..., Trade]) -> None:
    recent = RecentTrades()
    assert recent.admits(make_trade(10))

    assert recent.admits(make_trade(9))
    assert not recent.admits(make_trade(8, origin="backfill"))
    assert recent.admits(make_trade(8))  # a refused backfill is not remembered
    assert recent.admits(make_trade(11, origin="backfill"))


def test_backfill_is_measured_against_the_newest_not_the_last(make_trade: Callable[..., Trade]) -> None:
    recent = RecentTrades([5], newest_traded_at_us=AT_US + 5)
    recent.admits(make_trade(3))

    assert not recent.admits(make_trade(4, origin="backfill"))


def test_what_was_received_before_the_log_is_read_again_is_there_already(make_trade: Callable[..., Trade]) -> None:
    recent = RecentTrades([5], AT_US + 5, seen_until_us=make_trade(5).received_at_us)

    assert not recent.admits(make_trade(4))
    assert recent.admits(make_trade(6))


@given(st.dictionaries(st.integers(0, 50), st.integers(10, 99), max_size=30, min_size=1), st.lists(st.integers(0, 50)))
def test_each_early_entry_gives_way_once(early: dict[int, int], ids: list[int]) -> None:
    left_behind = LeftBehind((trade_id, offset, AT_US) for trade_id, offset in early.items())

    for trade_id in ids:
        assert left_behind.take(trade_id, early.get(trade_id, 0), AT_US) == early.pop(trade_id, None)


@pytest.mark.parametrize(
    ("offset", "received_later_us", "gives_way"),
    [(40, 0, True), (40, -1, True), (12, 1, True), (12, 0, False), (12, -1, False), (41, 1, False)],
    ids=["the same", "the same", "a later copy", "sent again", "a repeat of an earlier one", "of the old log"],
)
def test_what_gives_way(make_trade: Callable[..., Trade], offset: int, received_later_us: int, gives_way: bool) -> None:
    trade = make_trade(5)
    recent = RecentTrades([5], left_behind=LeftBehind([(5, 40, trade.received_at_us + received_later_us)]))

    assert (recent.moves(trade, offset) == 40) == gives_way


def test_the_same_event_at_another_offset_is_a_repeat_however_long_ago_it_came(
    make_trade: Callable[..., Trade],
) -> None:
    """The old log was restored as another topic, with other offsets."""
    trade = make_trade(5)
    recent = RecentTrades([9], left_behind=LeftBehind([(5, 40, trade.received_at_us)]))

    assert recent.moves(trade, 12) is None
    assert not recent.admits(trade)
    assert recent.admits(make_trade(6))


def test_backfill_that_was_written_early_stays_where_it_is(make_trade: Callable[..., Trade]) -> None:
    recent = RecentTrades([5, 9], newest_traded_at_us=AT_US + 9, left_behind=LeftBehind([(5, 3, AT_US)]))

    assert recent.moves(make_trade(5, origin="backfill"), 3) is None
    assert not recent.admits(make_trade(5, origin="backfill"))
