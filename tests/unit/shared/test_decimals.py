from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.decimals import InvalidDecimal, is_plain, is_plain_signed, is_positive, plain


@pytest.mark.parametrize(
    ("spelling", "text"),
    [
        ("0", "0"),
        ("0.00077720", "0.00077720"),
        ("93421000.00000000", "93421000.00000000"),
        ("1.16539E8", "116539000"),
        ("7.9276E-4", "0.00079276"),
        ("0E-8", "0.00000000"),
        ("1e-18", "0.000000000000000001"),
        ("1E+37", "1" + "0" * 37),
        ("007", "7"),
    ],
)
def test_spelling_becomes_plain_text_of_the_same_scale(spelling: str, text: str) -> None:
    assert plain(spelling) == text


HOSTILE = [
    "",
    ".",
    "1.",
    ".5",
    "-1",
    "+1",
    "NaN",
    "sNaN",
    "Infinity",
    "-Infinity",
    "1_000",
    "1 ",
    " 1",
    "1\n",
    "１２３",  # full-width digits
    "٣",  # an Arabic digit
    "²",
    "0x10",
    "1e999",
    "1e99999999",
    "1e-99999999",
    "1e999999999999999999999",
    "1" * 39,
    "0." + "1" * 19,
    "1" * 25 + "." + "1" * 14,
    "1e38",
    "1e-19",
    "9" * 1_000_000,
    "0." + "9" * 1_000_000,
    "1e" + "9" * 1_000_000,
    "1,5",
    "None",
]


@pytest.mark.parametrize("spelling", HOSTILE, ids=lambda text: text[:12] or "empty")
def test_hostile_spelling_is_refused(spelling: str) -> None:
    with pytest.raises(InvalidDecimal) as error:
        plain(spelling)
    assert len(str(error.value)) < 200
    assert not is_plain(spelling)
    assert not is_plain_signed(spelling) or spelling == "-1"


@given(st.text(max_size=60))
def test_any_text_is_plain_or_refused(text: str) -> None:
    try:
        result = plain(text)
    except InvalidDecimal:
        return
    assert is_plain(result)
    assert Decimal(result) == Decimal(text)


@given(st.decimals(min_value=0, max_value=Decimal(10) ** 19, places=18))
def test_value_survives_every_spelling(number: Decimal) -> None:
    for spelling in (str(number), format(number, "f"), format(number, "E")):
        assert Decimal(plain(spelling)) == number


@given(st.data())
def test_plain_text_stays_as_it_is(plain_decimals: st.SearchStrategy[str], data: st.DataObject) -> None:
    text = data.draw(plain_decimals)
    assert plain(text) == text
    assert is_plain_signed("-" + text)
    assert is_positive(text) == (Decimal(text) > 0)
    assert len(Decimal(text).as_tuple().digits) <= 38
