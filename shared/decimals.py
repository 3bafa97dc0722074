"""Exact decimals as plain text: the only spelling of a price or quantity between an exchange and a store.

Plain means ASCII digits, at most one point with digits on both sides, no sign, no exponent, no needless leading zero.
The scale is kept as the exchange sent it: ``0.00077720`` stays ``0.00077720``. At most 38 digits, 18 of them behind
the point, so that no number can cost unbounded time or memory and every one fits Postgres' ``numeric``.
"""

import re
from decimal import Decimal

MAX_DIGITS = 38
MAX_FRACTION_DIGITS = 18
_NUMBER = re.compile(r"[0-9]{1,38}(\.[0-9]{1,38})?([eE][+-]?[0-9]{1,3})?")  # no other spelling may cost time


class InvalidDecimal(ValueError):
    """A number that is not finite, not plain digits, negative, or beyond the digits that we keep."""


def is_plain(text: str) -> bool:
    """Say whether `text` is a plain decimal within bounds (see the module). Never raises, never slow."""
    whole, point, fraction = text.partition(".")
    if not (whole.isdigit() and whole.isascii()):
        return False
    if point and not (fraction.isdigit() and fraction.isascii() and len(fraction) <= MAX_FRACTION_DIGITS):
        return False
    return len(whole) + len(fraction) <= MAX_DIGITS and (whole[0] != "0" or len(whole) == 1)


def is_plain_signed(text: str) -> bool:
    """Say whether `text` is a plain decimal that may begin with a minus."""
    return is_plain(text.removeprefix("-"))


def is_positive(text: str) -> bool:
    """Say whether a plain decimal is above zero."""
    return text.strip("0.") != ""


def plain(spelling: str) -> str:
    """Turn a JSON number's spelling, exponent or not, into plain text of the same value and scale.

    ``1.16539E8`` becomes ``116539000``, ``7.9276E-4`` becomes ``0.00079276``, ``0E-8`` becomes ``0.00000000``.
    Raises InvalidDecimal when it is no number, negative, or out of bounds.
    """
    if is_plain(spelling):
        return spelling
    if not _NUMBER.fullmatch(spelling):
        raise InvalidDecimal(f"not a plain decimal: {spelling[:64]!r}")
    number = Decimal(spelling)
    if abs(number.adjusted()) > MAX_DIGITS or not is_plain(text := format(number, "f")):
        raise InvalidDecimal(f"beyond {MAX_DIGITS} digits: {spelling!r}")
    return text
