from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.simulator.market.numbers import Spellings, java_big_decimal, java_double, plain, pointed

units = st.integers(min_value=-(10**24), max_value=10**24)
scales = st.integers(min_value=0, max_value=18)


@given(units, scales)
def test_every_spelling_keeps_the_value(number: int, scale: int) -> None:
    value = Decimal(number).scaleb(-scale)
    for spell in (plain, pointed, java_double, java_big_decimal):
        assert Decimal(spell(number, scale)) == value, spell


@given(units, scales)
def test_plain_keeps_the_scale_and_never_an_exponent(number: int, scale: int) -> None:
    text = plain(number, scale)
    assert "E" not in text
    assert len(text.partition(".")[2]) == scale


@given(units, scales)
def test_java_big_decimal_is_spelled_as_the_general_decimal_arithmetic_says(number: int, scale: int) -> None:
    sign, digits = int(number < 0), tuple(map(int, str(abs(number))))
    assert java_big_decimal(number, scale) == str(Decimal((sign, digits, -scale)))


@pytest.mark.parametrize(
    ("number", "scale", "text"),
    [(116_539_000, 0, "1.16539E8"), (9_999_999, 0, "9999999.0"), (10_000_000, 0, "1.0E7"), (79_276, 8, "7.9276E-4"),
     (412, 1, "41.2"), (100_000, 8, "0.001"), (0, 8, "0.0"), (-3_120_000_000, 2, "-3.12E7")],
)  # fmt: skip
def test_java_double(number: int, scale: int, text: str) -> None:
    assert java_double(number, scale) == text


@pytest.mark.parametrize(("number", "scale", "text"), [(0, 8, "0E-8"), (21, 8, "2.1E-7"), (77_720, 8, "0.00077720")])
def test_java_big_decimal(number: int, scale: int, text: str) -> None:
    assert java_big_decimal(number, scale) == text


def test_remembered_spellings_stay_bounded() -> None:
    spellings = Spellings(plain, 2)
    for number in range(120_000):
        assert spellings[number] == plain(number, 2)
    assert len(spellings) <= 50_000
