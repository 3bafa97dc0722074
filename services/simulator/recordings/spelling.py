"""Exact decimals out of recorded JSON: the digits as they were sent, exponents written out. Pure."""

import json
from typing import Any


def plain_digits(spelling: str) -> str:
    """Write a JSON number without exponent, its scale kept: ``2.1E-7`` is ``0.00000021``, ``0E-8`` is ``0.00000000``.

    An exponent that makes the number whole leaves no point: ``1.16539E8`` is ``116539000``.
    """
    mantissa, _, exponent = spelling.upper().partition("E")
    if not exponent:
        return spelling
    sign = "-" if mantissa.startswith("-") else ""
    whole, _, fraction = mantissa.removeprefix("-").partition(".")
    scale = len(fraction) - int(exponent)
    digits = whole + fraction
    if scale <= 0:
        return sign + ((digits + "0" * -scale).lstrip("0") or "0")
    digits = digits.rjust(scale + 1, "0")
    return f"{sign}{digits[:-scale].lstrip('0') or '0'}.{digits[-scale:]}"


def read_exactly(text: str) -> Any:
    """Parse JSON with every number as its plain text."""
    return json.loads(text, parse_float=plain_digits, parse_int=str)
