from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.producer.exchanges.base import InvalidFrame
from services.producer.exchanges.numbers import filled_levels, plain_numbers, plain_raws, positive_pair
from shared.decimals import InvalidDecimal, is_positive, plain

SPELLINGS = st.one_of(
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
    st.from_regex(r"[0-9]{0,22}(\.[0-9]{0,20})?([eE][+-]?[0-9]{1,3})?", fullmatch=True),
    st.text(alphabet="0123456789.eE+- _x", max_size=12),
)


def _one_by_one(spellings):
    try:
        return [plain(spelling) for spelling in spellings]
    except InvalidDecimal:
        return None


@given(st.lists(SPELLINGS, max_size=6))
def test_many_at_once_are_as_exact_as_one_by_one(spellings):
    expected = _one_by_one(spellings)
    if expected is None:
        with pytest.raises(InvalidFrame):
            plain_numbers(spellings)
    else:
        assert plain_numbers(spellings) == expected


@given(SPELLINGS, SPELLINGS)
def test_a_pair_is_as_exact_as_one_by_one_and_above_zero(price, quantity):
    expected = _one_by_one([price, quantity])
    if expected is None or not all(map(is_positive, expected)):
        with pytest.raises(InvalidFrame):
            positive_pair(price, quantity)
    else:
        assert list(positive_pair(price, quantity)) == expected


@given(
    st.lists(
        st.decimals(min_value=0, max_value=10**20, places=8).map(lambda d: f"{d:E}" if d > 9 else str(d)), min_size=1
    )
)
def test_undecoded_json_numbers(spellings):
    raws = msgspec.json.decode("[" + ",".join(spellings) + "]", type=list[msgspec.Raw])
    assert list(map(Decimal, plain_raws(raws))) == list(map(Decimal, spellings))


def test_levels_without_price_or_quantity_are_no_levels():
    assert filled_levels([("1", "2"), ("0", "0"), ("0.00", "1"), ("3", "0.0"), ("4", "5"), ("6", "7")], 2) == [
        ("1", "2"),
        ("4", "5"),
    ]
