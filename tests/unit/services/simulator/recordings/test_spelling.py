from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.simulator.recordings.spelling import plain_digits, read_exactly


@pytest.mark.parametrize(
    ("sent", "plain"),
    [
        ("2.1E-7", "0.00000021"),
        ("1.16539E8", "116539000"),
        ("0E-8", "0.00000000"),
        ("7.9276E-4", "0.00079276"),
        ("0.00077720", "0.00077720"),
        ("43.20000000", "43.20000000"),
        ("-3.12E7", "-31200000"),
        ("1e2", "100"),
        ("0E3", "0"),
    ],
)
def test_known_spellings(sent: str, plain: str) -> None:
    assert plain_digits(sent) == plain


@given(st.integers(0, 10**20), st.integers(-20, 20), st.integers(0, 18))
def test_every_spelling_becomes_what_exact_arithmetic_says(digits: int, exponent: int, scale: int) -> None:
    mantissa = f"{Decimal(digits).scaleb(-scale):f}"
    assert plain_digits(f"{mantissa}E{exponent}") == f"{Decimal(f'{mantissa}E{exponent}'):f}"


def test_ids_beyond_floating_point_stay_whole() -> None:
    assert read_exactly('{"sid":17510687993360001,"tp":1.0}') == {"sid": "17510687993360001", "tp": "1.0"}
