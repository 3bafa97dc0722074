"""Copies agree when their numbers are equal in value and everything else is equal to the letter."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from services.reconcile.facts import book_facts, canonical, same_book, split_trade, trade_facts

plain_numbers = st.decimals(0, 10**20, places=8, allow_nan=False).map(lambda number: format(number, "f"))
FIVE = frozenset({5})


@given(plain_numbers, plain_numbers)
def test_numbers_agree_exactly_when_their_values_do(one: str, other: str) -> None:
    assert (canonical(one) == canonical(other)) == (Decimal(one) == Decimal(other))
    assert canonical(one) == canonical(one + "0" if len(one.partition(".")[2]) < 18 else one)


def test_what_is_no_plain_number_agrees_with_no_number() -> None:
    for text in ("1e3", "NaN", "", "-1", "01", "1_000"):
        assert canonical(text).startswith("not a number")
    assert canonical(None) == "-"


def test_a_trade_comes_back_from_its_facts() -> None:
    assert split_trade(trade_facts("93421000.0", "0.00120", "buy", 17)) == ("93421000", "0.0012", 17)


def levels(count: int, first: int = 100) -> list[tuple[str, str]]:
    return [(str(first + step), "1.50") for step in range(count)]


def facts(bids: int, asks: int, sequence: int = 7) -> str:
    return book_facts(sequence, None, levels(bids), levels(asks, 200))


def test_a_book_may_be_cut_only_to_the_depth_that_was_asked_for() -> None:
    assert same_book(facts(15, 15), facts(15, 15), FIVE, heard=True)
    assert same_book(facts(15, 15), facts(5, 5), FIVE, heard=True)
    assert same_book(facts(3, 15), facts(3, 5), FIVE, heard=True)
    assert not same_book(facts(15, 15), facts(4, 5), FIVE, heard=True)
    assert not same_book(facts(5, 5), facts(5, 4), FIVE, heard=True)
    assert not same_book(facts(5, 5), facts(0, 5), FIVE, heard=True)


def test_a_deeper_book_is_right_only_where_nobody_heard_the_published_one() -> None:
    assert same_book(facts(5, 5), facts(15, 15), FIVE, heard=False)
    assert not same_book(facts(5, 5), facts(15, 15), FIVE, heard=True)


def test_another_sequence_is_another_book() -> None:
    assert not same_book(facts(5, 5), facts(5, 5, sequence=8), FIVE, heard=True)
